"""`data.mock.check` and `data.mock.table`: look at tables before anything is written, then fill one with made-up rows.

Responsible for what the task's log says and for the way from an attempt to `mock/`. Refuses to know SQL.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any, ClassVar

from pydantic import Field

from services.executor.mock.check import check
from services.executor.mock.fill import Job, fill
from services.executor.mock.params import Asked, TableRule, Word
from services.executor.mock.thread import Work
from services.executor.operations.contract import Context, Operation
from services.executor.sql.target import Target

MAX_TABLES = 200


class MockCheckParams(Asked):
    """The tables of a task, and which of them come before which."""

    tables: Annotated[list[TableRule], Field(min_length=1, max_length=MAX_TABLES)]
    before: dict[str, list[Word]] = Field(default_factory=dict, description="Tables that are filled before each one.")


class MockTableParams(Asked):
    """The table, and those that the task empties: the ones that refer to it are emptied with it."""

    table: TableRule
    clearing: Annotated[list[TableRule], Field(max_length=MAX_TABLES)] = Field(default_factory=list)


class MockCheck(Operation[MockCheckParams]):
    """Looks whether tables can be filled as asked, before anything is written."""

    name: ClassVar[str] = "data.mock.check"
    timeout: ClassVar[timedelta] = timedelta(minutes=10)

    async def execute(self, ctx: Context, params: MockCheckParams) -> dict[str, Any]:
        """Look; return which generator fills which column."""
        target = Target.of(await ctx.connection(params.connection))
        found = await Work(ctx, target).run(
            lambda session, tell: check(session, params.tables, params.before, params.locale, tell)
        )
        for table, about in found["tables"].items():
            words = ", ".join(f"{column}: {generator}" for column, generator in about["columns"].items())
            await ctx.log.write("INFO", f"{table}: {about['rows']:,} rows; {words}")
            for note in about["notes"]:
                await ctx.log.write("WARN", f"{table}: {note}")
        return found


class MockTable(Operation[MockTableParams]):
    """Fills a table with made-up rows, all of them or none."""

    name: ClassVar[str] = "data.mock.table"
    timeout: ClassVar[timedelta] = timedelta(hours=4)
    prohibit_rollback: ClassVar[bool] = (
        True  # what was cleared or overwritten cannot come back, and nobody should think so
    )

    async def execute(self, ctx: Context, params: MockTableParams) -> dict[str, Any]:
        """Fill it; safe to repeat: a mark in the same transaction says that it was done."""
        target = Target.of(await ctx.connection(params.connection))
        job = Job(
            rule=params.table,
            seed=params.seed if params.seed is not None else derived_seed(ctx.task_id),
            locale=params.locale,
            subtask=f"{ctx.task_id}/{ctx.subtask}",
            first=ctx.attempt == 1,
            clearing=tuple(params.clearing),
        )
        return await Work(ctx, target).run(lambda session, tell: fill(session, job, tell))


def derived_seed(task_id: int) -> int:
    """Return the seed of a task that names none: the same for all of its tables and attempts."""
    return int.from_bytes(sha256(f"opsledger mock {task_id}".encode()).digest()[:6], "big")
