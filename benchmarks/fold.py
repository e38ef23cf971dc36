"""How fast a lost view comes back: the log of this run folded into empty databases, as `projection rebuild` does it.

The clock starts with the projector and stops after the transaction that holds the last commit: a process's start,
connections and tables are not in it, nor is putting the new view in the old one's place.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import URL

from benchmarks.report import VALUE, per_s
from benchmarks.run import Run
from benchmarks.view import NotInTime
from services.api.projection.engine import engine_for
from services.api.projection.rebuild import Rebuilt, fold_rate
from shared.log.jetstream import JetStreamStorage
from shared.runtime.nats import connect
from tests.support import postgres
from tests.support.process import ServerFailed

PATIENCE_SECONDS = 60.0


def measure(run: Run) -> None:
    """Fold into SQLite, and into PostgreSQL where one can be had."""
    file = run.system.data_dir / "fold.db"
    label = "fold into SQLite"
    run.figures.fold_commits_per_s_sqlite = _fold(run, f"sqlite+aiosqlite:///{file}", label, ", synchronous OFF")
    try:
        with _database(run) as (url, fsync):
            whose = postgres.chosen()
            label, how, child = "fold into PostgreSQL", f", fsync {fsync}, {whose}", whose.startswith("child process")
            run.figures.fold_commits_per_s_postgresql = _fold(run, url, label, how, alone=child)
    except postgres.NoPostgres as reason:
        run.report.fact("fold into PostgreSQL", f"{'none':>{VALUE}}          {reason}")


def _fold(run: Run, database_url: str, label: str, how: str, *, alone: bool = True) -> float:
    with run.report.watching(alone=alone):
        found = run.do(_fold_rate(run.system.nats_url, database_url))
    run.report.row(label, per_s(found.rate), f"{found.commits:,} commits of this run{how}")
    return found.rate


async def _fold_rate(nats_url: str, database_url: str) -> Rebuilt:
    client, engine = await connect(nats_url, name="benchmark fold"), engine_for(database_url)
    try:
        storage = JetStreamStorage(client)
        await storage.open()
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await fold_rate(storage, engine)
    except TimeoutError as error:
        raise NotInTime(f"the fold came to no end within {PATIENCE_SECONDS:.0f} s") from error
    finally:
        await engine.dispose()
        await client.close()


@contextmanager
def _database(run: Run) -> Iterator[tuple[str, str]]:
    """An empty PostgreSQL database and whether its server syncs; raises `NoPostgres`."""
    with postgres.shared() as server:
        fsync = run.do(_with_fsync(server))
        with postgres.fresh_database(server) as url:
            yield url.render_as_string(hide_password=False), fsync


async def _with_fsync(server: URL) -> str:
    """Switch fsync on, which our own test server has off, and return what the server says; others stay as they are."""
    url = server.set(drivername="postgresql").render_as_string(hide_password=False)
    ours = not os.environ.get("OPSLEDGER_TEST_DATABASE_URL")
    for _ in range(50):
        connection = await asyncpg.connect(url, timeout=20)
        try:
            said = str(await connection.fetchval("SHOW fsync"))
            if said == "on" or not ours:
                return said
            await connection.execute("ALTER SYSTEM SET fsync = on")
            await connection.execute("SELECT pg_reload_conf()")
        finally:
            await connection.close()
        await asyncio.sleep(0.1)
    raise ServerFailed(f"PostgreSQL does not switch fsync on, it says {said}")
