"""Build the view anew from the log, beside the live one, and put it in its place in one transaction.

Beside means a second SQLite file, or a schema of its own on PostgreSQL. Readers see the old rows until the new ones are
there; a live projector waits for that moment and goes on behind it. Knows no row by itself: it runs a `Projector`.
"""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateSchema, CreateTable, DropSchema

from services.api.projection.checkpoint import read_checkpoint
from services.api.projection.engine import engine_for, file_of
from services.api.projection.faults import faults
from services.api.projection.projector import Projector
from services.api.projection.tables import metadata
from services.api.projection.write import Writer
from services.api.projection.write_sqlite import SqliteWriter
from shared.log.jetstream import JetStreamStorage
from shared.runtime.logging import get

log = get(__name__)

SCHEMA = "opsledger_rebuild"
LOCK = 0x6F70736C72656275
"""The key of the advisory lock: 'opslrebu'."""
BATCH = 4096
CACHE_WEIGHT = 400_000


class RebuildRunning(Exception):  # noqa: N818  a fact
    """Another process rebuilds this view now."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did: the log was folded up to `seq`, which took `seconds`."""

    seq: int
    commits: int
    set_aside: int
    seconds: float

    @property
    def rate(self) -> float:
        """Commits a second."""
        return self.commits / self.seconds if self.seconds else 0.0


async def rebuild(storage: JetStreamStorage, engine: AsyncEngine) -> Rebuilt:
    """Replace the view by the fold of the log. Raises `RebuildRunning`, `NotStored` or `ViewUnavailable`.

    The old checkpoint is not asked whether the log is the one it has seen: that is what a rebuild settles.
    """
    started = perf_counter()
    async with faults(), _beside(engine) as (shadow, writer):
        projector = Projector(storage, shadow, writer=writer, batch=BATCH, cache_weight=CACHE_WEIGHT)
        with _rare_collections():
            await projector.run(until=(await storage.tail())["last_seq"])
            async with _locked(engine, shadow) as live:
                seen = await read_checkpoint(live)
                last = int((await storage.tail())["last_seq"])
                await projector.run(until=min(seen.seq if seen is not None else 0, last))
                await _copy(live, shadow)
        found = Rebuilt(projector.position.seq, projector.commits, projector.set_aside, perf_counter() - started)
    log.info("view rebuilt", seq=found.seq, commits=found.commits, seconds=round(found.seconds, 3))
    return found


async def fold_rate(storage: JetStreamStorage, engine: AsyncEngine) -> Rebuilt:
    """Fold the whole log beside the live view, throw the result away, and return how fast it went."""
    async with faults(), _beside(engine) as (shadow, writer):
        projector = Projector(storage, shadow, writer=writer, batch=BATCH, cache_weight=CACHE_WEIGHT)
        started = perf_counter()
        with _rare_collections():
            await projector.run(until=(await storage.tail())["last_seq"])
        return Rebuilt(projector.position.seq, projector.commits, projector.set_aside, perf_counter() - started)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the garbage collector look less often: tasks hold no cycles, and looking at them all takes half the time."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@asynccontextmanager
async def _beside(engine: AsyncEngine) -> AsyncIterator[tuple[AsyncEngine, Writer]]:
    """Lend an empty view beside the live one, with its writer; it is gone when the block ends."""
    live = file_of(engine.url)
    guard: Writer
    writer: Writer
    if live is not None:
        path = live.with_name(f"{live.name}.rebuild")
        shadow = engine_for(engine.url.set(database=str(path)))
        event.listen(shadow.sync_engine, "connect", lambda raw, _: raw.cursor().execute("PRAGMA synchronous = OFF"))
        guard = SqliteWriter(engine, lock_name="rebuild.lock")
        writer = SqliteWriter(shadow, lock_name="rebuild-projector.lock")
    else:
        from services.api.projection.write_postgres import PostgresWriter  # noqa: PLC0415  an optional part

        path = None
        shadow = engine_for(engine.url, schema=SCHEMA, patience=None)
        guard = PostgresWriter(engine, lock=LOCK)
        writer = PostgresWriter(shadow, lock=LOCK + 1)
    try:
        if not await guard.take():
            raise RebuildRunning("Another process rebuilds this view now.")
        await _clear(engine, path)
        if path is None:
            async with engine.begin() as connection:
                await connection.execute(CreateSchema(SCHEMA))
        async with shadow.begin() as connection:
            for table in metadata.sorted_tables:  # without their indexes: nobody asks these tables anything
                await connection.execute(CreateTable(table))
        yield shadow, writer
        await shadow.dispose()
        await _clear(engine, path)
    finally:
        await shadow.dispose()
        await guard.release()


async def _clear(engine: AsyncEngine, path: Path | None) -> None:
    if path is None:
        async with engine.begin() as connection:
            await connection.execute(DropSchema(SCHEMA, cascade=True, if_exists=True))
        return
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


@asynccontextmanager
async def _locked(engine: AsyncEngine, shadow: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Lend a transaction on the live view in which nobody else can write it; it is committed with the block."""
    patient = engine_for(engine.url, patience=None)
    async with _disposed(patient), patient.connect() as connection:
        if patient.dialect.name == "sqlite":
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None  # noqa: S101  it is connected
            await driver.execute("ATTACH DATABASE ? AS rebuilt", (shadow.url.database,))
            try:
                await connection.execute(text("DELETE FROM main.counts"))  # the first write takes the lock
                yield connection
                await connection.commit()
            finally:
                await connection.rollback()
                await driver.execute("DETACH DATABASE rebuilt")
        else:
            await connection.execute(text("LOCK TABLE checkpoint IN EXCLUSIVE MODE"))
            yield connection
            await connection.commit()


@asynccontextmanager
async def _disposed(engine: AsyncEngine) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await engine.dispose()


async def _copy(live: AsyncConnection, shadow: AsyncEngine) -> None:
    sqlite = shadow.dialect.name == "sqlite"
    here, there = ("main.", "rebuilt.") if sqlite else ("", f"{SCHEMA}.")
    for table in metadata.sorted_tables:
        names = ", ".join(column.name for column in table.columns)
        await live.execute(text(f"DELETE FROM {here}{table.name}"))  # noqa: S608  our own names
        await live.execute(
            text(f"INSERT INTO {here}{table.name} ({names}) SELECT {names} FROM {there}{table.name}")  # noqa: S608
        )
