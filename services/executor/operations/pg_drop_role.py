"""`pg.drop_role`: drop a role that was looked at, with its secret; its undo makes both again.

The former password and its hash come from the secret that `pg.look` put aside. Refuses to know databases.
"""

import json
from datetime import timedelta
from typing import Any, ClassVar

from services.executor.operations.contract import Context, Operation, Params, PermanentFault, Secret
from services.executor.operations.pg_close import look, same
from services.executor.postgres.making import taken
from services.executor.postgres.names import ConnectionName, Role
from services.executor.postgres.restore import make_role
from services.executor.postgres.session import Name, session
from services.executor.postgres.state import role_state

_SAME = ("comment", "memberships", "valid_until", "connection_limit", "createdb", "createrole")


class PgDropRoleParams(Params):
    """What goes. Upstream: `look` (pg.look); `kept` is where that put the password aside."""

    connection: ConnectionName
    role: Role
    secret: Secret
    kept: Secret


class PgDropRole(Operation[PgDropRoleParams]):
    """Drops a role and removes its secret. Its undo makes the role again, with its former password and memberships."""

    name: ClassVar[str] = "pg.drop_role"
    timeout: ClassVar[timedelta] = timedelta(minutes=5)

    async def execute(self, ctx: Context, params: PgDropRoleParams) -> dict[str, Any]:
        """Drop it, if it is still the one that was looked at."""
        seen = look(ctx)["role"]
        async with session(ctx, params.connection) as pg:
            now = await role_state(pg, params.role)
            if now is not None:
                same(now, seen, pg.where)
                await pg.do(f"Dropping role {params.role}", "DROP ROLE {role}", role=Name(params.role))
        if (await _former(ctx, params.kept))["password"]:
            await ctx.store_secret(params.secret, "")
        await ctx.log.write("INFO", f"Dropped role {params.role}; its former password is {params.kept}, for an undo")
        return {"role": params.role, "kept": params.kept}

    async def undo(self, ctx: Context, params: PgDropRoleParams, output: Any) -> None:  # noqa: ARG002 - the contract
        """Make it again as it was, without login, which the undo of pg.close gives back."""
        if not ctx.upstreams.get("look"):
            await ctx.log.write("INFO", "Nothing to undo.")
            return
        seen = look(ctx)["role"]
        former = await _former(ctx, params.kept)
        async with session(ctx, params.connection) as pg:
            now = await role_state(pg, params.role)
            if now is None:
                verifier = former["hash"] or (
                    pg.verifier(former["password"], params.role) if former["password"] else ""
                )
                async with pg.transaction():
                    await make_role(pg, seen, verifier)
                await ctx.log.write("INFO", f"Made role {params.role} again")
            elif now["oid"] != seen["oid"] and any(now[key] != seen[key] for key in _SAME):
                raise taken(pg, "role", params.role)
        if former["password"]:
            await ctx.store_secret(params.secret, former["password"])


async def _former(ctx: Context, reference: str) -> dict[str, str]:
    try:
        kept = json.loads(await ctx.secret(reference))
    except PermanentFault:
        return {"hash": "", "password": ""}
    return {"hash": str(kept["hash"]), "password": str(kept["password"])}
