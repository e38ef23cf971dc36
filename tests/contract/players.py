"""Who talks to the log in contract tests: creators, workers, and a reader who trusts nothing."""

import asyncio
from datetime import UTC, datetime
from itertools import count
from typing import Any

from shared.log.fold import fold
from shared.log.port import Decide, Note, Transacted
from shared.log.transact import TaskLog
from shared.messages.codec import decode, digest
from shared.messages.commit import By, Commit
from shared.runtime.clock import commit_id
from shared.task import commands as cmd
from shared.task.decide import Verdict, decide
from shared.task.events import Item, Problem
from shared.task.plan import PlannedSubtask
from shared.task.state import Task
from tests.unit.task.given import node, standing

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BY = By(kind="user", name="tester")
POOLS = frozenset({"default"})
NOOP = frozenset({"noop"})

_items = count(1)


def note(**settings: Any) -> Note:
    """A note with a new id; `key`, `body_hash` and `command` as needed."""
    return Note(commit_id(), NOW, BY, **settings)


def claimant(name: str = "e1") -> cmd.Claimant:
    """Somebody who claims, on an item of its own."""
    return cmd.Claimant(name, name, Item(stamp="s", seq=next(_items)))


def deciding(*commands: cmd.Command) -> Decide:
    """The decision that these commands ask for."""

    def decided(task: Task | None) -> Verdict:
        return decide(task, *commands)

    return decided


async def create(log: TaskLog, task_id: int, *nodes: PlannedSubtask, **settings: Any) -> Transacted:
    """Create a task; with one subtask when no nodes are given."""
    create_task = cmd.CreateTask(
        task_id, "a task", "plan", BY.actor(), NOW, subtasks=nodes or (node("only"),), concurrency=0
    )
    return await log.transact(task_id, deciding(create_task), note(**settings), new=True)


def wide(width: int) -> tuple[PlannedSubtask, ...]:
    """A root, `width` subtasks behind it, and one that joins them."""
    fan = [node(f"w{number}", 1) for number in range(width)]
    return (node("root"), *fan, node("join", *range(2, width + 2)))


async def claim(log: TaskLog, task_id: int, number: int, name: str = "e1") -> int:
    """Claim a subtask; return the fence."""
    result = await log.transact(task_id, deciding(cmd.Claim(number, claimant(name), NOW)), note())
    return result.seq


async def succeed(log: TaskLog, task_id: int, number: int, fence: int) -> Transacted:
    """Report success."""
    return await log.transact(task_id, deciding(cmd.Settle(number, fence, cmd.Succeeded(), NOW)), note())


async def break_down(log: TaskLog, task_id: int, number: int = 1) -> Transacted:
    """Claim a subtask and fail it for good."""
    fence = await claim(log, task_id, number)
    failed = cmd.Failed(_OOPS, retryable=False)
    return await log.transact(task_id, deciding(cmd.Settle(number, fence, failed, NOW)), note())


async def commits(log: TaskLog, task_id: int) -> list[Commit]:
    """The task's commits, the chain of hashes from the first to the last one verified."""
    found = []
    prev = ""
    last = 0
    for stored in await log.history(task_id):
        commit = decode(stored.body)
        assert commit.task == task_id
        assert commit.prev == prev, f"the chain breaks at {stored.seq}"
        assert stored.seq > last
        assert stored.id == commit.decisions[0].id
        prev, last = digest(stored.body), stored.seq
        found.append(commit)
    return found


async def agrees(log: TaskLog, task_id: int) -> Task:
    """The task as the log keeps it in memory, after checking that a fold of everything stored gives the same."""
    folded, _ = fold(await log.history(task_id))
    cached = await log.load(task_id, fresh=True)
    assert folded is not None
    assert cached is not None
    assert standing(folded) == standing(cached)
    return cached


async def work_off(log: TaskLog, task_id: int, queue: "asyncio.Queue[int]", name: str, done: asyncio.Event) -> None:
    """A worker's life: claim what is queued, succeed, go on with what that made READY, queue the rest."""
    while not done.is_set():
        try:
            number = await asyncio.wait_for(queue.get(), 0.05)
        except TimeoutError:
            continue
        result = await log.transact(task_id, deciding(cmd.Claim(number, claimant(name), NOW)), note())
        held: int | None = number
        while held is not None:
            settle = cmd.Settle(held, result.seq, cmd.Succeeded(output={"n": held}), NOW)
            onward = cmd.ClaimNext(claimant(name), POOLS, NOOP, NOW)
            result = await log.transact(task_id, deciding(settle, onward), note())
            assert result.verdict is not None
            for ready in result.verdict.ready:
                queue.put_nowait(ready)
            held = next(iter(result.verdict.claimed), None)
        if result.task.ended:
            done.set()


_OOPS = Problem(kind="EXIT_CODE", message="exit code 1")
