"""A session on MySQL or MariaDB by PyMySQL: unbuffered rows, values as the server writes them.

Integers and floats alone are converted; dates (`0000-00-00` too) and decimals stay the server's text, binary columns
bytes. A running query is ended by `KILL QUERY` over a second connection.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar, Final

from services.executor.sql.connect import driver, open_mysql
from services.executor.sql.driver import MAX_NOTICES, Cause, Column, Notice, Place, Row, StatementFailed
from services.executor.sql.target import Dialect, Target

KILL_SECONDS: Final = 3
_LOST: Final = frozenset({0, 1053, 1927, 2006, 2013, 2014, 2055, 4031})
_TIMED_OUT: Final = frozenset({1969, 3024})
_IN_TRANSACTION: Final = 1


class MysqlDriver:
    """One connection."""

    dialect: ClassVar[Dialect] = "mysql"

    def __init__(self, target: Target, label: str, seconds: float) -> None:
        self._pymysql = driver("pymysql")
        self._target, self._label = target, label
        self._connection: Any = open_mysql(target, label)
        self._cursor: Any = None
        self._thread = int(self._connection.thread_id())
        self.extra_sets = 0
        kinds = self._pymysql.constants.FIELD_TYPE
        whole = (kinds.TINY, kinds.SHORT, kinds.LONG, kinds.LONGLONG, kinds.INT24, kinds.YEAR)
        self._connection.decoders = dict.fromkeys(whole, int) | dict.fromkeys((kinds.FLOAT, kinds.DOUBLE), float)
        self._types = {code: name.lower() for name, code in vars(kinds).items() if name.isupper()}
        self.server_cuts = self._limit(seconds)

    def _limit(self, seconds: float) -> bool:
        """Have the server limit statements; whether it limits all of them. What it does not, the client ends."""
        mariadb = "mariadb" in self._connection.get_server_info().lower()
        # MySQL limits SELECTs alone, and not everything that speaks its protocol has either setting
        limit = f"max_statement_time = {seconds:.3f}" if mariadb else f"max_execution_time = {round(seconds * 1000)}"
        try:
            self._connection.query(f"SET SESSION {limit}")
        except self._pymysql.MySQLError:
            return False
        return mariadb

    def execute(self, sql: str) -> list[Column] | None:
        """Begin one statement."""
        self.extra_sets = 0
        try:
            self._cursor = self._connection.cursor(self._pymysql.cursors.SSCursor)
            self._cursor.execute(sql)
        except (self._pymysql.Error, OSError, RuntimeError, UnicodeError) as error:
            raise self._failed(error) from None
        described = self._cursor.description
        if described is None:
            self._finish()
            return None
        return [Column(str(column[0]), self._types.get(column[1], str(column[1]))) for column in described]

    def rows(self) -> Iterator[Row]:
        """Give the rows of the first result set; further ones of a procedure are counted and dropped."""
        try:
            yield from self._cursor.fetchall_unbuffered()
        except (self._pymysql.Error, OSError, UnicodeError) as error:
            raise self._failed(error) from None
        self._finish()

    def discard(self) -> None:
        """Let it run to its end: ending a SELECT early would take back what its functions did."""
        try:
            self._skip()
        except (self._pymysql.Error, OSError) as error:
            raise self._failed(error) from None
        self._finish()

    def _finish(self) -> None:
        try:
            while self._cursor.nextset():
                if self._cursor.description is not None:
                    self.extra_sets += 1
                    self._skip()
        except (self._pymysql.Error, OSError) as error:
            raise self._failed(error) from None

    def _skip(self) -> None:
        """Read to the end of the result set without decoding rows; PyMySQL's own way hides a time-out from us."""
        result = self._cursor._result  # noqa: SLF001 - PyMySQL has no word for it
        while result.unbuffered_active:
            packet = self._connection._read_packet()  # noqa: SLF001 - likewise
            if result._check_packet_is_eof(packet):  # noqa: SLF001 - likewise
                result.unbuffered_active = False
                result.connection = None

    @property
    def affected(self) -> int | None:
        """How many rows the statement changed."""
        count = self._cursor.rowcount if self._cursor is not None else -1
        return int(count) if 0 <= count < 2**63 else None

    def notices(self) -> list[Notice]:
        """The statement's warnings, such as of values that were cut."""
        if self._cursor is None or not self._cursor.warning_count:
            return []
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(f"SHOW WARNINGS LIMIT {MAX_NOTICES}")
                return [Notice(f"{row[2]} [{row[1]}]", row[0] != "Note") for row in cursor.fetchall()]
        except (self._pymysql.Error, OSError) as error:
            raise self._failed(error) from None

    def place(self) -> Place:
        """Whether a transaction is open, as the server last said."""
        return Place(bool(self._connection.server_status & _IN_TRANSACTION))

    def settle(self) -> None:
        """Have a late KILL QUERY hit something harmless, and learn whether the server rolled the transaction back."""
        for _ in range(2):
            with suppress(self._pymysql.Error, OSError, AttributeError):
                self._connection.query("DO 0")
                return

    def interrupt(self) -> None:
        """Kill the running query, not the session, over a connection of its own."""
        hurried = replace(self._target, connect_seconds=min(KILL_SECONDS, self._target.connect_seconds))
        other = open_mysql(hurried, self._label)
        try:
            other.query(f"KILL QUERY {self._thread}")
        finally:
            other.close()

    def sever(self) -> None:
        """Shut the socket down."""
        with suppress(OSError, AttributeError):
            number = self._connection._sock.fileno()  # noqa: SLF001 - PyMySQL has no word for it
            with socket.socket(fileno=os.dup(number)) as raw:
                raw.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the server rolls an open transaction back."""
        self._forget()
        with suppress(self._pymysql.Error, OSError):
            self._connection.close()

    def _forget(self) -> None:
        """Let go of what is half read: PyMySQL would read it to its end when the garbage is collected, anywhere."""
        cursor, self._cursor = self._cursor, None
        if cursor is None:
            return
        cursor.connection = None
        if cursor._result is not None:  # noqa: SLF001 - PyMySQL has no word for it
            cursor._result.unbuffered_active = False  # noqa: SLF001 - likewise
            cursor._result.connection = None  # noqa: SLF001 - likewise

    def _failed(self, error: Exception) -> StatementFailed:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else -1
        said = " ".join(str(part) for part in error.args[1:]) or str(error)
        cause: Cause = "STATEMENT"
        if code in _LOST or isinstance(error, OSError) or not self._connection.open:
            cause = "SESSION_LOST"
        elif code in _TIMED_OUT:
            cause = "TIMEOUT"
        return StatementFailed(" ".join(said.split()), str(code) if code >= 0 else "", cause)
