"""What every log does, in memory and on JetStream alike: one truth per task, and an answer of one's own."""

import asyncio
from dataclasses import replace

import pytest

from shared.log.port import CommitTooLarge, LogTooNew, NotStored
from shared.messages.codec import decode
from shared.runtime.clock import commit_id
from shared.task import commands as cmd
from shared.task.decide import Verdict
from shared.task.refusals import IllegalState, KeyReused, NotReady, Refusal, StaleFence, TaskNotFound, VersionMismatch
from shared.task.state import SubtaskStatus, Task, TaskState
from tests.contract.conftest import NewLog
from tests.contract.players import (
    NOW,
    agrees,
    break_down,
    claim,
    claimant,
    commits,
    create,
    deciding,
    note,
    succeed,
    wide,
    work_off,
)
from tests.unit.task.given import node, standing

RETRY = deciding(cmd.RetryTask(NOW))
CANCEL = deciding(cmd.CancelTask(NOW))


async def test_a_created_task_is_there_for_everybody(new_log: NewLog, task_id: int) -> None:
    """What one process creates another one reads, at the sequence that the creator was told."""
    ours, theirs = await new_log(), await new_log()
    created = await create(ours, task_id)
    assert created.seq == await theirs.last(task_id)
    found = await theirs.load(task_id)
    assert found is not None
    assert standing(found) == standing(created.task)
    assert (found.version, found.created_seq, found.seq) == (1, created.seq, created.seq)


async def test_what_nobody_created_is_not_there(new_log: NewLog, task_id: int) -> None:
    """No task, no history, sequence 0; a command on it is refused and leaves no trace."""
    log = await new_log()
    assert await log.load(task_id) is None
    with pytest.raises(TaskNotFound):
        await log.transact(task_id, RETRY, note(command="retry"))
    assert await log.history(task_id) == []
    assert await log.last(task_id) == 0


async def test_a_task_is_created_once(new_log: NewLog, task_id: int) -> None:
    """The second creation loses the race at the broker, reads what is there, and is refused."""
    ours, theirs = await new_log(), await new_log()
    await create(ours, task_id)
    with pytest.raises(IllegalState):
        await create(theirs, task_id)
    assert [commit.decisions[0].outcome for commit in await commits(ours, task_id)] == ["accepted"]


async def test_two_processes_race_and_both_get_through(new_log: NewLog, task_id: int) -> None:
    """Forty decisions from two processes, each told whether it won; the chain of hashes is whole."""
    logs = [await new_log(), await new_log()]
    created = await create(logs[0], task_id, *(node(f"n{number}") for number in range(40)))
    assert created.task.counts[SubtaskStatus.READY] == 40
    fences = await asyncio.gather(
        *(claim(logs[number % 2], task_id, number, f"e{number % 2}") for number in range(1, 41))
    )
    assert len(await commits(logs[0], task_id)) == logs[0].commits + logs[1].commits
    for log in logs:
        task = await agrees(log, task_id)
        assert [subtask.claim.fence for subtask in task.subtasks if subtask.claim] == fences
        assert [subtask.executor for subtask in task.subtasks] == [f"e{number % 2}" for number in range(1, 41)]


async def test_one_claim_has_one_winner(new_log: NewLog, task_id: int) -> None:
    """Of ten executors that want the same subtask one gets it; the others are told so by the leader's state."""
    logs = [await new_log(), await new_log()]
    await create(logs[0], task_id)
    answers = await asyncio.gather(
        *(claim(logs[number % 2], task_id, 1, f"e{number}") for number in range(10)), return_exceptions=True
    )
    assert len([answer for answer in answers if isinstance(answer, int)]) == 1
    assert len([answer for answer in answers if isinstance(answer, IllegalState)]) == 9
    assert len(await commits(logs[0], task_id)) == 2


async def test_decisions_that_wait_go_out_together(new_log: NewLog, task_id: int) -> None:
    """A hundred reports at once take a few commits; each caller gets its own verdict."""
    log = await new_log()
    await create(log, task_id, *(node(f"n{number}") for number in range(100)))
    fences = await asyncio.gather(*(claim(log, task_id, number) for number in range(1, 101)))
    assert log.commits <= 1 + 3
    results = await asyncio.gather(
        *(succeed(log, task_id, number, fence) for number, fence in enumerate(fences, start=1))
    )
    assert log.commits <= 1 + 3 + 3
    assert log.decisions == 201
    for number, result in enumerate(results, start=1):
        assert result.verdict is not None
        assert {getattr(event, "subtask", number) for event in result.verdict.events} == {number}
    assert (await agrees(log, task_id)).state is TaskState.SUCCESSFUL
    assert sum(len(commit.decisions) for commit in await commits(log, task_id)) == 201


