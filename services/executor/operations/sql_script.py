"""`sql.execute`: run a SQL script on a named connection, statement by statement on one session.

Responsible for the parameters and for what is refused before anything runs. How a script runs: `sql/script.py`.
"""

import asyncio
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import to_json

from services.executor.fault import Cancelled
from services.executor.operations.contract import Context, Delivery, Operation, Params
from services.executor.sql.script import Rules, Script
from services.executor.sql.session import Session
from services.executor.sql.split import split
from services.executor.sql.tally import Tally, many
from services.executor.sql.target import Target

MAX_SCRIPT: Final = 160_000
"""Bytes of a script as JSON has it: what the commit that plans the task can hold."""


def _fits(sql: str) -> str:
    if "\0" in sql:
        raise ValueError("a NUL character cannot stand in SQL")
    size = len(to_json(sql))
    if size > MAX_SCRIPT:
        raise ValueError(f"the script takes {size} bytes, {MAX_SCRIPT} fit: split it into several tasks")
    return sql


class SqlExecuteParams(Params):
    """The script, where it runs, and what a failure means. The names follow ODC's asynchronous execution."""

    connection: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Name of the connection to run on."
    )
    sql: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SCRIPT), AfterValidator(_fits)] = Field(
        description="The script."
    )
    delimiter: Literal[";", "/", "//", "$", "$$"] = Field(default=";", description="What ends a statement.")
    query_limit: Annotated[int, Field(ge=1, le=100_000_000)] = Field(
        default=1000, description="How many rows of each result set are kept."
    )
    on_error: Literal["ABORT", "CONTINUE"] = Field(
        default="ABORT", description="After a statement that failed: stop and fail, or go on with the next."
    )
    statement_timeout_seconds: Annotated[float, Field(gt=0, le=480 * 3600, allow_inf_nan=False)] = Field(
        default=48 * 3600, description="How long one statement may take."
    )
    retry_times: Annotated[int, Field(ge=0, le=100)] = Field(
        default=0, description="How often a statement that failed is tried again."
    )
    retry_interval_seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = Field(
        default=180, description="How long to wait before it is."
    )
    mark_as_failed_when_any_error: bool = Field(
        default=False, description="With CONTINUE: fail at the end if any statement failed."
    )
    description: Annotated[str, StringConstraints(max_length=2000)] = Field(
        default="", description="What the script is for; kept, never run."
    )


class SqlExecute(Operation[SqlExecuteParams]):
    """Runs a SQL script on a named connection and keeps its result sets."""

    name: ClassVar[str] = "sql.execute"
    delivery: ClassVar[Delivery] = "at_most_once"
    timeout: ClassVar[timedelta] = timedelta(days=30)  # each statement has a limit of its own

    async def execute(self, ctx: Context, params: SqlExecuteParams) -> dict[str, Any]:
        """Run it. Raises `PermanentFault` of kind SQL_FAILED, whose detail is the output as far as it got."""
        target = Target.of(await ctx.connection(params.connection))
        statements = await asyncio.to_thread(split, params.sql, target.dialect, params.delimiter)
        tally = Tally(target.dialect, params.connection, len(statements))
        rules = Rules(
            query_limit=params.query_limit,
            go_on=params.on_error == "CONTINUE",
            fail_at_end=params.mark_as_failed_when_any_error,
            retry_times=params.retry_times,
            retry_interval=params.retry_interval_seconds,
        )
        seconds = params.statement_timeout_seconds
        try:
            async with Session.open(
                target, label=f"opsledger {ctx.token}", seconds=seconds, stop=ctx.cancelled
            ) as session:
                await ctx.log.write("INFO", f"{many(len(statements), 'statement')} on {target.where}")
                return await Script(ctx, session, statements, rules, tally).run()
        except (Cancelled, asyncio.CancelledError):
            said = f"stopped: {tally.said}; what was committed stays"
            ctx.log.warning(said)
            raise
