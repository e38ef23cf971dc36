"""Bring the database's tables to this version: numbered migrations, forward only. Knows no row.

One process migrates at a time: an advisory lock on PostgreSQL, a lock on a file beside the database on SQLite. All
migrations of one call are one transaction.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.api.projection.engine import BEGIN, engine_for, file_of

_LOCK = 0x6F70736C6D696772
"""The key of the advisory lock: 'opslmigr'."""
_SCRIPTS = Path(__file__).with_name("migrations")


async def upgrade(database_url: str) -> None:
    """Migrate the database to this version, making its file where there is none."""
    engine = engine_for(database_url, patience=None)
    try:
        await upgrade_engine(engine)
    finally:
        await engine.dispose()


async def upgrade_engine(engine: AsyncEngine) -> None:
    """Migrate the database behind an engine."""
    async with _alone(engine) as connection:
        await connection.run_sync(_upgrade)
        await connection.commit()


async def pending(engine: AsyncEngine) -> bool:
    """Return whether the database lacks migrations of this version."""
    async with engine.connect() as connection:
        current = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    return current != ScriptDirectory.from_config(_config()).get_current_head()


@asynccontextmanager
async def _alone(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    path = file_of(engine.url)
    if path is None:
        async with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            yield connection
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.migrate.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        async with engine.connect() as connection:
            await connection.execution_options(**{BEGIN: "IMMEDIATE"})
            yield connection


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")
