"""Which writer a database takes. PostgreSQL's driver is an optional part, imported when it is needed."""

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.projection.write import Writer
from services.api.projection.write_sqlite import SqliteWriter


def writer_for(engine: AsyncEngine) -> Writer:
    """Return the writer for the engine's database."""
    if engine.dialect.name == "sqlite":
        return SqliteWriter(engine)
    from services.api.projection.write_postgres import PostgresWriter  # noqa: PLC0415  an optional part

    return PostgresWriter(engine)
