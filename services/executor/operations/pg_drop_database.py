"""`pg.drop_database`: drop a database that was looked at and dumped; its undo restores it from the dump.

The restore happens under a name of the token's own; the real name comes last, so a half-filled database is never shown
as whole. Refuses to drop without a dump.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from services.executor.operations.contract import Context, Operation, Params, PermanentFault
from services.executor.operations.pg_close import look, same
from services.executor.postgres.archive import restore
from services.executor.postgres.making import drop, exists, make, show, taken
from services.executor.postgres.names import ConnectionName, Database, Role, staging
from services.executor.postgres.restore import give_properties
from services.executor.postgres.session import Name, Session, session
from services.executor.postgres.state import State, database_state

_SAME = ("owner", "encoding", "collate", "ctype", "comment", "settings", "acl")


class PgDropDatabaseParams(Params):
    """What goes. Upstreams: `look` (pg.look) and `dump` (pg.dump)."""

    connection: ConnectionName
    database: Database
    role: Role


class PgDropDatabase(Operation[PgDropDatabaseParams]):
    """Drops a database that has been dumped. Its undo restores it from the dump with owner, rights and settings."""

    name: ClassVar[str] = "pg.drop_database"
    timeout: ClassVar[timedelta] = timedelta(hours=4)

    async def execute(self, ctx: Context, params: PgDropDatabaseParams) -> dict[str, Any]:
        """Drop it, if it is still the one that was dumped."""
        seen, file = look(ctx)["database"], _file(ctx)
        async with session(ctx, params.connection) as pg:
            now = await database_state(pg, params.database)
            if now is not None:
                same(now, seen, pg.where)
                await ctx.unless_cancelled(drop(pg, params.database))
        await ctx.log.write("INFO", f"Dropped database {params.database}; its dump is {file['object']}")
        return {"database": params.database, "dump": file}

    async def undo(self, ctx: Context, params: PgDropDatabaseParams, output: Any) -> None:  # noqa: ARG002 - the contract
        """Restore it, unless it was never dropped or is restored already."""
        await ctx.unless_cancelled(_bring_back(ctx, params))


async def _bring_back(ctx: Context, params: PgDropDatabaseParams) -> None:
    if not ctx.upstreams.get("look"):
        await ctx.log.write("INFO", "Nothing to undo.")
        return
    seen = look(ctx)["database"]
    staged = staging(ctx.token)
    connection = await ctx.connection(params.connection)
    async with session(ctx, params.connection) as pg:
        now = await database_state(pg, params.database)
        if now is not None:
            if now["oid"] == seen["oid"] or _alike(now, seen):
                await ctx.log.write("INFO", f"Database {params.database} is there: nothing to undo")
                return
            raise taken(pg, "database", params.database)
        file = _file(ctx)
        if await exists(pg, staged):  # half done by an attempt that was lost
            await drop(pg, staged)
        await make(pg, staged, seen)
        await restore(ctx, connection, staged, file, pg.version)

        async def finish() -> None:
            await _finish(pg, params.database, seen)

        await show(pg, staged, params.database, finish)
    await ctx.log.write("INFO", f"Restored database {params.database} from {file['object']}")


async def _finish(pg: Session, name: str, seen: State) -> None:
    await give_properties(pg, name, seen)
    # Closed, as it was when it was dropped: the undo of pg.close opens it.
    await pg.do("Closing it", "ALTER DATABASE {db} CONNECTION LIMIT 0", db=Name(name))


def _alike(now: State, seen: State) -> bool:
    return all(now[key] == seen[key] for key in _SAME)


def _file(ctx: Context) -> Mapping[str, Any]:
    made = ctx.upstreams.get("dump")
    if not isinstance(made, dict) or not isinstance(made.get("file"), dict):
        raise PermanentFault(
            "There is no dump of this database (upstream 'dump'): it is not dropped. Retry the dump, do not skip it.",
            {"kind": "NO_DUMP"},
        )
    file: Mapping[str, Any] = made["file"]
    return file
