"""`pg.role`: a login role with a generated password, which is kept as a secret and sent to nobody.

The password names the step that made it, and the role's comment names the password, so a repetition finds its own work
and never takes what somebody else made. The server gets the SCRAM verifier alone. Refuses to know databases.
"""

from datetime import timedelta
from secrets import token_urlsafe
from typing import Any, ClassVar

from services.executor.operations.contract import Context, Operation, Params, PermanentFault
from services.executor.postgres.making import not_ours, taken
from services.executor.postgres.names import ConnectionName, KeptSecret, Role, fingerprint, mark
from services.executor.postgres.session import Name, Session, session


class PgRoleParams(Params):
    """Which role, and under which reference (`kv:`) its password is kept."""

    connection: ConnectionName
    role: Role
    secret: KeptSecret


class PgRole(Operation[PgRoleParams]):
    """Creates a PostgreSQL login role; its generated password is kept as a secret. Its undo removes both."""

    name: ClassVar[str] = "pg.role"
    timeout: ClassVar[timedelta] = timedelta(minutes=5)

    async def execute(self, ctx: Context, params: PgRoleParams) -> dict[str, Any]:
        """Keep a password, then create the role with its verifier and its mark in one transaction."""
        return await ctx.unless_cancelled(_create(ctx, params))

    async def undo(self, ctx: Context, params: PgRoleParams, output: Any) -> None:
        """Drop the role if it is this step's, then remove the secret."""
        await ctx.unless_cancelled(_remove(ctx, params, finished=output is not None))


async def _create(ctx: Context, params: PgRoleParams) -> dict[str, Any]:
    async with session(ctx, params.connection) as pg:
        comment = await _comment(pg, params.role)
        password = await own_secret(ctx, params.secret)
        if comment is not None and (password is None or comment != mark(ctx.token, fingerprint(password))):
            raise taken(pg, "role", params.role)
        if password is None:
            await ctx.store_secret(params.secret, f"{_signed(ctx)}{token_urlsafe(24)}")
            password = await ctx.secret(params.secret)
        label = mark(ctx.token, fingerprint(password))
        if comment is None:
            await _make(pg, params.role, label, pg.verifier(password, params.role))
            await ctx.log.write("INFO", f"Created role {params.role}; its password is {params.secret}")
        else:
            await ctx.log.write("INFO", f"Role {params.role} is there already, made by an earlier attempt at this step")
        return {"role": params.role, "secret": params.secret, "mark": label}


async def _make(pg: Session, role: str, label: str, verifier: str) -> None:
    me = await pg.row("SELECT current_user AS name, rolsuper AS super FROM pg_roles WHERE rolname = current_user")
    doing = f"Creating role {role}"
    async with pg.transaction():
        await pg.do(doing, "CREATE ROLE {role} LOGIN PASSWORD {verifier}", role=Name(role), verifier=verifier)
        await pg.do(doing, "COMMENT ON ROLE {role} IS {text}", role=Name(role), text=label)
        if me is not None and not me["super"]:  # or it could neither give a database to the role nor drop it later
            await pg.do(doing, "GRANT {role} TO {me}", role=Name(role), me=Name(me["name"]))


async def _remove(ctx: Context, params: PgRoleParams, *, finished: bool) -> None:
    async with session(ctx, params.connection) as pg:
        comment = await _comment(pg, params.role)
        password = await own_secret(ctx, params.secret, foreign_is_none=True)
        ours = password is not None and comment == mark(ctx.token, fingerprint(password))
        if comment is not None and ours:
            await pg.do(f"Dropping role {params.role}", "DROP ROLE {role}", role=Name(params.role))
            await ctx.log.write("INFO", f"Dropped role {params.role}")
        elif comment is not None and finished:
            raise not_ours(pg, "role", params.role)
        elif comment is not None:
            await ctx.log.write("INFO", f"Role {params.role} is not this task's and is left as it is")
    if password is not None:
        await ctx.store_secret(params.secret, "")
        await ctx.log.write("INFO", f"Removed secret {params.secret}")


async def _comment(pg: Session, role: str) -> str | None:
    """Return a role's comment, empty where it has none; None where there is no role."""
    found = await pg.row(
        "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') AS c FROM pg_roles WHERE rolname = %(role)s",
        role=role,
    )
    return str(found["c"]) if found else None


async def own_secret(ctx: Context, reference: str, *, foreign_is_none: bool = False) -> str | None:
    """Return the password this step keeps, or None. Raises `PermanentFault` when somebody else keeps one there."""
    try:
        value = await ctx.secret(reference)
    except PermanentFault:
        return None
    if value.startswith(_signed(ctx)):
        return value
    if foreign_is_none:
        return None
    raise PermanentFault(
        f"There is a secret {reference} already that this task did not make: it is left as it is. Name another one, or "
        f"remove it first.",
        {"kind": "NAME_TAKEN", "what": "secret", "name": reference},
    )


def _signed(ctx: Context) -> str:
    """Return how every password of this step begins; what makes it one are the 192 random bits that follow."""
    return f"{ctx.token.replace('/', '.')}."