async def test_a_refusal_in_a_group_is_its_callers_alone(new_log: NewLog, task_id: int) -> None:
    """Between reports that are accepted, one with a stale fence is refused and one with a fault fails."""
    log = await new_log()
    await create(log, task_id, *(node(f"n{number}") for number in range(10)))
    fences = await asyncio.gather(*(claim(log, task_id, number) for number in range(1, 11)))

    def faulty(task: Task | None) -> Verdict:
        raise ZeroDivisionError(task)

    fences[4] = 999_999
    answers = await asyncio.gather(
        *(succeed(log, task_id, number, fence) for number, fence in enumerate(fences, start=1)),
        log.transact(task_id, faulty, note()),
        return_exceptions=True,
    )
    assert isinstance(answers[4], StaleFence)
    assert isinstance(answers[10], ZeroDivisionError)
    task = await agrees(log, task_id)
    assert [s.number for s in task.subtasks if s.status is not SubtaskStatus.SUCCESSFUL] == [5]


async def test_a_caller_that_has_gone_decides_nothing(new_log: NewLog, task_id: int) -> None:
    """A request that was cancelled while it waited is left out of the next commit."""
    log = await new_log()
    await create(log, task_id, node("a"), node("b"))
    first = asyncio.create_task(claim(log, task_id, 1))
    await asyncio.sleep(0)
    gone = asyncio.create_task(log.transact(task_id, CANCEL, note(command="cancel")))
    await asyncio.sleep(0)
    gone.cancel()
    await first
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert (await agrees(log, task_id)).turn == 0


async def test_a_refused_command_is_recorded(new_log: NewLog, task_id: int) -> None:
    """It is in the log with who, what and why, the position moves on, and the version does not (S13)."""
    log = await new_log()
    created = await create(log, task_id)
    with pytest.raises(IllegalState):
        await log.transact(task_id, RETRY, note(command="retry", reason="try"))
    _, refused = await commits(log, task_id)
    assert (refused.decisions[0].outcome, refused.decisions[0].events) == ("refused", ())
    assert refused.decisions[0].refusal is not None
    assert refused.decisions[0].refusal.command == "retry"
    task = await agrees(log, task_id)
    assert task.seq > created.seq
    assert task.version == created.task.version


async def test_a_refusal_without_a_command_leaves_no_trace(new_log: NewLog, task_id: int) -> None:
    """What executors are refused is no news: nothing is stored."""
    log = await new_log()
    created = await create(log, task_id)
    with pytest.raises(StaleFence):
        await succeed(log, task_id, 1, 5)
    assert await log.last(task_id) == created.seq


@pytest.mark.parametrize("recorded", [True, False])
async def test_a_refusal_is_decided_on_the_newest_state(new_log: NewLog, task_id: int, recorded: bool) -> None:
    """A stale cache would refuse the retry; the broker, or the leader, says otherwise."""
    ours, theirs = await new_log(), await new_log()
    await create(ours, task_id)
    await break_down(theirs, task_id)
    cached = ours.cached(task_id)
    assert cached is not None
    assert cached.state is TaskState.READY, "ours is stale"
    result = await ours.transact(task_id, RETRY, note(command="retry" if recorded else None))
    assert result.task.subtasks[0].generation == 2
    assert len(await commits(ours, task_id)) == 4


async def test_nothing_to_do_is_decided_on_the_newest_state(new_log: NewLog, task_id: int) -> None:
    """A decision without events has no referee but the leader: it is asked again before anybody rests on it."""
    ours, theirs = await new_log(), await new_log()
    await create(ours, task_id)
    await break_down(theirs, task_id)
    seen: list[TaskState] = []

    def look(task: Task | None) -> Verdict:
        assert task is not None
        seen.append(task.state)
        return Verdict(task)

    result = await ours.transact(task_id, look, note())
    assert seen == [TaskState.READY, TaskState.FAILED]
    assert result.task.state is TaskState.FAILED


async def test_a_key_is_answered_once_for_ever(new_log: NewLog, task_id: int) -> None:
    """Same key and body: the first answer, from any process, also from one that never saw the task."""
    ours, theirs = await new_log(), await new_log()
    created = await create(ours, task_id, key="k1", body_hash="h1")
    await break_down(ours, task_id)
    first = await ours.transact(task_id, RETRY, note(command="retry", key="k2", body_hash="h2"))
    for log in (ours, theirs):
        again = await log.transact(task_id, RETRY, note(command="retry", key="k2", body_hash="h2"))
        assert (again.seq, again.verdict) == (first.seq, None)
        assert again.replayed is not None
        assert again.replayed.accepted
        recreated = await create(log, task_id, key="k1", body_hash="h1")
        assert recreated.seq == created.seq
        assert recreated.replayed is not None
    assert (await agrees(theirs, task_id)).turn == 1


