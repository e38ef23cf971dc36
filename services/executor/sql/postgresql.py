"""A session on PostgreSQL by psycopg: rows arrive in small chunks, values as the server writes them.

Statements travel by the extended protocol, so one text is one statement; numbers and booleans alone are converted,
everything else stays the server's text (`infinity`, years beyond 9999, exact decimals, arrays, JSON).
"""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar, Final

from services.executor.fault import PermanentFault
from services.executor.sql.connect import driver, open_postgresql
from services.executor.sql.driver import MAX_NOTICES, Column, Notice, Place, Row, StatementFailed
from services.executor.sql.target import Dialect, Target

CHUNK_ROWS: Final = 32
CANCEL_SECONDS: Final = 3.0
_KEPT_AS_VALUES: Final = frozenset({"bool", "int2", "int4", "int8", "oid", "float4", "float8"})
_LOST: Final = ("08", "57P01", "57P02", "57P03", "57P05")


class PostgresqlDriver:
    """One connection."""

    dialect: ClassVar[Dialect] = "postgresql"
    server_cuts: ClassVar[bool] = True
    extra_sets: ClassVar[int] = 0

    def __init__(self, target: Target, label: str, seconds: float) -> None:
        self._psycopg = driver("psycopg")
        self._connection: Any = open_postgresql(target, label)
        self._target = target
        self._first: Any = None
        self._last: Any = None
        self._notices: list[Notice] = []
        self._prepare(seconds)

    def _prepare(self, seconds: float) -> None:
        connection = self._connection
        connection.add_notice_handler(self._notice)
        for info in connection.adapters.types:
            if info.name not in _KEPT_AS_VALUES:
                connection.adapters.register_loader(info.oid, self._psycopg.types.string.TextLoader)
            if info.array_oid:
                connection.adapters.register_loader(info.array_oid, self._psycopg.types.string.TextLoader)
        try:
            connection.execute(f"SET statement_timeout = {max(1, round(seconds * 1000))}")
        except self._psycopg.Error as error:
            self.close()
            raise PermanentFault(f"No session on {self._target.where}: {_said(error, '')}.") from None
        with suppress(self._psycopg.Error):  # not before PostgreSQL 14, and not everywhere
            connection.execute("SET client_connection_check_interval = '2s'")

    def execute(self, sql: str) -> list[Column] | None:
        """Begin one statement and wait for its first answer."""
        self._last, self._sql, self._notices = None, sql, []
        pg = self._connection.pgconn
        try:
            pg.send_query_params(sql.encode(), None)
            pg.set_chunked_rows_mode(CHUNK_ROWS)
            self._connection.wait(self._psycopg.generators.send(pg))
            self._first = self._next()
        except (self._psycopg.Error, UnicodeError) as error:
            raise self._failed(error) from None
        if self._first is None or self._first.nfields == 0:
            self._drain()
            return None
        types = self._connection.adapters.types
        found = []
        for place in range(self._first.nfields):
            info = types.get(self._first.ftype(place))
            name = (self._first.fname(place) or b"").decode(errors="replace")
            found.append(Column(name, info.name if info else str(self._first.ftype(place))))
        return found

    def _next(self) -> Any:
        """The next result, or None when the server is ready for another statement; raises what it complains of."""
        result = self._connection.wait(self._psycopg.generators.fetch(self._connection.pgconn))
        if result is None:
            return None
        status, known = result.status, self._psycopg.pq.ExecStatus
        if status in {known.COPY_IN, known.COPY_OUT, known.COPY_BOTH}:
            self.sever()
            raise self._psycopg.OperationalError("COPY from and to the client is not possible in a script")
        if status == known.FATAL_ERROR:
            self._drain()
            raise self._psycopg.errors.error_from_result(result, encoding="utf-8")
        if status in {known.TUPLES_OK, known.COMMAND_OK, known.EMPTY_QUERY}:
            self._last = result
        return result

    def _drain(self) -> None:
        with suppress(self._psycopg.Error):
            while self._connection.wait(self._psycopg.generators.fetch(self._connection.pgconn)) is not None:
                pass

    def rows(self) -> Iterator[Row]:
        """Give the rows."""
        result, self._first = self._first, None
        loading = self._psycopg.adapt.Transformer(self._connection)
        known = False
        try:
            while result is not None:
                if result.ntuples:
                    loading.set_pgresult(result, set_loaders=not known)
                    known = True
                    yield from loading.load_rows(0, result.ntuples, tuple)
                result = self._next()
        except (self._psycopg.Error, UnicodeError) as error:
            raise self._failed(error) from None

    def discard(self) -> None:
        """Let it run to its end: ending a SELECT early would take back what its functions did."""
        self._first = None
        try:
            while self._next() is not None:
                pass
        except self._psycopg.Error as error:
            raise self._failed(error) from None

    @property
    def affected(self) -> int | None:
        """How many rows the statement changed."""
        count = self._last.command_tuples if self._last is not None else None
        return int(count) if count is not None else None

    def _notice(self, diagnostic: Any) -> None:
        if len(self._notices) < MAX_NOTICES:
            warning = diagnostic.severity_nonlocalized == "WARNING"
            self._notices.append(Notice(diagnostic.message_primary or "", warning))

    def notices(self) -> list[Notice]:
        """What RAISE NOTICE, or the server by itself, had to say."""
        said, self._notices = self._notices, []
        return said

    def place(self) -> Place:
        """Whether a transaction is open, and whether it can only be rolled back."""
        status, known = self._connection.info.transaction_status, self._psycopg.pq.TransactionStatus
        return Place(status in {known.INTRANS, known.INERROR, known.ACTIVE}, status == known.INERROR)

    def settle(self) -> None:
        """Nothing: the server ignores a cancel that comes between two statements."""

    def interrupt(self) -> None:
        """Ask the server to cancel the running statement, over a connection of its own."""
        self._connection.cancel_safe(timeout=CANCEL_SECONDS)

    def sever(self) -> None:
        """Shut the socket down."""
        with suppress(self._psycopg.Error, OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as raw:
            raw.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the server rolls an open transaction back."""
        with suppress(self._psycopg.Error):
            self._connection.close()

    def _failed(self, error: Exception) -> StatementFailed:
        code = str(getattr(error, "sqlstate", None) or "")
        lost = self._connection.closed or code.startswith(_LOST)
        return StatementFailed(_said(error, self._sql), code, "SESSION_LOST" if lost else "STATEMENT")


def _said(error: Any, sql: str) -> str:
    """What the server said: message, detail, hint, and the line of the statement it points to."""
    diag = getattr(error, "diag", None)
    if diag is None or not diag.message_primary:
        return " ".join(str(error).split())
    parts = [diag.message_primary]
    if diag.statement_position and sql:
        parts[0] += f" (line {sql[: int(diag.statement_position) - 1].count(chr(10)) + 1})"
    parts += [part for part in (diag.message_detail, diag.message_hint) if part]
    return ". ".join(part.rstrip(".") for part in parts)
