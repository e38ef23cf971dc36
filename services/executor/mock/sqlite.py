"""SQLite: one writer at a time, a file, and the interrupt of its own library."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from services.executor.fault import Fault
from services.executor.mock.conflict import conflict, refused, unsteady
from services.executor.mock.inserting import Inserting
from services.executor.mock.params import Strategy
from services.executor.mock.schema import Table
from services.executor.mock.schema_sqlite import inspect
from services.executor.sql.target import Target

BEAT_MS = 200
_TRANSIENT = ("locked", "busy", "full", "disk i/o")


class SQLite(Inserting):
    """One connection to a file."""

    mark: ClassVar[str] = "?"
    old: ClassVar[str] = "made_at < datetime('now', '-30 days')"

    def __init__(self, raw: Any, target: Target) -> None:
        super().__init__(raw, target)
        self._stopped = False
        self.run("PRAGMA foreign_keys = ON")
        self.run(f"PRAGMA busy_timeout = {BEAT_MS}")

    def inspect(self, schema: str | None, name: str) -> Table:
        """Read the schema."""
        return inspect(self, schema, name)

    def begin(self) -> None:
        """Begin as the one writer; another one is waited for as long as the connection says."""
        self._patiently(lambda: self.run("BEGIN IMMEDIATE"))

    def prepare(self, table: Table) -> None:
        """Make the table of marks."""
        self._patiently(lambda: super(SQLite, self).prepare(table))

    def forget(self, table: Table, subtask: str) -> None:
        """Remove marks nobody needs."""
        self._patiently(lambda: super(SQLite, self).forget(table, subtask))

    def on_conflict(
        self,
        strategy: Strategy,
        key: tuple[str, ...] | None,
        columns: Sequence[str],  # noqa: ARG002 - the port's signature
        others: Sequence[str],
    ) -> str:
        """ON CONFLICT as SQLite spells it."""
        if strategy == "IGNORE" or key is None or not others:
            return "ON CONFLICT DO NOTHING"
        change = ", ".join(f"{self.name(column)} = excluded.{self.name(column)}" for column in others)
        return f"ON CONFLICT ({self.names(key)}) DO UPDATE SET {change}"

    def interrupt(self) -> None:
        """Stop the statement, and the wait for another writer."""
        self._stopped = True
        self.raw.interrupt()

    def _patiently(self, work: Callable[[], object]) -> None:
        """Wait for another writer in short beats: SQLite's own wait hears no interrupt."""
        until = time.monotonic() + self.target.connect_seconds
        while True:
            try:
                work()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or self._stopped or time.monotonic() > until:
                    raise
            else:
                return

    def fault(self, error: Exception, table: str) -> Fault | None:
        """Sort by what it says: SQLite has few classes of errors."""
        if not isinstance(error, sqlite3.Error):
            return None
        said, code = str(error), getattr(error, "sqlite_errorname", "")
        if code in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID"}:
            return conflict(table, said)
        if any(word in said.lower() for word in _TRANSIENT):
            return unsteady(self.target, table, said, code)
        return refused(self.target, table, said, code)