async def test_a_key_with_another_body_is_refused(new_log: NewLog, task_id: int) -> None:
    """The key stands for what was first asked with it."""
    ours, theirs = await new_log(), await new_log()
    await create(ours, task_id)
    await break_down(ours, task_id)
    await ours.transact(task_id, RETRY, note(command="retry", key="k", body_hash="h"))
    for log in (ours, theirs):
        with pytest.raises(KeyReused):
            await log.transact(task_id, CANCEL, note(command="cancel", key="k", body_hash="other"))
    assert not (await agrees(theirs, task_id)).cancelled


async def test_a_refusal_is_remembered_by_its_key(new_log: NewLog, task_id: int) -> None:
    """The repeat of a refused command gets the refusal, though it would be legal by now."""
    log = await new_log()
    await create(log, task_id)
    with pytest.raises(IllegalState) as refusal:
        await log.transact(task_id, RETRY, note(command="retry", key="k", body_hash="h"))
    await break_down(log, task_id)
    again = await (await new_log()).transact(task_id, RETRY, note(command="retry", key="k", body_hash="h"))
    assert again.replayed is not None
    assert not again.replayed.accepted
    assert (again.replayed.code, again.replayed.kind) == (refusal.value.code, "illegal_state")
    assert again.replayed.message == refusal.value.message
    assert (await agrees(log, task_id)).state is TaskState.FAILED


async def test_one_key_twice_at_once_is_one_decision(new_log: NewLog, task_id: int) -> None:
    """A double click: both requests wait in one process, one decides, the other gets its answer."""
    log = await new_log()
    await create(log, task_id)
    await break_down(log, task_id)
    answers = await asyncio.gather(
        *(log.transact(task_id, RETRY, note(command="retry", key="k", body_hash="h")) for _ in range(3))
    )
    assert len({answer.seq for answer in answers}) == 1
    assert [answer.replayed is None for answer in answers] == [True, False, False]
    assert (await agrees(log, task_id)).turn == 1


async def test_if_match_holds_within_a_group(new_log: NewLog, task_id: int) -> None:
    """Two commands that saw the same version go out together: the second has seen too little (B14)."""
    log = await new_log()
    await create(log, task_id, node("a"), node("b"))
    version = (await break_down(log, task_id)).task.version
    answers = await asyncio.gather(
        log.transact(task_id, deciding(cmd.RetrySubtask(NOW, version, number=1)), note(command="retry")),
        log.transact(task_id, deciding(cmd.CancelTask(NOW, version)), note(command="cancel")),
        return_exceptions=True,
    )
    assert [type(answer).__name__ for answer in answers] == ["Transacted", "VersionMismatch"]
    task = await agrees(log, task_id)
    assert task.version == version + 1
    with pytest.raises(VersionMismatch):
        await (await new_log()).transact(task_id, deciding(cmd.CancelTask(NOW, version)), note())


async def test_a_decision_too_large_fails_alone(new_log: NewLog, task_id: int) -> None:
    """What fits goes out in as many commits as it takes; what cannot fit fails its caller, and nobody else."""
    log = await new_log()
    await create(log, task_id, *(node(f"n{number}") for number in range(6)))
    fences = await asyncio.gather(*(claim(log, task_id, number) for number in range(1, 7)))

    async def report(number: int, size: int) -> None:
        settle = cmd.Settle(number, fences[number - 1], cmd.Succeeded(output="x" * size), NOW)
        await log.transact(task_id, deciding(settle), note())

    sizes = [90_000, 90_000, 300_000, 90_000, 90_000, 10]
    answers = await asyncio.gather(
        *(report(number, size) for number, size in enumerate(sizes, start=1)), return_exceptions=True
    )
    assert [type(answer) for answer in answers if answer is not None] == [CommitTooLarge]
    task = await agrees(log, task_id)
    assert [s.number for s in task.subtasks if s.status is not SubtaskStatus.SUCCESSFUL] == [3]


