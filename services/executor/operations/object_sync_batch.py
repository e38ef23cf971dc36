"""`object.sync.batch`: up to 500 object keys of one request, brought from a source to a destination.

What could not be synced is no failure of the batch: it goes on to `object.sync.finish`. The batch fails when it cannot
say what it did, because the lists cannot be written, or when a connection is wrong. Refuses to know other batches.
"""

from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

from services.executor.operations.contract import Context, Operation, Params
from services.executor.sync.batch import Job, perform, say, sync, tell
from services.executor.sync.params import Key, Rules
from services.executor.sync.sides import open_sides


class ObjectSyncBatchParams(Params):
    """Which keys, and `of`: the parameters of the standing task."""

    keys: Annotated[list[Key], Field(min_length=1, max_length=1_000)]
    of: Rules


class ObjectSyncBatch(Operation[ObjectSyncBatchParams]):
    """Synchronises a batch of object keys."""

    name: ClassVar[str] = "object.sync.batch"
    timeout: ClassVar[timedelta] = timedelta(days=1)
    prohibit_rollback: ClassVar[bool] = True

    async def execute(self, ctx: Context, params: ObjectSyncBatchParams) -> dict[str, Any]:
        """Copy what is to be copied; return counts, where the lists are, and what is left to `finish`."""
        sides = await open_sides(ctx, params.of)
        stem = f"{ctx.task_id}-{ctx.subtask}-{ctx.generation}"
        done = await perform(ctx, sides, Job(f"sync/{ctx.task_id}-{ctx.subtask}/journal", stem, params.keys))
        written = await tell(sides, done, requests=True)
        say(ctx, done)
        unsettled = len(done.of("failed"))
        counts = sync(
            requested=len(done.entries), synced=len(done.of("synced")), ignored=len(done.of("ignored")), size=done.bytes
        )
        return {
            "sync": counts,
            "unsettled": unsettled,
            "journals": [done.reference] if unsettled else [],
            "lists": written,
        }
