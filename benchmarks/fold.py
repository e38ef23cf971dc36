"""How fast a lost view comes back: the log of this run folded into empty databases by the projector's own code.

The clock starts with the projector and stops after the transaction that holds the last commit. A process's start,
connections and tables are not in it.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import URL

from benchmarks.figures import rate
from benchmarks.report import per_s
from benchmarks.run import Run
from benchmarks.view import NotInTime
from services.api.projection.engine import engine_for
from services.api.projection.migrate import upgrade_engine
from services.api.projection.projector import Projector
from shared.log.jetstream import JetStreamStorage
from shared.runtime.nats import connect
from tests.support import postgres
from tests.support.process import ServerFailed

PATIENCE_SECONDS = 60.0


def measure(run: Run) -> None:
    """Fold into SQLite, and into PostgreSQL where one can be had."""
    file = run.system.data_dir / "fold.db"
    run.figures.fold_commits_per_s_sqlite = _fold(run, f"sqlite+aiosqlite:///{file}", "fold into SQLite", "")
    try:
        with _database(run) as (url, fsync):
            label = "fold into PostgreSQL"
            run.figures.fold_commits_per_s_postgresql = _fold(run, url, label, f", fsync {fsync}, {postgres.chosen()}")
    except postgres.NoPostgres as reason:
        run.report.fact("fold into PostgreSQL", f"{'not measured':>14}   {reason}")


def _fold(run: Run, database_url: str, label: str, more: str) -> float:
    with run.report.watching():
        commits, taken = run.do(fold(run.system.nats_url, database_url))
    found = rate(commits, taken)
    run.report.row(label, per_s(found), f"commits, the {commits:,} of this run's log from empty{more}")
    return found


async def fold(nats_url: str, database_url: str) -> tuple[int, float]:
    """Project the whole log into an empty database; return how many commits it has and the seconds it took."""
    client = await connect(nats_url, name="benchmark fold")
    engine = engine_for(database_url)
    try:
        await upgrade_engine(engine)
        storage = JetStreamStorage(client)
        await storage.open()
        last = int((await storage.tail())["last_seq"])
        projector, there = Projector(storage, engine), asyncio.Event()
        projector.listeners.append(lambda seq, _: there.set() if seq >= last else None)
        began = time.perf_counter()
        projecting, waiting = asyncio.create_task(projector.run()), asyncio.create_task(there.wait())
        await asyncio.wait({projecting, waiting}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        taken = time.perf_counter() - began
        for task in (projecting, waiting):
            task.cancel()
        await asyncio.gather(projecting, waiting, return_exceptions=True)
        if not there.is_set():
            raise NotInTime(f"the fold of {last} commits came to no end within {taken:.0f} s")
        return last, taken
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
