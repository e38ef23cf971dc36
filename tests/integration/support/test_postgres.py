"""The database fixtures: fresh for each test, on both engines, and a PostgreSQL that may be killed."""

import asyncpg  # type: ignore[import-untyped]
import psutil
import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.postgres import PostgresServer, fresh_database


async def test_each_test_has_an_empty_database(database_url: str) -> None:
    """Tables made here are gone for the next test, and an engine left open does not hinder that."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE only_here (id INTEGER PRIMARY KEY)"))
        await connection.execute(text("INSERT INTO only_here VALUES (1)"))
        assert (await connection.execute(text("SELECT count(*) FROM only_here"))).scalar_one() == 1
    await engine.dispose()


async def test_a_fresh_database_is_dropped_after_use(postgres_url: URL) -> None:
    """Nothing is left on the shared server, even while a connection is open."""
    with fresh_database(postgres_url) as url:
        left_open = await asyncpg.connect(_dsn(url))
    left_open.terminate()
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(_dsn(url))


async def test_a_killed_server_has_its_rows_when_it_is_back(postgres_server: PostgresServer) -> None:
    """A committed row survives kill -9 and restart; the address and credentials stay."""
    connection = await asyncpg.connect(_dsn(postgres_server.url))
    await connection.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")

    postgres_server.kill9()
    connection.terminate()
    postgres_server.start()

    connection = await asyncpg.connect(_dsn(postgres_server.url))
    assert await connection.fetchval("SELECT count(*) FROM kept") == 1
    await connection.close()


def test_the_server_does_not_run_as_root(postgres_server: PostgresServer) -> None:
    """A run as root drops it for the server, and leaves its data to that user."""
    assert postgres_server.data_dir.stat().st_uid != 0
    assert psutil.Process(postgres_server.pid).uids().effective != 0


def _dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
