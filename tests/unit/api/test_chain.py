"""A byte changed, a commit removed, one put in: a task's hash chain says where (I15)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.api.chain import Witness, check
from shared.log.fold import fold
from shared.log.memory import MemoryStorage
from shared.log.port import Note, Stored
from shared.log.transact import TaskLog
from shared.messages.commit import By
from shared.runtime.clock import commit_id, now
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Item, Problem
from shared.task.plan import OperationCard, Plan, SubtaskPlan, freeze
from shared.task.state import Actor

ANA = Actor("user", "ana", "rest")
WHO = cmd.Claimant("i", "e", Item(stamp="w", seq=1))
PLAN = freeze(Plan(subtasks=[SubtaskPlan(key="a", operation="noop")]), {"noop": OperationCard(name="noop")})
COMMITS = 7


async def _history() -> list[Stored]:
    """The commits of a task of one subtask that fails, is retried and fails again, sequences with gaps."""
    storage = MemoryStorage()
    log = TaskLog(storage)

    async def do(*commands: cmd.Command, task_id: int = 1) -> int:
        note = Note(commit_id(), now(), By.of(ANA), command="x")
        return (await log.transact(task_id, lambda task: decide(task, *commands), note)).seq

    for task_id in (2, 1):
        await do(cmd.CreateTask(task_id, "T", "plan", ANA, now(), subtasks=PLAN), task_id=task_id)
    for round_ in range(3):
        fence = await do(cmd.Claim(1, WHO, now()))
        await do(cmd.Settle(1, fence, cmd.Failed(Problem(kind="K", message="m"), retryable=False), now()))
        if round_ == 0:
            await do(cmd.RetryTask(now()))
        else:
            break
    await do(cmd.DeleteTask(now()))
    return await storage.read(1)


@pytest.fixture(scope="module")
def history() -> list[Stored]:
    """One history for all cases; nobody changes it."""
    found = asyncio.run(_history())
    assert len(found) == COMMITS
    return found


def witness(messages: Sequence[Stored]) -> Witness:
    """What the view has kept of a history."""
    task, seq = fold(messages)
    assert task is not None
    return Witness(seq, task.head)


def doctored(messages: Sequence[Stored], place: int, body: bytes) -> list[Stored]:
    """The history with one body replaced."""
    return [replace(m, body=body) if number == place else m for number, m in enumerate(messages)]


def test_a_history_as_it_was_written_is_whole(history: list[Stored]) -> None:
    """No link is broken, with the view as a witness or without."""
    for seen in (None, witness(history), witness(history[:3])):
        chain = check(1, history, seen)
        assert chain.whole
        assert (chain.commits, chain.seq, chain.head) == (COMMITS, history[-1].seq, witness(history).head)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_one_byte_of_a_copied_log_is_found_with_its_sequence(history: list[Stored], data: Any) -> None:
    """Whatever byte of whatever commit is edited, its sequence number is named, and no other one (I15)."""
    place = data.draw(st.integers(0, COMMITS - 1))
    body = history[place].body
    at = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != body[at]))
    edited = doctored(history, place, body[:at] + bytes([byte]) + body[at + 1 :])

    assert {broken.seq for broken in check(1, edited, witness(history)).broken} == {history[place].seq}


def test_an_edit_that_still_reads_well_is_found(history: list[Stored]) -> None:
    """Another name for who did it: valid JSON, a valid commit, and still found; the last commit by the witness."""
    for place, message in enumerate(history):
        edited = doctored(history, place, message.body.replace(b'"ana"', b'"eve"'))
        found = check(1, edited, witness(history))
        assert [broken.seq for broken in found.broken] == [message.seq]
        assert "changed" in found.broken[0].why


def test_without_a_witness_the_last_commit_is_vouched_for_by_nobody(history: list[Stored]) -> None:
    """Said plainly: nothing follows it; and where its link breaks, both ends are named."""
    last = len(history) - 1
    assert check(1, doctored(history, last, history[last].body.replace(b'"ana"', b'"eve"'))).whole
    before = check(1, doctored(history, last - 1, history[last - 1].body.replace(b'"ana"', b'"eve"')))
    assert [broken.seq for broken in before.broken] == [history[last - 1].seq]
    assert f"or {history[last].seq} itself" in before.broken[0].why


@pytest.mark.parametrize("place", range(COMMITS))
def test_a_removed_commit_is_found(history: list[Stored], place: int) -> None:
    """Its neighbour before is named, the one behind for the first; the last one is missed by the witness."""
    left = [message for number, message in enumerate(history) if number != place]
    named = {0: history[1].seq, COMMITS - 1: history[-1].seq}.get(place, history[place - 1].seq)
    assert [broken.seq for broken in check(1, left, witness(history)).broken] == [named]


@pytest.mark.parametrize("place", range(1, COMMITS))
def test_a_commit_put_in_is_found(history: list[Stored], place: int) -> None:
    """A copy at another position, or a commit of another task: it is named, and the chain goes on behind it."""
    for body in (history[0].body, history[place - 1].body, history[0].body.replace(b'"task":1', b'"task":2'), b"{}"):
        stray = Stored(history[place].seq, "id", body)
        later = [replace(message, seq=message.seq + 1) for message in history[place:]]
        found = check(1, [*history[:place], stray, *later], Witness(later[-1].seq, witness(history).head))
        assert [broken.seq for broken in found.broken] == [stray.seq]


def test_a_commit_put_at_the_end_is_told_from_an_edit_before_it(history: list[Stored]) -> None:
    """The view, which has not seen it yet, vouches for the commit before."""
    stray = Stored(history[-1].seq + 5, "id", history[0].body)
    assert [broken.seq for broken in check(1, [*history, stray], witness(history)).broken] == [stray.seq]


def test_a_history_that_is_gone_is_found(history: list[Stored]) -> None:
    """The view has seen it, the log has nothing."""
    assert [broken.seq for broken in check(1, [], witness(history)).broken] == [history[-1].seq]
