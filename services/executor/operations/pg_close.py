"""`pg.close`: let nobody into a tenant's database any more and end the sessions that are there.

What was allowed before stands in the output of `pg.look`, its upstream. Superusers are let in as always in PostgreSQL;
a connection that is no superuser's leaves room for one session, its own dump.
"""

from datetime import timedelta
from typing import Any, ClassVar

from services.executor.operations.contract import Context, Operation, Params, PermanentFault, TransientFault
from services.executor.postgres.making import sessions
from services.executor.postgres.names import ConnectionName, Database, Role
from services.executor.postgres.session import Name, session
from services.executor.postgres.state import State, database_state, role_state

_CLOSED = (0, 1)
"""The limit of a closed database: for a superuser, who is exempt, and for one who needs a session for the dump."""


class PgCloseParams(Params):
    """Whose logins end."""

    connection: ConnectionName
    database: Database
    role: Role


class PgClose(Operation[PgCloseParams]):
    """Forbids new connections to a database and its role and ends those that are open. Its undo allows them again."""

    name: ClassVar[str] = "pg.close"
    timeout: ClassVar[timedelta] = timedelta(minutes=5)

    async def execute(self, ctx: Context, params: PgCloseParams) -> dict[str, Any]:
        """Forbid logins in one transaction, then end what is open."""
        return await ctx.unless_cancelled(_close(ctx, params))

    async def undo(self, ctx: Context, params: PgCloseParams, output: Any) -> None:  # noqa: ARG002 - the contract
        """Allow what was allowed before."""
        if not ctx.upstreams.get("look"):
            await ctx.log.write("INFO", "Nothing to undo.")
            return
        seen = look(ctx)
        async with session(ctx, params.connection) as pg, pg.transaction():
            limit = int(seen["database"]["connection_limit"])
            doing = "Opening it again"
            database, role = await database_state(pg, params.database), await role_state(pg, params.role)
            if database is not None and database["connection_limit"] in _CLOSED:
                await pg.do(doing, "ALTER DATABASE {db} CONNECTION LIMIT {n}", db=Name(params.database), n=limit)
            if role is not None and seen["role"]["login"]:
                await pg.do(doing, "ALTER ROLE {role} LOGIN", role=Name(params.role))
        await ctx.log.write("INFO", f"{params.role} may log in to {params.database} again")


async def _close(ctx: Context, params: PgCloseParams) -> dict[str, Any]:
    seen = look(ctx)
    async with session(ctx, params.connection) as pg:
        me = await pg.row("SELECT rolsuper AS super FROM pg_roles WHERE rolname = current_user")
        room = _CLOSED[0] if me is not None and me["super"] else _CLOSED[1]
        async with pg.transaction():
            doing = f"Closing {params.database}"
            same(await database_state(pg, params.database), seen["database"], pg.where)
            await pg.do(doing, "ALTER ROLE {role} NOLOGIN", role=Name(params.role))
            await pg.do(doing, "ALTER DATABASE {db} CONNECTION LIMIT {n}", db=Name(params.database), n=room)
        ended = await sessions(pg, params.database)
        await pg.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = %(name)s AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
            name=params.database,
        )
        left = await sessions(pg, params.database)
    if left:
        raise TransientFault(
            f"{left} sessions on {params.database} do not end, or a superuser opens new ones: end them, then retry.",
            {"kind": "SESSIONS_LEFT", "sessions": left},
        )
    await ctx.log.write("INFO", f"{params.database} takes no connections; {ended} sessions ended")
    return {"ended": ended}


def look(ctx: Context) -> dict[str, State]:
    """Return what `pg.look` recorded. Raises `PermanentFault` when it is not an upstream."""
    found = ctx.upstreams.get("look")
    if not isinstance(found, dict) or not found.get("role"):
        raise PermanentFault("This step needs the output of pg.look as its upstream 'look'.", {"kind": "NO_LOOK"})
    return found


def same(now: State | None, then: State, where: str) -> None:
    """Raise `PermanentFault` unless the server still has the very thing that was looked at."""
    if now is None or now["oid"] != then["oid"]:
        raise PermanentFault(
            f"'{then['name']}' at {where} is not what was looked at: somebody removed or replaced it since. Nothing "
            f"was changed; start a new task if this one is to go too.",
            {"kind": "REPLACED", "name": then["name"]},
        )
