"""Make a database under a name of the token's own first, and show it under its real name when it is complete.

CREATE DATABASE cannot be part of a transaction, but a rename with the comment that says whose it is can: so a database
of the real name is either not there, or whole and marked, whatever dies in between.
"""

from collections.abc import Awaitable, Callable
from typing import LiteralString

from services.executor.operations.contract import PermanentFault
from services.executor.postgres.session import Name, Session
from services.executor.postgres.state import State

_WITH_PROVIDER = 150000
_TAKEN = "42P04"
_DEFAULT_TABLESPACE = "pg_default"
"""That of template0; to name it needs a right that to use it does not."""


async def make(pg: Session, name: str, like: State) -> None:
    """Create an empty database with the owner, encoding, locale and tablespace of `like`. Raises a fault."""
    parts: dict[str, Name | str | int | None] = {"db": Name(name), "owner": Name(like["owner"])}
    statement: LiteralString = "CREATE DATABASE {db} OWNER {owner} TEMPLATE template0"
    parts["encoding"] = like["encoding"]
    statement += " ENCODING {encoding}"
    if like.get("collate"):
        parts["collate"] = like["collate"]
        statement += " LC_COLLATE {collate}"
    if like.get("ctype"):
        parts["ctype"] = like["ctype"]
        statement += " LC_CTYPE {ctype}"
    provider = like.get("provider", "c")
    if pg.version >= _WITH_PROVIDER and provider in {"i", "b"}:
        parts["locale"] = like["locale"]
        statement += (
            " LOCALE_PROVIDER icu ICU_LOCALE {locale}"
            if provider == "i"
            else " LOCALE_PROVIDER builtin BUILTIN_LOCALE {locale}"
        )
    if like.get("tablespace") not in {None, _DEFAULT_TABLESPACE}:
        parts["tablespace"] = Name(like["tablespace"])
        statement += " TABLESPACE {tablespace}"
    await pg.do(f"Creating database {like['name']}", statement, **parts)


async def show(pg: Session, staged: str, name: str, finish: Callable[[], Awaitable[None]]) -> None:
    """Give the staged database its real name, and do `finish` in the same transaction. Raises a fault."""
    try:
        async with pg.transaction():
            await pg.do(
                f"Naming database {name}", "ALTER DATABASE {staged} RENAME TO {db}", staged=Name(staged), db=Name(name)
            )
            await finish()
    except PermanentFault as error:
        if error.detail.get("sqlstate") == _TAKEN:
            await drop(pg, staged)
            raise taken(pg, "database", name) from None
        raise


async def exists(pg: Session, name: str) -> bool:
    """Whether there is a database of this name."""
    return await pg.row("SELECT 1 AS x FROM pg_database WHERE datname = %(name)s", name=name) is not None


async def drop(pg: Session, name: str) -> None:
    """Drop a database if it is there, with the sessions on it. Raises a fault."""
    await pg.do(f"Dropping database {name}", "DROP DATABASE IF EXISTS {db} WITH (FORCE)", db=Name(name))


async def sessions(pg: Session, name: str) -> int:
    """Return how many sessions of clients are on a database."""
    found = await pg.row(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = %(name)s AND backend_type = 'client backend'",
        name=name,
    )
    return int(found["n"]) if found else 0


def taken(pg: Session, what: str, name: str) -> PermanentFault:
    """Return the fault of a name that somebody else's role or database has."""
    return PermanentFault(
        f"There is a {what} '{name}' at {pg.where} that this task did not make: it is left as it is. Choose another "
        f"name, or remove it first (tenant.drop does, with a dump).",
        {"kind": "NAME_TAKEN", "what": what, "name": name},
    )


def not_ours(pg: Session, what: str, name: str) -> PermanentFault:
    """Return the fault of an undo that finds something of the name without this task's mark."""
    return PermanentFault(
        f"The {what} '{name}' at {pg.where} does not carry this task's mark any more: it is left as it is. See whose "
        f"it is, remove it by hand if it is to go, and skip this step.",
        {"kind": "NOT_OURS", "what": what, "name": name},
    )
