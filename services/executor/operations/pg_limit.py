"""`pg.limit`: how many sessions a role and a database of this task may have.

What both had before is known: no limit, for this task made them.
"""

from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

from services.executor.operations.contract import Context, Operation, Params
from services.executor.postgres.making import not_ours
from services.executor.postgres.names import ConnectionName, Database, Role, made_by_task
from services.executor.postgres.session import Name, Session, session
from services.executor.postgres.state import database_state, role_state

Limit = Annotated[int, Field(ge=-1, le=100_000, description="Sessions at once; -1 is no limit.")]


class PgLimitParams(Params):
    """The limits; superusers are exempt from both, as always in PostgreSQL."""

    connection: ConnectionName
    database: Database
    role: Role
    role_limit: Limit = -1
    database_limit: Limit = -1


class PgLimit(Operation[PgLimitParams]):
    """Limits the sessions of a role and on a database that this task made. Its undo lifts the limits."""

    name: ClassVar[str] = "pg.limit"
    timeout: ClassVar[timedelta] = timedelta(minutes=5)

    async def execute(self, ctx: Context, params: PgLimitParams) -> dict[str, Any]:
        """Set both in one transaction."""
        async with session(ctx, params.connection) as pg:
            role, database = await _ours(ctx, pg, params)
            if not role or not database:
                raise not_ours(pg, *(("database", params.database) if role else ("role", params.role)))
            await _set(pg, params, params.role_limit, params.database_limit, both=(True, True))
        await ctx.log.write(
            "INFO",
            f"At most {params.role_limit} sessions of {params.role}, {params.database_limit} on {params.database}",
        )
        return {"role_limit": params.role_limit, "database_limit": params.database_limit}

    async def undo(self, ctx: Context, params: PgLimitParams, output: Any) -> None:  # noqa: ARG002 - the contract
        """Lift the limits where role and database are still this task's."""
        async with session(ctx, params.connection) as pg:
            both = await _ours(ctx, pg, params)
            await _set(pg, params, -1, -1, both=both)
        ctx.log.info("No limits" if any(both) else "Nothing to undo.")


async def _ours(ctx: Context, pg: Session, params: PgLimitParams) -> tuple[bool, bool]:
    role, database = await role_state(pg, params.role), await database_state(pg, params.database)
    return (
        role is not None and made_by_task(role["comment"], ctx.task_id),
        database is not None and made_by_task(database["comment"], ctx.task_id),
    )


async def _set(pg: Session, params: PgLimitParams, role: int, database: int, *, both: tuple[bool, bool]) -> None:
    doing = "Setting the limits"
    async with pg.transaction():
        if both[0]:
            await pg.do(doing, "ALTER ROLE {name} CONNECTION LIMIT {n}", name=Name(params.role), n=role)
        if both[1]:
            await pg.do(doing, "ALTER DATABASE {name} CONNECTION LIMIT {n}", name=Name(params.database), n=database)
