"""The rescuer: what is ready and not queued is queued again, by our own clock and with growing patience."""

from itertools import pairwise

import pytest

from services.api import rescuer
from services.api.asked import Asked, Create
from services.api.rescuer import SLOWEST, Rescuer, Stale
from shared.runtime.clock import now
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Item, Problem
from shared.task.state import SubtaskStatus
from tests.unit.api.fakes import Desk

ADA = Asked("ada", "rest")
CLAIMANT = cmd.Claimant("inc-1", "worker-1", Item(stamp="s", seq=9))


class Watch:
    """A rescuer over a desk, with a clock that is set by hand. Every task counts as unfinished."""

    def __init__(self, desk: Desk, *, after: float = 15.0) -> None:
        self.desk = desk
        self.clock = 1000.0
        self.position = 0
        self.asked: list[tuple[int, int]] = []
        self.rescuer = Rescuer(
            desk.log,
            desk.queue,
            after=after,
            position=lambda: self.position,
            stale=self._stale,
            pools=lambda: desk.catalog.pools,
            clock=lambda: self.clock,
        )

    async def _stale(self, before: int, behind: int, limit: int) -> list[Stale]:
        self.asked.append((before, behind))
        last = {task_id: stored.seq for task_id, stored in self.desk.storage.messages}
        found = sorted((seq, task_id) for task_id, seq in last.items() if behind < seq <= before)
        return [Stale(task_id, seq) for seq, task_id in found[:limit]]

    async def after(self, seconds: float) -> int:
        """Let time pass, then scan; the view keeps up with the log."""
        self.clock += seconds
        self.position = len(self.desk.storage.messages)
        return await self.rescuer.scan()


async def desk_with(body: dict[str, object] | None = None) -> Desk:
    """A desk whose queue has lost the items of one new task."""
    desk = await Desk.furnished()
    nodes = [{"key": key, "operation": "noop"} for key in ("a", "b")]
    await desk.commands.perform(Create(body or {"plan": {"subtasks": nodes}}), ADA)
    await desk.commands.close()
    desk.queue.items.clear()
    return desk


async def test_nothing_is_stale_before_its_time() -> None:
    """A task younger than `after` on our own clock is left alone; an older one is dispatched again."""
    watch = Watch(await desk_with())
    assert await watch.after(0) == 0
    assert await watch.after(5) == 0
    assert await watch.after(9) == 0
    assert not watch.desk.queue.items

    assert await watch.after(1) == 2
    assert sorted(watch.desk.queue.items) == ["work.default.1.1.1-1", "work.default.1.2.1-1"]
    assert watch.rescuer.rescued == 2


async def test_an_unplanned_task_is_asked_for_its_plan_again() -> None:
    """INITIALIZING never lasts: its item is subtask 0."""
    watch = Watch(await desk_with({"type": "greeting", "params": {"name": "a"}}))
    await watch.after(0)
    assert await watch.after(15) == 1
    assert [item.subtask for item in watch.desk.queue.items.values()] == [0]


async def test_what_is_queued_already_is_not_counted() -> None:
    """The queue's refusal of a second copy is fine."""
    watch = Watch(await desk_with())
    await watch.after(0)
    await watch.after(15)
    assert await watch.after(15) == 0


async def test_patience_grows_while_nothing_happens() -> None:
    """A long queue is looked at ever more seldom, but for ever, and never less than every five minutes."""
    watch = Watch(await desk_with())
    await watch.after(0)
    looked = []
    for _ in range(400):
        watch.desk.queue.items.clear()
        if await watch.after(5):
            looked.append(watch.clock)
    pauses = [second - first for first, second in pairwise(looked)]
    assert pauses[:3] == [15, 30, 60]
    assert max(pauses) <= SLOWEST + 5
    assert pauses == sorted(pauses)


async def test_a_running_subtask_gets_the_item_of_its_claim() -> None:
    """RUNNING is dispatched under the attempt it is in, so that a dead executor's claim is found."""
    desk = await desk_with({"plan": {"subtasks": [{"key": "a", "operation": "noop"}]}})
    task = await desk.log.load(1)
    assert task is not None
    note = ADA.note("")
    await desk.log.transact(1, lambda found: decide(found, cmd.Claim(1, CLAIMANT, now())), note)
    watch = Watch(desk)
    await watch.after(0)
    assert await watch.after(15) == 1
    assert list(desk.queue.items) == ["work.default.1.1.1-1"]


async def test_a_retry_to_come_is_not_dispatched_before_its_time() -> None:
    """READY with a retry time in the future waits."""
    nodes = [{"key": "a", "operation": "noop", "retry": {"times": 1, "delay_seconds": 3600}}]
    desk = await desk_with({"plan": {"subtasks": nodes}})
    claimed = await desk.log.transact(1, lambda task: decide(task, cmd.Claim(1, CLAIMANT, now())), ADA.note(""))
    failure = cmd.Settle(1, claimed.seq, cmd.Failed(Problem(kind="X", message="y")), now())
    settled = await desk.log.transact(1, lambda task: decide(task, failure), ADA.note(""))
    assert settled.task.subtasks[0].status is SubtaskStatus.READY
    watch = Watch(desk)
    await watch.after(0)
    assert await watch.after(15) == 0
    assert not desk.queue.items


async def test_an_ended_task_is_left_alone() -> None:
    """The view may be behind: the log says that nothing is to be done."""
    desk = await desk_with()
    await desk.log.transact(1, lambda task: decide(task, cmd.CancelTask(now())), ADA.note(""))
    watch = Watch(desk)
    await watch.after(0)
    assert await watch.after(15) == 0


async def test_a_missing_queue_is_made_again_and_everything_comes_back_at_once() -> None:
    """The patience of before does not hold back what was lost with the queue."""
    watch = Watch(await desk_with())
    await watch.after(0)
    await watch.after(15)
    for _ in range(3):
        await watch.after(60)
    watch.desk.queue.items.clear()
    watch.desk.queue.bound_pools.clear()

    assert await watch.after(5) == 2
    assert watch.desk.queue.ensured == [{"default"}]


async def test_more_tasks_than_a_scan_takes_are_reached_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans go on behind the last page, so that no task starves behind a long queue."""
    desk = await Desk.furnished()
    for _ in range(25):
        await desk.commands.perform(Create({"plan": {"subtasks": [{"key": "a", "operation": "noop"}]}}), ADA)
    await desk.commands.close()
    desk.queue.items.clear()
    watch = Watch(desk)
    await watch.after(0)
    monkeypatch.setattr(rescuer, "PAGE", 10)
    found = [await watch.after(15), await watch.after(1), await watch.after(1)]
    assert found == [10, 10, 5]
