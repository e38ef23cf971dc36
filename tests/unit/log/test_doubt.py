"""Doubt: when an answer is lost, late or refused, a decision is stored exactly once and its caller told the truth."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product

import pytest

from shared.log.memory import MemoryStorage
from shared.log.port import LogRefused, LogUnavailable, NotStored
from shared.log.transact import TaskLog
from shared.task import commands as cmd
from shared.task.refusals import IllegalState
from shared.task.state import TaskState
from tests.contract.players import NOW, agrees, break_down, claim, commits, create, deciding, note, succeed
from tests.unit.task.given import node

SINS = ["lose_answer", "lose_message", "late", "refuse"]
CANCEL = deciding(cmd.CancelTask(NOW))


def logs(*sins: str, patience: float = 5.0) -> tuple[MemoryStorage, TaskLog, TaskLog]:
    """A storage with a task in it that will sin, and two processes' logs."""
    storage = MemoryStorage()
    storage.sins = list(sins)
    return storage, TaskLog(storage, patience=patience), TaskLog(storage, patience=patience)


@pytest.mark.parametrize("sins", [*[(sin,) for sin in SINS], *product(SINS, repeat=2), ("late", "late", "lose_answer")])
async def test_a_decision_in_doubt_is_stored_once(sins: tuple[str, ...]) -> None:
    """Whatever becomes of the first tries, the commit is in the log once and its caller learns its sequence (T5)."""
    storage, log, _ = logs()
    await create(log, 7)
    storage.sins = list(sins)
    fence = await claim(log, 7, 1)
    assert [commit.decisions[0].events[0].type for commit in await commits(log, 7)][1:] == ["subtask.started"]
    storage.sins = list(sins)
    assert (await succeed(log, 7, 1, fence)).task.state is TaskState.SUCCESSFUL
    assert len(await commits(log, 7)) == 3
    await agrees(log, 7)
    assert not storage.sins


@pytest.mark.parametrize("sin", SINS)
async def test_a_creation_in_doubt_is_stored_once(sin: str) -> None:
    """The same for the first commit, on expected sequence 0."""
    storage, log, other = logs(sin)
    created = await create(log, 7, key="k", body_hash="h")
    assert created.replayed is None
    assert (await create(other, 7, key="k", body_hash="h")).replayed is not None
    assert len(await commits(log, 7)) == 1
    assert len(storage.messages) == 1


async def test_doubt_while_another_process_wins() -> None:
    """Our try is late, another's commit takes its place: ours is refused for good, and decided anew."""
    storage, ours, theirs = logs()
    await create(ours, 7, node("a"), node("b"))
    await theirs.load(7)
    append = storage.append

    async def interrupted(task_id: int, commit_id: str, body: bytes, expected: int) -> int:
        storage.append = append  # type: ignore[method-assign]
        await claim(theirs, 7, 2, "e2")
        storage.sins = ["late"]
        return await storage.append(task_id, commit_id, body, expected)

    storage.append = interrupted  # type: ignore[method-assign]
    await claim(ours, 7, 1)
    assert [getattr(commit.decisions[0].events[0], "subtask", 0) for commit in await commits(ours, 7)] == [0, 2, 1]
    assert ours.conflicts == 1
    await agrees(ours, 7)


async def test_doubt_that_ends_in_a_refusal() -> None:
    """Our try was lost, another's commit makes the command illegal: the refusal is told, and nothing is stored."""
    storage, ours, theirs = logs()
    await create(ours, 7)
    await break_down(theirs, 7)
    await ours.load(7, fresh=True)
    retry = deciding(cmd.RetrySubtask(NOW, number=1))
    append = storage.append

    async def interrupted(task_id: int, commit_id: str, body: bytes, expected: int) -> int:
        storage.append = append  # type: ignore[method-assign]
        await theirs.transact(7, deciding(cmd.SkipTask(NOW)), note())
        storage.sins = ["lose_message"]
        return await storage.append(task_id, commit_id, body, expected)

    storage.append = interrupted  # type: ignore[method-assign]
    with pytest.raises(IllegalState):
        await ours.transact(7, retry, note())
    assert len(await commits(ours, 7)) == 4


