"""Leases look when they are told to, believe only what they asked, and insist until what was cancelled has ended."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from services.executor import lease as module
from services.executor.lease import Lease, Leases, Running
from shared.log.transact import TaskLog
from shared.queue.port import Delivery
from shared.queue.work_item import WorkItem
from shared.task import commands as cmd
from shared.task.state import Task
from tests.support.eventually import eventually
from tests.unit.task.given import Story, node

ACK_WAIT = 30.0
"""Long enough that no heartbeat comes by itself while a test runs."""


class Handed:
    """A delivery whose words are counted."""

    def __init__(self, task_id: int = 7) -> None:
        self.item = WorkItem("default", task_id, 1, 1, 1, 1)
        self.stamp, self.seq, self.delivered = "s", 1, 1
        self.beats = 0

    async def in_progress(self) -> None:
        """Count it."""
        self.beats += 1


class Slow:
    """A log whose answers wait until the test lets them go; each answer is the task as it was when it was asked for."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()

    async def load(self, task_id: int, *, fresh: bool) -> Task | None:
        """Answer late."""
        assert (task_id, fresh) == (7, True)
        self.asked += 1
        task = self.story.now
        await self.open.wait()
        return task


class Desk:
    """One lease over one task, and the loop that keeps it."""

    def __init__(self) -> None:
        self.story = Story.of(node("a"), node("b", 1))
        self.log = Slow(self.story)
        self.handed = Handed()
        self.lease = Lease(cast("Delivery", self.handed), ack_wait=ACK_WAIT)
        self.leases = Leases(cast("TaskLog", self.log), ack_wait=ACK_WAIT, cancel_grace=60.0)
        self.leases.held.add(self.lease)

    def run(self, number: int = 1) -> Running:
        """Claim a subtask and run it."""
        running = self.lease.running = Running(number, self.story.claim(number))
        return running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Insist after moments."""
    monkeypatch.setattr(module, "INSIST_AGAIN", 0.02)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """A lease that is kept."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _: sleep(0.01))
    found = Desk()
    keeping = asyncio.create_task(found.leases.run())
    yield found
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_nudge_is_looked_at_now(desk: Desk) -> None:
    """Not at the next heartbeat, which is ten seconds away."""
    running = desk.run()
    desk.story.cancel()
    desk.leases.look(7)
    await eventually(running.cancelled.is_set, timeout=1)
    assert (desk.log.asked, desk.handed.beats) == (1, 1)


async def test_a_nudge_for_another_task_is_nothing_to_it(desk: Desk) -> None:
    """Nothing is asked."""
    desk.run()
    desk.leases.look(8)
    assert not desk.lease.asked


async def test_a_nudge_during_a_look_is_looked_at_again(desk: Desk) -> None:
    """The look that is under way began before the cancel and does not see it."""
    running = desk.run()
    desk.log.open.clear()
    desk.leases.look(7)
    await eventually(lambda: desk.log.asked == 1, timeout=1)
    desk.story.cancel()
    desk.leases.look(7)
    desk.log.open.set()
    await eventually(running.cancelled.is_set, timeout=1)
    assert desk.log.asked == 2


async def test_a_nudge_that_is_faster_than_our_own_claim_is_kept(desk: Desk) -> None:
    """It came while we did not know yet that the claim is ours; once we do, we look."""
    desk.leases.look(7)
    await asyncio.sleep(0.05)
    assert desk.log.asked == 0
    running = desk.run()
    desk.story.cancel()
    await eventually(running.cancelled.is_set, timeout=1)


async def test_what_was_claimed_during_a_look_is_not_lost(desk: Desk) -> None:
    """The answer is older than the claim that runs by now, and says nothing about it."""
    desk.run()
    desk.log.open.clear()
    desk.leases.look(7)
    await eventually(lambda: desk.log.asked == 1, timeout=1)
    desk.story.settle(1, cmd.Succeeded())
    running = desk.run(2)
    desk.log.open.set()
    await eventually(lambda: not desk.lease.beating, timeout=1)
    assert not desk.lease.fenced
    assert desk.lease.running is running


async def test_a_claim_that_is_gone_fences(desk: Desk) -> None:
    """Whoever took it over may run it already."""
    desk.run()
    desk.story.settle(1, cmd.Succeeded())
    desk.leases.look()
    await eventually(lambda: desk.lease.fenced, timeout=1)


async def test_who_swallows_a_cancellation_gets_another_one(desk: Desk) -> None:
    """An attempt that goes on after it was cancelled is cancelled again, until it ends."""
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1

    desk.run()
    desk.lease.chain = asyncio.create_task(stubborn())
    desk.lease.cancel(0.0)
    await asyncio.wait_for(desk.lease.chain, 2)
    assert swallowed == 3
    assert desk.lease.stopping is not None
    desk.lease.stopping.cancel()
