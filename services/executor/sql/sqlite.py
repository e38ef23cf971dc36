"""A session on a SQLite file. There is no server: the statement is ended from here, by `interrupt`."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar

from services.executor.sql.connect import open_sqlite
from services.executor.sql.driver import Column, Notice, Place, Row, StatementFailed
from services.executor.sql.target import Dialect, Target

MANY = 64
BUSY_MS = 200
"""How long SQLite itself waits for a lock: an interrupt does not wake it."""


class SqliteDriver:
    """One connection to one file."""

    dialect: ClassVar[Dialect] = "sqlite"
    server_cuts: ClassVar[bool] = False
    extra_sets: ClassVar[int] = 0

    def __init__(self, target: Target) -> None:
        self._connection = open_sqlite(target)
        self._connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        self._patience = target.connect_seconds
        self._cursor: sqlite3.Cursor | None = None
        self._stopped = False

    def execute(self, sql: str) -> list[Column] | None:
        """Begin one statement; while others hold the file's lock it is tried for as long as a connect may take."""
        self._stopped = False
        until = time.monotonic() + self._patience
        while True:
            try:
                self._cursor = self._connection.execute(sql)
                break
            except (sqlite3.Error, sqlite3.Warning) as error:
                busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or self._stopped or time.monotonic() > until:
                    raise _failed(error) from None
        described = self._cursor.description
        return None if described is None else [Column(str(column[0]), "") for column in described]

    def rows(self) -> Iterator[Row]:
        """Give the rows."""
        try:
            while self._cursor is not None and (some := self._cursor.fetchmany(MANY)):
                yield from some
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _failed(error) from None

    def discard(self) -> None:
        """Stop here: reading has no effect, and what writes has written everything before its first row."""
        if self._cursor is not None:
            self._cursor.close()

    @property
    def affected(self) -> int | None:
        """How many rows the statement changed."""
        count = self._cursor.rowcount if self._cursor is not None else -1
        return count if count >= 0 else None

    def notices(self) -> list[Notice]:
        """Nothing: SQLite says what it has to say as an error."""
        return []

    def place(self) -> Place:
        """Whether a BEGIN waits for its end."""
        return Place(self._connection.in_transaction)

    def settle(self) -> None:
        """Nothing: an interrupt touches running statements only."""

    def interrupt(self) -> None:
        """End the running statement."""
        self._stopped = True
        with suppress(sqlite3.ProgrammingError):  # closed already
            self._connection.interrupt()

    def sever(self) -> None:
        """Interrupt once more; there is no connection to cut."""
        self.interrupt()

    def close(self) -> None:
        """Close the file; an open transaction is rolled back."""
        with suppress(sqlite3.Error):
            self._connection.close()


def _failed(error: Any) -> StatementFailed:
    code = getattr(error, "sqlite_errorname", "") or type(error).__name__
    return StatementFailed(str(error), code)
