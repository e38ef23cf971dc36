"""`pg.look`: read what a tenant is before it goes, and refuse what must not go.

Its output stands in the log before anything is changed, so an undo of what follows knows the former state, whatever
dies. The password and its hash go into one secret (`kept`), never into the output.
"""

import json
from datetime import timedelta
from typing import Any, ClassVar

from services.executor.operations.contract import Context, Operation, Params, PermanentFault, Secret
from services.executor.postgres.making import sessions
from services.executor.postgres.names import ConnectionName, Database, KeptSecret, Role
from services.executor.postgres.session import Session, session, target
from services.executor.postgres.state import State, database_state, in_the_way, role_hash, role_state


class PgLookParams(Params):
    """`secret` is where the tenant's password may be, `kept` where it and its hash are put aside for an undo."""

    connection: ConnectionName
    database: Database
    role: Role
    secret: Secret
    kept: KeptSecret


class PgLook(Operation[PgLookParams]):
    """Records a role and its database as they are, and refuses those that must not or cannot be dropped."""

    name: ClassVar[str] = "pg.look"
    timeout: ClassVar[timedelta] = timedelta(minutes=5)

    async def execute(self, ctx: Context, params: PgLookParams) -> dict[str, Any]:
        """Read role and database; put the password aside."""
        return await ctx.unless_cancelled(_look(ctx, params))

    async def undo(self, ctx: Context, params: PgLookParams, output: Any) -> None:  # noqa: ARG002 - the contract
        """Remove what was put aside: by now the role has its password back."""
        await ctx.store_secret(params.kept, "")
        await ctx.log.write("INFO", f"Removed secret {params.kept}")


async def _look(ctx: Context, params: PgLookParams) -> dict[str, Any]:
    async with session(ctx, params.connection) as pg:
        database = await database_state(pg, params.database)
        if database is None:
            raise _absent(pg, "database", params.database)
        role = await role_state(pg, params.role, database_oid=database["oid"])
        if role is None:
            raise _absent(pg, "role", params.role)
        goal = target(await ctx.connection(params.connection))
        await _refuse(pg, role, database, (goal.user, goal.database or goal.user))
        open_now = await sessions(pg, params.database)
        hashed = await role_hash(pg, params.role)
    password = await _password(ctx, params.secret)
    if hashed or password:
        await ctx.store_secret(params.kept, json.dumps({"hash": hashed, "password": password}))
    else:
        ctx.log.warning("No password could be read: a restored role will have none")
    size = database.pop("bytes")
    await ctx.log.write("INFO", f"Database {params.database}: {size} bytes, {open_now} sessions, owner {params.role}")
    return {
        "role": role,
        "database": database,
        "bytes": size,
        "sessions": open_now,
        "password_kept": bool(hashed or password),
    }


async def _refuse(pg: Session, role: State, database: State, ours: tuple[str, str]) -> None:
    """Raise `PermanentFault` for what must not be dropped, and for what could not be."""
    name, why = role["name"], ""
    if role["superuser"]:
        why = f"role {name} is a superuser"
    elif name == ours[0] or database["name"] == ours[1]:
        why = "the connection itself uses this role or database"
    elif database["owner"] != name:
        why = f"database {database['name']} belongs to {database['owner']}, not to {name}"
    elif database["template"] or not database["allow_connections"]:
        why = f"database {database['name']} is a template or takes no connections"
    if why:
        raise PermanentFault(f"This is no tenant that can be dropped at {pg.where}: {why}.", {"kind": "NOT_A_TENANT"})
    held = await in_the_way(pg, role["oid"], database["oid"], database["name"])
    if held:
        raise PermanentFault(
            f"{name} cannot be dropped at {pg.where} because of {'; '.join(held[:10])}: reassign or revoke that first "
            f"(REASSIGN OWNED, DROP OWNED in that database), then retry. Nothing was changed.",
            {"kind": "IN_THE_WAY", "held": held[:50]},
        )


async def _password(ctx: Context, reference: str) -> str:
    try:
        return await ctx.secret(reference)
    except PermanentFault:
        return ""


def _absent(pg: Session, what: str, name: str) -> PermanentFault:
    return PermanentFault(
        f"There is no {what} '{name}' at {pg.where}: nothing to drop. Check the name.",
        {"kind": "NO_TENANT", "what": what},
    )