async def test_a_reader_may_ask_how_new_the_state_has_to_be(new_log: NewLog, task_id: int) -> None:
    """The cache answers unless `at_least` or `fresh` asks for more than it has."""
    ours, theirs = await new_log(), await new_log()
    await create(ours, task_id)
    fence = await claim(theirs, task_id, 1)
    for at_least, expected in ((0, SubtaskStatus.READY), (fence, SubtaskStatus.RUNNING)):
        task = await ours.load(task_id, at_least=at_least)
        assert task is not None
        assert task.subtasks[0].status is expected
    await succeed(theirs, task_id, 1, fence)
    task = await ours.load(task_id, fresh=True)
    assert task is not None
    assert task.state is TaskState.SUCCESSFUL
    assert ours.highest == theirs.highest


@pytest.mark.parametrize("how", ["at_least", "fresh"])
async def test_a_decision_may_ask_how_new_the_state_has_to_be(new_log: NewLog, task_id: int, how: str) -> None:
    """The first look of `decide` is then at the newest state already."""
    ours, theirs = await new_log(), await new_log()
    await create(ours, task_id)
    fence = await claim(theirs, task_id, 1)
    seen: list[int] = []

    def look(task: Task | None) -> Verdict:
        assert task is not None
        seen.append(task.seq)
        return Verdict(task)

    await ours.transact(task_id, look, note(), at_least=fence if how == "at_least" else 0, fresh=how == "fresh")
    assert seen == [fence]


