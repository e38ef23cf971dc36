"""A cancel inside of an executor: what has not begun does not, what waits stops waiting, what is done counts."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from services.executor.attempt import Tools, perform
from services.executor.catalog import Catalog
from services.executor.lease import Lease, Running
from services.executor.operations.contract import Cancelled, Context, ExecutorPolicy, NoParams, Operation
from services.executor.output import LogSink
from shared.queue.port import Delivery
from shared.store.objects import Results
from shared.task import commands as cmd
from tests.unit.task.given import Story, node


class Count(Operation[NoParams]):
    """Counts how often it was executed, and waits for what never comes."""

    name: ClassVar[str] = "noop"
    begun = 0

    async def execute(self, ctx: Context, params: NoParams) -> Any:
        """Wait for ever, unless cancelled."""
        self.begun += 1
        await ctx.unless_cancelled(asyncio.Event().wait())


class Nowhere:
    """Where lines go that nobody reads."""

    async def append(self, *_: object, **__: object) -> None:
        """Drop them."""


async def attempt(operation: Operation[Any], *, before: bool) -> cmd.Outcome:
    """Attempt a subtask that is cancelled before it begins, or while it waits."""
    story = Story.of(node("a"))
    fence = story.claim(1)
    running = Running(1, fence)
    if before:
        running.cancelled.set()
    tools = Tools(
        Catalog({operation.name: operation}, {}, ()),
        ExecutorPolicy(),
        cast("LogSink", Nowhere()),
        cast("Results", None),
        Path("/"),
    )
    lease = Lease(cast("Delivery", None), ack_wait=30.0)
    performing = asyncio.create_task(perform(tools, lease, running, story.now, story[1], "execute"))
    await asyncio.sleep(0)
    running.cancelled.set()
    return await asyncio.wait_for(performing, 2)


@pytest.mark.parametrize("before", [True, False])
async def test_what_was_cancelled_does_not_begin(before: bool) -> None:
    """An effect after the cancel was seen would be one too many; and what waits ends at once."""
    operation = Count()
    assert await attempt(operation, before=before) == cmd.Cancelled()
    assert operation.begun == (0 if before else 1)


def context(cancelled: asyncio.Event) -> Context:
    """A context of which only the event matters."""
    found: Context = object.__new__(Context)
    object.__setattr__(found, "cancelled", cancelled)
    return found


async def test_what_has_come_counts_although_it_was_cancelled() -> None:
    """An answer that is there when the cancel comes is not thrown away."""
    cancelled = asyncio.Event()
    cancelled.set()

    async def answer() -> int:
        return 42

    assert await context(cancelled).unless_cancelled(answer()) == 42


async def test_what_is_dropped_gets_to_clean_up() -> None:
    """The wait is over only when what was waited for has ended."""
    cancelled, cleaned = asyncio.Event(), False

    async def slow() -> None:
        nonlocal cleaned
        try:
            await asyncio.Event().wait()
        finally:
            cleaned = True

    asyncio.get_running_loop().call_soon(cancelled.set)
    with pytest.raises(Cancelled):
        await context(cancelled).unless_cancelled(slow())
    assert cleaned
