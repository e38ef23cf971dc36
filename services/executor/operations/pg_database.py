"""`pg.database`: a database for an owner, whole and marked or not there at all.

Refuses to know rights and limits: `pg.grants`, `pg.limit`.
"""

from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from services.executor.operations.contract import Context, Operation, Params
from services.executor.postgres.making import drop, exists, make, not_ours, sessions, show, taken
from services.executor.postgres.names import ConnectionName, Database, PgName, mark, print_of, staging
from services.executor.postgres.session import Name, Session, session

Locale = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]{1,63}$")] | None,
    Field(description="How texts sort and count as letters; as the server's template0 if not given."),
]
Encoding = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,30}$"),
    Field(description="How texts are kept; PostgreSQL's word."),
]
Tablespace = Annotated[PgName | None, Field(description="Where its files lie; as the server's default if not given.")]


class PgDatabaseParams(Params):
    """Which database, whose, and what its texts are like. Without a locale it has the server's."""

    connection: ConnectionName
    database: Database
    owner: Annotated[PgName, Field(description="The role whose it is.")]
    encoding: Encoding = "UTF8"
    locale: Locale = None
    tablespace: Tablespace = None


class PgDatabase(Operation[PgDatabaseParams]):
    """Creates a PostgreSQL database for a role. Its undo drops it, with the sessions on it."""

    name: ClassVar[str] = "pg.database"
    timeout: ClassVar[timedelta] = timedelta(minutes=15)

    async def execute(self, ctx: Context, params: PgDatabaseParams) -> dict[str, Any]:
        """Make it under a name of this step's, then rename and mark it in one transaction."""
        return await ctx.unless_cancelled(_create(ctx, params))

    async def undo(self, ctx: Context, params: PgDatabaseParams, output: Any) -> None:
        """Drop it if it carries this step's mark; sessions on it are ended."""
        await ctx.unless_cancelled(_remove(ctx, params, finished=output is not None))


async def _create(ctx: Context, params: PgDatabaseParams) -> dict[str, Any]:
    staged = staging(ctx.token)
    async with session(ctx, params.connection) as pg:
        label = await _label(ctx, pg, params.owner)
        comment = await _comment(pg, params.database)
        if comment is not None and comment != label:
            raise taken(pg, "database", params.database)
        if comment is None:
            if not await exists(pg, staged):
                await make(pg, staged, _wanted(params))

            async def sign() -> None:
                name = Name(params.database)
                await pg.do("Marking the database", "COMMENT ON DATABASE {db} IS {text}", db=name, text=label)

            await show(pg, staged, params.database, sign)
            await ctx.log.write("INFO", f"Created database {params.database} for {params.owner}")
        else:
            await ctx.log.write(
                "INFO", f"Database {params.database} is there already, made by an earlier attempt at this step"
            )
        return {"database": params.database, "owner": params.owner, "mark": label}


def _wanted(params: PgDatabaseParams) -> dict[str, Any]:
    return {
        "name": params.database,
        "owner": params.owner,
        "encoding": params.encoding,
        "collate": params.locale,
        "ctype": params.locale,
        "tablespace": params.tablespace,
    }


async def _remove(ctx: Context, params: PgDatabaseParams, *, finished: bool) -> None:
    async with session(ctx, params.connection) as pg:
        await drop(pg, staging(ctx.token))
        comment = await _comment(pg, params.database)
        if comment is None:
            ctx.log.info("Nothing to undo.")
        elif comment == await _label(ctx, pg, params.owner):
            ended = await sessions(pg, params.database)
            await drop(pg, params.database)
            await ctx.log.write(
                "INFO", f"Dropped database {params.database}{f' and ended {ended} sessions on it' if ended else ''}"
            )
        elif finished:
            raise not_ours(pg, "database", params.database)
        else:
            await ctx.log.write("INFO", f"Database {params.database} is not this task's and is left as it is")


async def _label(ctx: Context, pg: Session, owner: str) -> str:
    found = await pg.row(
        "SELECT shobj_description(oid, 'pg_authid') AS c FROM pg_roles WHERE rolname = %(role)s", role=owner
    )
    return mark(ctx.token, print_of(found["c"] if found else None))


async def _comment(pg: Session, database: str) -> str | None:
    """Return a database's comment, empty where it has none; None where there is no database."""
    found = await pg.row(
        "SELECT coalesce(shobj_description(oid, 'pg_database'), '') AS c FROM pg_database WHERE datname = %(name)s",
        name=database,
    )
    return str(found["c"]) if found else None
