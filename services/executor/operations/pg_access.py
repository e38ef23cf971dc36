"""`pg.access`: let a role into its database from some networks alone, by a block in the server's pg_hba.conf.

Runs on the server's host. Refuses to know the file's grammar (`hba.py`) and how the server takes it (`access.py`).
"""

from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, StringConstraints

from services.executor.operations.contract import Context, Operation, Params, PermanentFault
from services.executor.postgres.access import AccessFile, access_file
from services.executor.postgres.hba import Block, block, with_block, without_block
from services.executor.postgres.names import ConnectionName, Database, Role


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(f"{error}; write a network such as 10.1.0.0/16, or an address") from None


Network = Annotated[str, StringConstraints(max_length=64), AfterValidator(_network)]


class PgAccessParams(Params):
    """The networks; the executor's own must be among them where `pg.verify` follows."""

    connection: ConnectionName
    database: Database
    role: Role
    allow: Annotated[
        list[Network], Field(min_length=1, max_length=100, description="Networks or addresses it may come from.")
    ]


class PgAccess(Operation[PgAccessParams]):
    """Puts a tenant's networks into the allow-list of a PostgreSQL server. Its undo takes them out."""

    name: ClassVar[str] = "pg.access"
    timeout: ClassVar[timedelta] = timedelta(minutes=2)

    async def execute(self, ctx: Context, params: PgAccessParams) -> dict[str, Any]:
        """Write the block, reload, and see it among the server's rules."""
        return await ctx.unless_cancelled(_allow(ctx, params))

    async def undo(self, ctx: Context, params: PgAccessParams, output: Any) -> None:  # noqa: ARG002 - the contract
        """Take this step's block out, to the byte."""
        await ctx.unless_cancelled(_withdraw(ctx, params))


async def _allow(ctx: Context, params: PgAccessParams) -> dict[str, Any]:
    new = block(ctx.token, params.database, params.role, params.allow)
    async with access_file(ctx, params.connection) as file:
        there = await file.blocks()
        other = next(
            (b for b in there if (b.database, b.role) == (new.database, new.role) and b.token != ctx.token), None
        )
        if other is not None:
            raise PermanentFault(
                f"The allow-list has a block for {params.role} already, made by step {other.token}: remove it first.",
                {"kind": "NAME_TAKEN", "what": "allow-list entry"},
            )
        await file.check()
        await _put(file, new, next((b for b in there if b.token == ctx.token), None))
        rules = await file.effective(new)
    await ctx.log.write("INFO", f"{params.role} may reach {params.database} from {', '.join(params.allow)} alone")
    return {"allow": params.allow, "rules": rules}


async def _put(file: AccessFile, new: Block, ours: Block | None) -> None:
    def change(text: str) -> str:
        return with_block(without_block(text, ours) if ours else text, new)

    await file.change(change)
    try:
        await file.effective(new)
    except PermanentFault:
        await file.change(lambda text: without_block(text, new))
        raise


async def _withdraw(ctx: Context, params: PgAccessParams) -> None:
    async with access_file(ctx, params.connection) as file:
        ours = next((b for b in await file.blocks() if b.token == ctx.token), None)
        if ours is not None and (ours.database, ours.role) == (params.database, params.role):
            await file.change(lambda text: without_block(text, ours))
            await ctx.log.write("INFO", f"Took the entry of {params.role} out of the allow-list")
        else:
            await ctx.log.write("INFO", "Nothing to undo.")
