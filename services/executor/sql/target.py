"""A database to talk to, read from a connection: which kind, where, as whom.

Responsible for the URLs of databases. Refuses to know drivers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from services.executor.fault import PermanentFault
from services.executor.operations.contract import Connection

Dialect = Literal["sqlite", "postgresql", "mysql"]

CONNECT_SECONDS: Final = 10
MAX_CONNECT_SECONDS: Final = 120
SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_DIALECTS: Final[Mapping[str, Dialect]] = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}
_PORTS: Final[Mapping[Dialect, int]] = {"sqlite": 0, "postgresql": 5432, "mysql": 3306}


@dataclass(frozen=True, slots=True)
class Target:
    """Where and as whom. `database` is a path for SQLite; `connect_seconds` is how long a connect may take."""

    name: str
    dialect: Dialect
    host: str
    port: int
    user: str
    database: str
    password: str = field(repr=False)
    ssl_mode: str
    ssl_root: str
    connect_seconds: int
    create: bool

    @property
    def where(self) -> str:
        """The connection and its place in words, for messages."""
        place = self.database if self.dialect == "sqlite" else f"{self.host}:{self.port}/{self.database}"
        return f"connection '{self.name}' ({self.dialect} at {place})"

    @classmethod
    def of(cls, connection: Connection) -> "Target":
        """Read a connection. Raises `PermanentFault` that says what of its URL or options does not fit."""
        try:
            url = urlsplit(connection.url)
            port = url.port
        except ValueError as error:
            raise _unfit(connection, f"its URL cannot be read: {error}") from None
        dialect = _DIALECTS.get(url.scheme)
        if dialect is None:
            raise _unfit(connection, f"'{url.scheme}' is no database; sqlite, postgresql and mysql are")
        if url.password is not None:
            raise _unfit(connection, "its URL holds a password; keep it as the secret 'password'")
        database = _database(connection, dialect, url)
        options = connection.options
        ssl_mode = options.get("sslmode", "prefer")
        if ssl_mode not in SSL_MODES:
            raise _unfit(connection, f"its option sslmode is '{ssl_mode}'; it is one of {', '.join(SSL_MODES)}")
        return cls(
            name=connection.name,
            dialect=dialect,
            host=url.hostname or "",
            port=port or _PORTS[dialect],
            user=unquote(url.username or ""),
            database=database,
            password=connection.secrets.get("password", ""),
            ssl_mode=ssl_mode,
            ssl_root=options.get("sslrootcert", ""),
            connect_seconds=_seconds(connection),
            create=options.get("create", "").lower() in {"1", "true", "yes"},
        )


def _database(connection: Connection, dialect: Dialect, url: SplitResult) -> str:
    path = unquote(url.path)
    if dialect == "sqlite":
        if url.netloc or not PurePosixPath(path).is_absolute() or path.endswith("/") or "\0" in path:
            raise _unfit(connection, "its URL must be sqlite:///absolute/path.db")
        return path
    if not url.hostname or not url.username:
        raise _unfit(connection, f"its URL must be {dialect}://user@host:port/database")
    return path.removeprefix("/")


def _seconds(connection: Connection) -> int:
    said = connection.options.get("connect_timeout", str(CONNECT_SECONDS))
    try:
        seconds = int(float(said))
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= MAX_CONNECT_SECONDS:
        raise _unfit(connection, f"its option connect_timeout is '{said}'; it is 1 to {MAX_CONNECT_SECONDS} seconds")
    return seconds


def _unfit(connection: Connection, why: str) -> PermanentFault:
    return PermanentFault(
        f"Connection '{connection.name}' cannot be used: {why}.",
        {"kind": "CONNECTION_UNFIT", "connection": connection.name},
    )