@pytest.mark.parametrize(
    ("sin", "maybe", "stored"),
    [("refuse", False, 1), ("lose_message", True, 1), ("late", True, 2), ("lose_answer", True, 2)],
)
async def test_an_outage_says_whether_the_command_may_take_effect(sin: str, maybe: bool, stored: int) -> None:
    """`maybe` is false only when nothing was or will be stored; the key tells the rest (P4)."""
    storage, log, other = logs(patience=0.0)
    await create(log, 7)
    storage.sins = [sin]
    with pytest.raises(LogUnavailable) as outage:
        await log.transact(7, CANCEL, note(command="cancel", key="k", body_hash="h"))
    assert outage.value.maybe is maybe
    assert len(await storage.read(7)) == stored
    for each in (log, other):
        result = await each.transact(7, CANCEL, note(command="cancel", key="k", body_hash="h"))
        assert result.task.state is TaskState.CANCELLED
    assert len(await commits(log, 7)) == 2


async def test_everybody_in_a_group_learns_of_the_outage() -> None:
    """One commit, one doubt: each caller of the group is told the same."""
    storage, log, _ = logs(patience=0.0)
    await create(log, 7, node("a"), node("b"), node("c"))
    storage.sins = ["refuse"] + ["lose_message"] * 3
    answers = await asyncio.gather(*(claim(log, 7, number) for number in (1, 2, 3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [LogUnavailable] * 3
    storage.sins = []
    await asyncio.gather(*(claim(log, 7, number) for number in (1, 2, 3)))
    await agrees(log, 7)


class FullStorage(MemoryStorage):
    """A storage that takes nothing more, after as many lost answers as told."""

    lost = 0

    async def append(self, task_id: int, commit_id: str, body: bytes, expected: int) -> int:
        """Lose the answer, or refuse for good."""
        if self.lost:
            self.lost -= 1
            self.sins = ["lose_answer"]
            return await super().append(task_id, commit_id, body, expected)
        raise LogRefused("full")


async def test_a_full_log_refuses_at_once() -> None:
    """Waiting would not help; and after an unanswered try the command may have been stored all the same (T14)."""
    storage = FullStorage()
    log = TaskLog(storage, patience=60)
    with pytest.raises(LogRefused) as refused:
        await create(log, 7)
    assert not refused.value.maybe
    storage.lost = 1
    with pytest.raises(LogUnavailable) as doubtful:
        await create(log, 7)
    assert doubtful.value.maybe
    assert (await create(TaskLog(MemoryStorage()), 7)).seq == 1


async def test_readers_learn_of_an_outage_too() -> None:
    """A read that nobody answers within the patience is no empty history."""
    storage, log, _ = logs(patience=0.0)

    async def silent(*_: object, **__: object) -> list[object]:
        raise NotStored("no answer")

    storage.read = silent  # type: ignore[assignment, method-assign]
    storage.last = silent  # type: ignore[assignment, method-assign]
    asks: list[Callable[[], Awaitable[object]]] = [
        lambda: log.load(7),
        lambda: log.history(7),
        lambda: log.last(7),
        lambda: log.transact(7, CANCEL, note()),
    ]
    for ask in asks:
        with pytest.raises(LogUnavailable) as outage:
            await ask()
        assert not outage.value.maybe


async def test_endless_conflicts_end() -> None:
    """When others always win, the caller is told so within its patience, and nothing of its own is stored."""
    storage, ours, theirs = logs(patience=0.2)
    await create(ours, 7, *(node(f"n{number}") for number in range(400)))
    append = storage.append
    numbers = iter(range(2, 400))

    async def beaten(task_id: int, commit_id: str, body: bytes, expected: int) -> int:
        storage.append = append  # type: ignore[method-assign]
        await claim(theirs, 7, next(numbers), "e2")
        storage.append = beaten  # type: ignore[method-assign]
        return await append(task_id, commit_id, body, expected)

    storage.append = beaten  # type: ignore[method-assign]
    with pytest.raises(LogUnavailable) as outage:
        await claim(ours, 7, 1)
    assert not outage.value.maybe
    storage.append = append  # type: ignore[method-assign]
    task = await agrees(ours, 7)
    assert task.subtasks[0].claim is None
