"""`task.command`: a batch of a bulk command, one command on each of its tasks, through whichever API answers.

The API carries it out only when the log says that this subtask may, and once for ever by the key, so a batch that was
interrupted is asked once more from its beginning: what was decided is told again at once. A refused target is an
answer, not a failure. Refuses to know what a command does.
"""

import asyncio
from datetime import timedelta
from time import monotonic
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from services.executor.operations.contract import Cancelled, Context, Operation, Params, PermanentFault, TransientFault

AT_ONCE = 4
"""How many targets are asked for at the same time, when no pace is given."""
PATIENCE = 60.0
"""Seconds without an API before the batch fails and waits for its automatic retry."""
ANSWER_SECONDS = 10.0
MESSAGE = 300
"""Characters kept of a refusal's message: the target's own history has all of it."""
DENIED_SECONDS = 5.0
"""How long a cancellation may take to arrive here after the API has heard of it."""


class TaskCommandParams(Params):
    """The command's word and its targets; `pace` in commands a minute, `follows` when another batch came before."""

    word: Literal["retry", "skip", "cancel", "rollback", "delete"]
    tasks: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=1000)]
    pace: Annotated[float, Field(gt=0, le=6000, allow_inf_nan=False)] | None = None
    follows: bool = False


class TaskCommand(Operation[TaskCommandParams]):
    """Commands tasks on behalf of a bulk command; of no use in any other task."""

    name: ClassVar[str] = "task.command"
    timeout: ClassVar[timedelta] = timedelta(days=1)
    prohibit_rollback: ClassVar[bool] = True

    async def execute(self, ctx: Context, params: TaskCommandParams) -> dict[str, Any]:
        """Command every target; return how each was answered."""
        batch = _Batch(ctx, params)
        await (batch.at_once() if params.pace is None else batch.paced(60 / params.pace))
        items = [batch.answers[task] for task in params.tasks]
        accepted = sum(item["status"] == 200 for item in items)
        said = f"{params.word}: {accepted} accepted, {len(items) - accepted} refused"
        ctx.log.info(said)
        return {"accepted": accepted, "refused": len(items) - accepted, "items": items}


class _Batch:
    """One run over the targets."""

    def __init__(self, ctx: Context, params: TaskCommandParams) -> None:
        self._ctx = ctx
        self._params = params
        self.answers: dict[int, dict[str, Any]] = {}

    async def at_once(self) -> None:
        """Ask for a few targets at the same time."""
        left = iter(self._params.tasks)

        async def some() -> None:
            for task in left:
                await self._command(task)

        several = [asyncio.create_task(some()) for _ in range(AT_ONCE)]
        try:
            await asyncio.gather(*several)
        finally:
            for each in several:
                each.cancel()
            await asyncio.gather(*several, return_exceptions=True)

    async def paced(self, beat: float) -> None:
        """Ask for one target after the other, `beat` seconds apart; what had been decided before takes no time."""
        due = monotonic() + (beat if self._params.follows else 0.0)
        for task in self._params.tasks:
            await self._ctx.unless_cancelled(asyncio.sleep(max(0.0, due - monotonic())))
            asked = monotonic()
            if not await self._command(task):
                due = asked + beat

    async def _command(self, task: int) -> bool:
        """Command a target and keep its answer; return whether it had been decided before."""
        ctx = self._ctx
        answer = await self._answered(task)
        if denied := answer.get("denied"):
            await _wait_for_cancel(ctx)
            raise PermanentFault(f"No API carries this out: {denied}", {"kind": "DENIED"})
        item = {"task": task, "status": answer["status"]}
        if error := answer.get("error"):
            message = str(error["message"])[:MESSAGE]
            item["error"] = {"code": error["code"], "message": message}
            said = f"task {task}: refused: {message}"
            ctx.log.info(said)
        else:
            item["state"] = answer["state"]
        self.answers[task] = item
        ctx.progress(len(self.answers) / len(self._params.tasks), f"{len(self.answers)} commanded")
        return bool(answer.get("replayed"))

    async def _answered(self, task: int) -> dict[str, Any]:
        """Ask until an API answers. Raises `TransientFault` when none does for long."""
        ctx = self._ctx
        request = {"task": ctx.task_id, "subtask": ctx.subtask, "fence": ctx.fence, "target": task}
        until, pause = monotonic() + PATIENCE, 0.1
        while True:
            try:
                answer = await ctx.unless_cancelled(ctx.ask("bulk.perform", request, ANSWER_SECONDS))
            except TransientFault as fault:
                why = fault.message
            else:
                if not answer.get("retry"):
                    return answer
                why = str(answer.get("why"))
            if monotonic() > until:
                raise TransientFault(f"No API carried the command on task {task} out: {why}")
            await ctx.unless_cancelled(asyncio.sleep(pause))
            pause = min(pause * 2, 5.0)


async def _wait_for_cancel(ctx: Context) -> None:
    """Give a cancellation, which is what most denials come from, the time to arrive. Raises `Cancelled`."""
    try:
        async with asyncio.timeout(DENIED_SECONDS):
            await ctx.cancelled.wait()
    except TimeoutError:
        return
    raise Cancelled
