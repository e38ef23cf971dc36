"""The writer on SQLite. The lock is on a file beside the database, so that one process of the host projects."""

import contextlib
import fcntl
import sqlite3
from typing import IO, Any

import aiosqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.api.projection import write
from services.api.projection.audit_table import audit
from services.api.projection.checkpoint import Checkpoint, read_checkpoint
from services.api.projection.engine import file_of
from services.api.projection.faults import ViewUnavailable, faults
from services.api.projection.fold import Batch
from services.api.projection.tables import set_aside, subtasks, task_labels, tasks
from services.api.projection.text import micros
from services.api.projection.write import Displaced, RowSet, Unwritable, rows_of
from shared.runtime.failpoint import hit

LOCK_NAME = "projector.lock"

_REFUSALS = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeError,
)


class SqliteWriter:
    """Writes over one connection of the engine's; `lock_name` is a file beside the database."""

    def __init__(self, engine: AsyncEngine, *, lock_name: str = LOCK_NAME) -> None:
        self._engine = engine
        self._lock_name = lock_name
        self._lock: IO[str] | None = None
        self._held: AsyncConnection | None = None
        self._statements = {
            "new_tasks": write.insert(tasks, numbered=False),
            "labels": write.insert(task_labels, numbered=False),
            "tasks": write.update_task(numbered=False),
            "new_subtasks": write.insert(subtasks, numbered=False),
            "subtasks": write.update_subtask(numbered=False),
            "counts": write.count(numbered=False),
            "set_aside": write.insert(set_aside, numbered=False),
            "audit": write.insert(audit, numbered=False),
            "sync_counts": write.sync_count(numbered=False),
        }

    async def take(self) -> bool:
        """Become the writer unless somebody else is."""
        path = file_of(self._engine.url)
        if path is None or self._lock is not None:
            return True
        async with faults():
            lock = path.with_name(self._lock_name).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the view has come."""
        return await read_checkpoint(self._engine)

    async def write(self, batch: Batch, before: Checkpoint | None, after: Checkpoint) -> None:
        """Write rows and checkpoint in one transaction."""
        rows = rows_of(batch, micros)
        async with faults():
            connection = await self._connection()
            await connection.execute("BEGIN IMMEDIATE")
            try:
                await self._transact(connection, rows, *write.advance(before, after, numbered=False))
                await connection.commit()
            except BaseException as error:
                await connection.rollback()
                if isinstance(error, _REFUSALS):
                    raise Unwritable(f"{type(error).__name__}: {error}") from error
                raise

    async def release(self) -> None:
        """Stop being the writer."""
        held, self._held = self._held, None
        with contextlib.suppress(ViewUnavailable):
            async with faults():
                if held is not None:
                    await held.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    async def _transact(
        self, connection: aiosqlite.Connection, rows: RowSet, advance: str, moved: tuple[Any, ...]
    ) -> None:
        cursor = await connection.execute(advance, moved)
        if cursor.rowcount != 1:
            raise Displaced("the checkpoint is not where this process left it")
        for name, statement in self._statements.items():
            values = getattr(rows, name)
            if values:
                await connection.executemany(statement, values)
        hit("projector.rows")

    async def _connection(self) -> aiosqlite.Connection:
        if self._held is None:
            self._held = await self._engine.connect()
        driver = (await self._held.get_raw_connection()).driver_connection
        assert isinstance(driver, aiosqlite.Connection)  # noqa: S101  engine_for chose the driver
        return driver
