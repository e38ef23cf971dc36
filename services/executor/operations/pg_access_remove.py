"""`pg.access_remove`: take a role's block out of the server's allow-list; its undo puts it back.

Runs on the server's host, where the file is put aside before the block goes.
"""

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

from services.executor.operations.contract import Context, Operation, Params
from services.executor.place import File, Former, Seen
from services.executor.postgres.access import access_file
from services.executor.postgres.hba import blocks, with_block, without_block
from services.executor.postgres.names import ConnectionName, Database, Role


class PgAccessRemoveParams(Params):
    """Whose block goes."""

    connection: ConnectionName
    database: Database
    role: Role


class PgAccessRemove(Operation[PgAccessRemoveParams]):
    """Takes a tenant's networks out of the allow-list of a PostgreSQL server. Its undo puts them back."""

    name: ClassVar[str] = "pg.access_remove"
    timeout: ClassVar[timedelta] = timedelta(minutes=2)

    async def execute(self, ctx: Context, params: PgAccessRemoveParams) -> dict[str, Any]:
        """Put the block aside, take it out, reload."""
        async with access_file(ctx, params.connection) as file:
            found = [b for b in await file.blocks() if (b.database, b.role) == (params.database, params.role)]
            for ours in found:
                if await asyncio.to_thread(_former(ctx).load) is None:
                    whole = (await file.read()).encode("utf-8", "surrogateescape")
                    await asyncio.to_thread(_former(ctx).save, Seen(File(whole, 0o600, (0, 0)), ()))
                await file.change(lambda text, gone=ours: without_block(text, gone))  # type: ignore[misc]
        said = f"Took the entry of {params.role} out of the allow-list" if found else "There is no entry to take out"
        ctx.log.info(said)
        return {"removed": bool(found)}

    async def undo(self, ctx: Context, params: PgAccessRemoveParams, output: Any) -> None:  # noqa: ARG002 - the contract
        """Put the block back unless it is there."""
        seen = await asyncio.to_thread(_former(ctx).load)
        if seen is None or seen.file is None:
            ctx.log.info("Nothing to undo.")
            return
        before = seen.file.content.decode("utf-8", "surrogateescape")
        ours = next(b for b in blocks(before) if (b.database, b.role) == (params.database, params.role))

        def put_back(now: str) -> str:
            return before if now == without_block(before, ours) else with_block(now, ours)

        async with access_file(ctx, params.connection) as file:
            if ours.text not in await file.read():
                await file.change(put_back)
        await asyncio.to_thread(_former(ctx).forget)
        said = f"The entry of {params.role} is in the allow-list again"
        ctx.log.info(said)


def _former(ctx: Context) -> Former:
    return Former(ctx.files / ".undo", ctx.token.replace("/", "-"))