async def test_a_reader_is_not_kept_waiting_by_writers(new_log: NewLog, task_id: int) -> None:
    """A fresh read while a commit is in flight is answered beside it, and is not older than what was there."""
    log, theirs = await new_log(), await new_log()
    await create(log, task_id, *(node(f"n{number}") for number in range(4)))
    fence = await claim(theirs, task_id, 4)
    writing = [asyncio.create_task(claim(log, task_id, number)) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    task = await log.load(task_id, fresh=True)
    assert task is not None
    assert task.seq >= fence
    await asyncio.gather(*writing)
    await agrees(log, task_id)


async def test_the_cache_is_bounded(new_log: NewLog, task_id: int) -> None:
    """States that nobody asks for are dropped, also those that were only read; they come back when asked for."""
    base = task_id * 1_000_000
    log, reader = await new_log(cache_weight=300), await new_log(cache_weight=300)
    for offset in range(20):
        await create(log, base + offset, *(node(f"n{number}") for number in range(40)))
        assert await reader.load(base + offset) is not None
    for each in (log, reader):
        assert each.lanes.weight <= 300
        assert len(each.lanes) < 8
        assert each.cached(base) is None
        assert each.cached(base + 19) is not None
    fence = await claim(log, base, 1)
    assert (await succeed(log, base, 1, fence)).task.counts[SubtaskStatus.SUCCESSFUL] == 1


async def test_a_task_that_is_busy_is_not_dropped(new_log: NewLog, task_id: int) -> None:
    """Group commit goes on when the cache is full of tasks that are all being written to."""
    base = task_id * 1_000_000
    log = await new_log(cache_weight=1)
    await asyncio.gather(*(create(log, base + offset, node("a"), node("b"), node("c")) for offset in range(5)))
    await asyncio.gather(*(claim(log, base + offset, number) for number in (1, 2, 3) for offset in range(5)))
    assert log.conflicts == 0


async def test_forgetting_costs_a_read_and_nothing_else(new_log: NewLog, task_id: int) -> None:
    """After a lost connection every state is read anew."""
    log = await new_log()
    await create(log, task_id)
    log.forget()
    assert log.cached(task_id) is None
    fence = await claim(log, task_id, 1)
    log.forget()
    await succeed(log, task_id, 1, fence)
    assert (await agrees(log, task_id)).state is TaskState.SUCCESSFUL


async def test_history_comes_in_order_and_in_pieces(new_log: NewLog, task_id: int) -> None:
    """Behind a sequence, up to a limit, and whole when it is longer than one batch of reads."""
    log, other = await new_log(), await new_log()
    await create(log, task_id)
    await create(other, task_id + 1_000_000)
    body = (await log.history(task_id))[0].body
    last = await log.last(task_id)
    for number in range(1100):
        last = await log.storage.append(task_id, f"copy-{task_id}-{number}", body, last)
    history = await log.history(task_id)
    assert len(history) == 1101
    assert [stored.seq for stored in history] == sorted({stored.seq for stored in history})
    assert history[5:8] == await log.history(task_id, history[4].seq, limit=3)
    assert await other.last(task_id) == history[-1].seq
    task = await log.load(task_id, fresh=True)
    assert task is not None
    assert (task.ignored, task.version) == (1100, 1), "copies change nothing"


async def test_garbage_between_commits_is_skipped_and_counted(new_log: NewLog, task_id: int) -> None:
    """Bytes that are no commit do not stop the task, whoever stored them; its own chain goes on."""
    log, other = await new_log(), await new_log()
    created = await create(log, task_id)
    for place, body in enumerate((b"", b"no json", b'{"v":1}', b"[" * 100_000), start=1):
        await log.storage.append(task_id, f"garbage-{task_id}-{place}", body, await log.last(task_id))
    fence = await claim(log, task_id, 1)
    assert fence > created.seq + 4
    for each in (log, other):
        task = await each.load(task_id, fresh=True)
        assert task is not None
        assert (task.ignored, task.subtasks[0].status) == (4, SubtaskStatus.RUNNING)


async def test_a_newer_programs_task_is_left_alone(new_log: NewLog, task_id: int) -> None:
    """Deciding on a state that was only half understood could undo what a newer version did (F25)."""
    log = await new_log()
    await create(log, task_id)
    body = (await log.history(task_id))[0].body.replace(b'"v":1', b'"v":2', 1)
    await log.storage.append(task_id, commit_id(), body, await log.last(task_id))
    for each in (log, await new_log()):
        with pytest.raises(LogTooNew):
            await claim(each, task_id, 1)
        with pytest.raises(LogTooNew):
            await each.load(task_id, fresh=True)
    assert len(await log.history(task_id)) == 2


async def test_a_storage_appends_on_the_expected_sequence_alone(new_log: NewLog, task_id: int) -> None:
    """The referee: another expected sequence, higher or lower, is a conflict, and an id is not stored twice (T6)."""
    log = await new_log()
    storage = log.storage
    first = await storage.append(task_id, f"a-{task_id}", b"1", 0)
    for expected in (0, first - 1, first + 1):
        answer = await asyncio.gather(storage.append(task_id, commit_id(), b"2", expected), return_exceptions=True)
        assert type(answer[0]).__name__ == "Conflict"
    again = await asyncio.gather(storage.append(task_id, f"a-{task_id}", b"1", 0), return_exceptions=True)
    assert type(again[0]).__name__ in {"Conflict", "Duplicate"}
    assert [stored.body for stored in await storage.read(task_id)] == [b"1"]


async def test_a_used_id_does_not_pass_for_a_new_commit(new_log: NewLog, task_id: int) -> None:
    """Who decides twice with one note is not told that the second was stored when it was not."""
    log = await new_log()
    await create(log, task_id, node("a"), node("b"))
    used = note()
    claim_one = deciding(cmd.Claim(1, claimant(), NOW))
    await log.transact(task_id, claim_one, used)
    with pytest.raises((NotStored, Refusal)):
        await log.transact(task_id, claim_one, replace(used))
    assert len(await commits(log, task_id)) == 2
    await agrees(log, task_id)


async def test_a_wide_task_takes_few_commits(new_log: NewLog, task_id: int) -> None:
    """A thousand subtasks side by side, two processes with sixteen workers each: a few hundred commits."""
    logs = [await new_log(), await new_log()]
    await create(logs[0], task_id, *wide(1000))
    queue: asyncio.Queue[int] = asyncio.Queue()
    queue.put_nowait(1)
    done = asyncio.Event()
    await asyncio.gather(*(work_off(logs[number % 2], task_id, queue, f"e{number}", done) for number in range(32)))
    task = await agrees(logs[0], task_id)
    assert task.state is TaskState.SUCCESSFUL
    stored = await commits(logs[1], task_id)
    assert [decision.outcome for commit in stored for decision in commit.decisions].count("refused") == 0
    starts = [
        event.subtask
        for commit in stored
        for d in commit.decisions
        for event in d.events
        if event.type == "subtask.started"
    ]
    assert sorted(starts) == list(range(1, 1003))
    assert len(stored) < 800


async def test_a_dead_executors_late_report_meets_its_successors_claim(new_log: NewLog, task_id: int) -> None:
    """Both processes' caches are right at the moment they decide; the fence keeps them apart (T10)."""
    ours, theirs = await new_log(), await new_log()
    await create(ours, task_id)
    fence = await claim(ours, task_id, 1)
    taken = await theirs.transact(task_id, deciding(cmd.Claim(1, claimant("e2"), NOW, owner_gone=fence)), note())
    with pytest.raises(StaleFence):
        await succeed(ours, task_id, 1, fence)
    assert (await succeed(theirs, task_id, 1, taken.seq)).task.state is TaskState.SUCCESSFUL
    with pytest.raises(NotReady):
        await claim(ours, task_id, 1)
    assert decode((await ours.history(task_id))[-1].body).decisions[0].events[-1].type == "task.finished"
