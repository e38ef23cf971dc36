"""One name for a database that is away, whichever driver says so. Knows no statement."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class ViewUnavailable(Exception):  # noqa: N818  what the world did
    """The database cannot be reached, is locked or full, or lacks its tables (P15)."""


def is_fault(error: BaseException) -> bool:
    """Return whether the error is the database's. asyncpg, an optional part, is known by its name."""
    if isinstance(error, (DBAPIError, PoolTimeout, sqlite3.Error, OSError)):
        return True
    return type(error).__module__.partition(".")[0] == "asyncpg"


@asynccontextmanager
async def faults() -> AsyncIterator[None]:
    """Raise the database's faults within the block as `ViewUnavailable`."""
    try:
        yield
    except Exception as error:
        if is_fault(error):
            raise ViewUnavailable(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}") from error
        raise


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Lend a connection in a transaction that ends with the block. Raises `ViewUnavailable`."""
    async with faults(), engine.connect() as connection:
        yield connection
