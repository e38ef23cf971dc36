"""A session on a PostgreSQL server: statements whose names and values are quoted by the driver, errors as faults.

The driver, psycopg, is imported here and only when a session is opened. A statement is a constant text with `{places}`
for names and literals, or with `%(places)s` for bound values. When the coroutine is cancelled, the driver cancels the
query on the server before it lets go. Refuses to know what is done on the server.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from services.executor.operations.contract import Connection, Context, PermanentFault
from services.executor.postgres.fault import said
from services.executor.sql.target import Target

if TYPE_CHECKING:
    from psycopg import AsyncConnection


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier for a place in a statement."""

    text: str


@dataclass(frozen=True, slots=True)
class Word:
    """A keyword of ours for a place in a statement; never anything a person gave."""

    text: LiteralString


class Session:
    """An open session in autocommit mode. `where` names it in messages."""

    def __init__(self, connection: "AsyncConnection[dict[str, Any]]", where: str) -> None:
        self._connection = connection
        self.where = where
        self.version: int = connection.info.server_version
        """As the server numbers it: 150018 is 15.18."""

    async def do(self, doing: str, statement: LiteralString, /, **parts: Name | Word | str | int | None) -> None:
        """Run a statement with names and literals in its places. Raises a fault that begins with `doing`."""
        from psycopg import Error, sql  # noqa: PLC0415 - the extra may be missing

        def part(value: Name | Word | str | int | None) -> sql.Composable:
            match value:
                case Name(text):
                    return sql.Identifier(text)
                case Word(text):
                    return sql.SQL(text)
                case _:
                    return sql.Literal(value)

        composed = sql.SQL(statement).format(**{name: part(value) for name, value in parts.items()})
        try:
            await self._connection.execute(composed)
        except Error as error:
            raise said(error, self.where, doing) from None

    async def rows(self, query: LiteralString, /, **values: str | int | None) -> list[dict[str, Any]]:
        """Return what a query gives, with values bound. Raises a fault."""
        from psycopg import Error  # noqa: PLC0415 - the extra may be missing

        try:
            cursor = await self._connection.execute(query, values)
            return await cursor.fetchall()
        except Error as error:
            raise said(error, self.where, "A query") from None

    async def row(self, query: LiteralString, /, **values: str | int | None) -> dict[str, Any] | None:
        """Return the first row of a query, or None. Raises a fault."""
        found = await self.rows(query, **values)
        return found[0] if found else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Run what is inside as one: all of it, or nothing."""
        from psycopg import Error  # noqa: PLC0415 - the extra may be missing

        try:
            async with self._connection.transaction():
                yield
        except Error as error:
            raise said(error, self.where, "A transaction") from None

    def verifier(self, password: str, role: str) -> str:
        """Return what the server keeps of a password (SCRAM), so that the password itself is not sent to it."""
        made: bytes = self._connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        return made.decode()


def target(connection: Connection) -> Target:
    """Read a connection. Raises `PermanentFault` unless it is one to a PostgreSQL server."""
    found = Target.of(connection)
    if found.dialect != "postgresql":
        raise PermanentFault(
            f"Connection '{connection.name}' is no PostgreSQL server; name one that begins with postgresql://.",
            {"kind": "CONNECTION_UNFIT"},
        )
    return found


@asynccontextmanager
async def session(
    ctx: Context, name: str, *, database: str | None = None, user: str | None = None, password: str | None = None
) -> AsyncIterator[Session]:
    """Open a session by a connection's name; another database, or another user with its password, where given."""
    goal = target(await ctx.connection(name))
    try:
        from psycopg import AsyncConnection, Error  # noqa: PLC0415 - the extra may be missing
        from psycopg.rows import dict_row  # noqa: PLC0415 - likewise
    except ImportError:
        raise PermanentFault(
            'This executor has no driver psycopg: pip install "opsledger[sql-postgresql]" beside it.',
            {"kind": "NO_DRIVER", "extra": "sql-postgresql"},
        ) from None
    at = database or goal.database or goal.user
    where = f"connection '{goal.name}' ({user or goal.user}@{goal.host}:{goal.port}/{at})"
    try:
        connection = await AsyncConnection.connect(
            host=goal.host,
            port=goal.port,
            user=user or goal.user,
            password=(goal.password if user is None else password) or None,
            dbname=at,
            connect_timeout=goal.connect_seconds,
            sslmode=goal.ssl_mode,
            sslrootcert=goal.ssl_root or None,
            application_name=f"opsledger {ctx.token}",
            client_encoding="UTF8",
            autocommit=True,
            row_factory=dict_row,
        )
    except Error as error:
        raise said(error, where, "The login") from None
    try:
        yield Session(connection, where)
    finally:
        await connection.close()
