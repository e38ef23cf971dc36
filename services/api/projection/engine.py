"""Connections to the view's database, SQLite or PostgreSQL. Knows settings, no tables."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, FromClause, event, make_url
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
}

_PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a checkpoint that was told is kept (T1)
    "PRAGMA foreign_keys = OFF",
    "PRAGMA cache_size = -32768",
    "PRAGMA mmap_size = 2147418112",  # the most there is; a list of a million tasks reads all over 3 GB
    "PRAGMA temp_store = MEMORY",
)

BEGIN = "opsledger_begin"
"""Execution option: how a transaction begins on SQLite; DEFERRED unless told."""

_POSTGRES_SETTINGS = {
    "application_name": "opsledger",
    "jit": "off",
    "timezone": "UTC",
    "tcp_keepalives_idle": "10",  # a lock whose holder vanished is free within half a minute
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


class _Compiler(SQLiteCompiler):
    """Writes a hint behind its table's name: SQLite has `INDEXED BY`, which SQLAlchemy leaves out."""

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:  # noqa: ARG002  an override
        """Return the hint."""
        return text


def normal(url: str | URL) -> URL:
    """Return the URL with the driver that plain `sqlite:` and `postgresql:` leave out."""
    found = make_url(url)
    return found.set(drivername=DRIVERS.get(found.drivername, found.drivername))


def engine_for(url: str | URL, *, schema: str | None = None, patience: float | None = 60.0) -> AsyncEngine:
    """Return an engine. On PostgreSQL, `schema` is where tables are looked for instead of its default.

    `patience` is how long (s) PostgreSQL may take for one statement; None: as long as it needs, for jobs.
    """
    found = normal(url)
    if found.get_backend_name() == "sqlite":
        engine = create_async_engine(found)
        engine.dialect.statement_compiler = _Compiler
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", _begin)
        return engine
    settings = dict(_POSTGRES_SETTINGS)
    if schema is not None:
        settings["search_path"] = schema
    return create_async_engine(
        found,
        pool_pre_ping=True,
        connect_args={"server_settings": settings, "timeout": 5, "command_timeout": patience},
    )


def file_of(url: URL) -> Path | None:
    """Return the file of a SQLite database, or None."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _prepare(connection: Any, _record: Any) -> None:
    """Set a SQLite connection up, and take transactions into our own hands: the driver would begin them late."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(BEGIN, 'DEFERRED')}")
