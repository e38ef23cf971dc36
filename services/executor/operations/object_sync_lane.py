"""`object.sync.lane`: every n-th batch of what a sweep listed, one after the other.

Each batch is remembered by itself, so a lane that begins anew passes quickly over what is done. Refuses to know the
other lanes.
"""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from services.executor.operations.contract import Cancelled, Context, Fault, Operation, Params, PermanentFault
from services.executor.sync.batch import Job, perform, say, sync, tell
from services.executor.sync.journal import fetch, save
from services.executor.sync.params import Rules
from services.executor.sync.sides import open_sides
from services.executor.sync.survey import Seen


class ObjectSyncLaneParams(Params):
    """Which lane of how many; `of`: the parameters of the standing task."""

    lane: Annotated[int, Field(ge=1, le=64)]
    lanes: Annotated[int, Field(ge=1, le=64)]
    of: Rules

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.lane > self.lanes:
            raise ValueError("lane counts from 1 to lanes")
        return self


class ObjectSyncLane(Operation[ObjectSyncLaneParams]):
    """Synchronises its share of what a sweep listed."""

    name: ClassVar[str] = "object.sync.lane"
    timeout: ClassVar[timedelta] = timedelta(days=30)
    prohibit_rollback: ClassVar[bool] = True

    async def execute(self, ctx: Context, params: ObjectSyncLaneParams) -> dict[str, Any]:
        """Do the lane's batches; return the counts of all of them and what is left to `finish`."""
        listed = next((value for value in ctx.upstreams.values() if isinstance(value, dict) and "index" in value), None)
        if listed is None:
            raise PermanentFault(
                "There is no listing upstream: the subtask that lists was skipped; ask for a new sweep."
            )
        sides = await open_sides(ctx, params.of)
        index = await fetch(ctx, listed["index"])
        counts = {"requested": 0, "synced": 0, "ignored": 0, "size": 0}
        journals: list[dict[str, Any]] = []
        unsettled = 0
        mine = range(params.lane - 1, len(index), params.lanes)
        for number, place in enumerate(mine, start=1):
            if ctx.cancelled.is_set():
                raise Cancelled
            rows = await fetch(ctx, index[place])
            hints = {key: Seen(size, at) for key, size, at in rows}
            job = Job(
                f"sync/{ctx.task_id}-{ctx.subtask}/{place + 1:05}",
                f"{ctx.task_id}-{ctx.subtask}-{ctx.generation}-{place + 1:05}",
                list(hints),
                hints,
            )
            try:
                done = await perform(ctx, sides, job)
                await tell(sides, done, requests=True)
            except Fault as fault:
                fault.detail["batches"] = {"done": number - 1, **counts}
                raise
            say(ctx, done)
            counts["requested"] += len(done.entries)
            counts["synced"] += len(done.of("synced"))
            counts["ignored"] += len(done.of("ignored"))
            counts["size"] += done.bytes
            if failed := len(done.of("failed")):
                unsettled += failed
                journals.append(done.reference)
            ctx.progress(number / len(mine), f"{number} of {len(mine)} batches")
        # One reference, however many batches left something: the counts must lie in the event itself, not in a file.
        kept = [await save(ctx, f"sync/{ctx.task_id}-{ctx.subtask}/unsettled", journals)] if journals else []
        return {"sync": sync(**counts), "unsettled": unsettled, "unsettled_in": kept, "batches": len(mine)}
