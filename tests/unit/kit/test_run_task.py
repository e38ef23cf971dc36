"""`run_task`: whole tasks with the real core; what goes wrong does so where a test says."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from opsledger.kit import ExecutorPolicy, Plan, Refusal, RetryPolicy, SubtaskPlan, UndoPlan
from opsledger.testing import RunTask, Snapshot
from opsledger.workbench.clock import FakeClock, WallClock
from opsledger.workbench.cue import NeverReached
from opsledger.workbench.offers import start
from shared.log.fold import fold
from shared.task.commands import CancelTask
from shared.task.refusals import PlanInvalid
from tests.support.eventually import eventually
from tests.unit.kit.wares import BUSY, DB, block, busy, mark, once, pair, party, tell

GUESTS = {"guests": ["ada", "bob"]}


async def test_a_task_runs_to_its_end(run_task: RunTask, operation_files: Path) -> None:
    """States, outputs, events, lines and effects are there."""
    ran = await run_task(party, GUESTS, operations=[mark])

    assert (ran.state, ran.operation, ran.problem) == ("SUCCESSFUL", "EXECUTE", None)
    assert ran.states == {"ada": "SUCCESSFUL", "bob": "SUCCESSFUL"}
    assert ran.outputs == {"ada": {"path": "ada"}, "bob": {"path": "bob"}}
    assert ran.log == ["marking ada", "marking bob"]
    assert ran.events[:2] == ["task.created", "task.planned"]
    assert ran.events[-3:] == ["subtask.started bob", "subtask.succeeded bob", "task.finished"]
    assert (operation_files / "bob").read_text() == "1/2/1\n"


async def test_the_state_is_what_a_fold_of_the_log_gives(run_task: RunTask) -> None:
    """It is the real log: whoever reads it anew sees the same task."""
    ran = await run_task(party, GUESTS, operations=[mark], fail_at="bob")

    folded, _ = fold(await ran.bench.log.history(1))

    assert folded is not None
    assert (folded.state.value, folded.version) == (ran.state, ran.task.version)


async def test_a_retry_costs_no_time(run_task: RunTask) -> None:
    """Ten minutes between two attempts pass on the fake clock alone; the failed attempt is undone before."""
    began = time.monotonic()
    ran = await run_task(party, GUESTS, operations=[mark], fail_at=[("ada", "after", BUSY), ("ada", "before", BUSY)])

    assert ran.state == "SUCCESSFUL"
    assert time.monotonic() - began < 5
    assert isinstance(ran.clock, FakeClock)
    assert 1200 <= ran.clock.elapsed < 1201
    assert ran.steps["ada"].executed == 3
    assert [attempt.phase for attempt in ran.steps["ada"].attempts] == ["execute", "undo"] * 2 + ["execute"]


async def test_a_clock_that_stands_still_is_moved_by_the_test(run_task: RunTask, fake_clock: FakeClock) -> None:
    """Until its time has come a retry waits; `advance` brings it."""
    fake_clock.still = True
    ran = await run_task(party, GUESTS, operations=[mark], clock=fake_clock, fail_at=("ada", "before", BUSY))
    assert (ran.state, ran.states["ada"]) == ("RUNNING", "READY")

    await ran.advance(599)
    assert ran.steps["ada"].executed == 1
    await ran.advance(2)

    assert ran.state == "SUCCESSFUL"


async def test_whoever_waits_for_a_retry_can_be_cancelled(run_task: RunTask, fake_clock: FakeClock) -> None:
    """The operator's commands are the real ones."""
    fake_clock.still = True
    ran = await run_task(party, GUESTS, operations=[mark], clock=fake_clock, fail_at=("ada", "before", BUSY))

    await ran.cancel()

    assert ran.state == "CANCELLED"
    assert "rollback" in ran.allowed


@pytest.mark.parametrize("place", ["before", "after"])
async def test_a_crash_runs_it_again_with_the_same_token(run_task: RunTask, operation_files: Path, place: str) -> None:
    """At least once: another executor takes over; the target can tell the repetition by the token."""
    ran = await run_task(party, GUESTS, operations=[mark], crash_at=("ada", place))

    assert ran.state == "SUCCESSFUL"
    assert ran.steps["ada"].tokens == ["1/1/1", "1/1/1"]
    assert ran.events.count("subtask.lost ada") == 1
    assert (operation_files / "ada").read_text() == "1/1/1\n" * (2 if place == "after" else 1)


async def test_a_crash_in_the_middle_leaves_half_of_it(run_task: RunTask, operation_files: Path) -> None:
    """At the very line: what comes behind it has not happened, and the next attempt finds what has."""
    plan = Plan(subtasks=[SubtaskPlan(key="pair", operation="test.pair")])
    ran = await run_task(plan, operations=[pair], crash_at=("pair", "says half"))

    assert ran.state == "SUCCESSFUL"
    assert ran.outputs["pair"] == {"found": ["one"]}
    assert len(ran.steps["pair"].attempts) == 2


async def test_a_failure_in_the_middle_is_undone_before_it_is_tried_again(run_task: RunTask) -> None:
    """So a retry starts from what was there."""
    retry = RetryPolicy(times=1)
    plan = Plan(subtasks=[SubtaskPlan(key="pair", operation="test.pair", retry=retry)])
    ran = await run_task(plan, operations=[pair], fail_at=("pair", "says half", BUSY))

    assert ran.outputs["pair"] == {"found": []}
    assert ran.log == ["half of it", BUSY.message, "removing", "half of it"]


async def test_a_cancel_in_the_middle_counts_what_is_done(run_task: RunTask) -> None:
    """An operation that does not listen and ends has ended well."""
    plan = Plan(subtasks=[SubtaskPlan(key="pair", operation="test.pair")])
    ran = await run_task(plan, operations=[pair], cancel_at=("pair", "says half"))

    assert ran.states == {"pair": "SUCCESSFUL"}


async def test_at_most_once_is_left_to_a_person(run_task: RunTask) -> None:
    """Nobody knows whether it happened, so it does not happen again by itself."""
    plan = Plan(subtasks=[SubtaskPlan(key="send", operation="test.once")])
    ran = await run_task(plan, operations=[once], crash_at=("send", "after"))

    assert ran.state == "FAILED"
    assert ran.problem is not None
    assert ran.problem.kind == "UNKNOWN_OUTCOME"
    assert len(ran.steps["send"].attempts) == 1
    await ran.skip()
    assert ran.state == "SUCCESSFUL"


async def test_an_undo_undoes(run_task: RunTask, operation_snapshot: Snapshot) -> None:
    """Wherever it stopped, also when the undo's executor dies in the middle."""
    before = operation_snapshot()
    ran = await run_task(party, GUESTS, operations=[mark], fail_at=("bob", "after"))
    assert set(operation_snapshot()) == {"ada", "bob"}

    await ran.rollback(crash_at=("ada", "after"))

    assert ran.rolled_back
    assert operation_snapshot() == before
    assert ran.states == {"ada": "PENDING", "bob": "PENDING"}
    assert ran.log[-2:] == ["removing whatever is there", "removing ada"]


async def test_a_failed_undo_fails_the_rollback_and_can_be_rolled_back_again(run_task: RunTask) -> None:
    """The way back can break, too."""
    ran = await run_task(party, GUESTS, operations=[mark], fail_at="bob")
    await ran.rollback(fail_at="ada")
    assert (ran.state, ran.operation, ran.rolled_back) == ("FAILED", "ROLLBACK", False)

    await ran.rollback()

    assert ran.rolled_back


async def test_the_walls_clock_waits_and_can_be_cancelled(operation_files: Path) -> None:
    """`type run --local` waits as an executor does; Ctrl-C ends a wait of ten minutes at once."""
    ran = await start(party, GUESTS, files=operation_files, operations=[mark], clock=WallClock())
    running = asyncio.create_task(ran.go_on(fail_at=("ada", "before", BUSY)))
    await eventually(lambda: ran.states["ada"] == "READY" and ran.steps["ada"].executed == 1, what="the retry waits")

    await ran.bench.command(CancelTask(ran.clock.now()))

    await asyncio.wait_for(running, 5)
    assert ran.state == "CANCELLED"


async def test_a_retry_by_hand_has_a_new_token(run_task: RunTask) -> None:
    """One generation up, as an operator's retry is."""
    ran = await run_task(party, GUESTS, operations=[mark], fail_at="bob")

    await ran.retry("bob")

    assert ran.state == "SUCCESSFUL"
    assert ran.steps["bob"].tokens[-1] == "1/2/2"


async def test_a_cancel_reaches_what_runs(run_task: RunTask) -> None:
    """`ctx.cancelled` is set as soon as the core has decided."""
    plan = Plan(subtasks=[SubtaskPlan(key="work", operation="test.busy")])
    ran = await run_task(plan, operations=[busy], cancel_at="work")

    assert (ran.state, ran.states["work"]) == ("CANCELLED", "FAILED")
    assert ran.steps["work"].problem is not None
    assert ran.steps["work"].problem.kind == "CANCELLED"


async def test_who_does_not_listen_is_stopped(run_task: RunTask) -> None:
    """After the policy's grace the coroutine is cancelled, as in an executor."""
    policy = ExecutorPolicy(cancel_grace=0.05)
    ran = await run_task(Plan(subtasks=[SubtaskPlan(key="run", operation="command.run",
                                                    params={"argv": ["sleep", "60"]})]),
                         policy=policy, cancel_at="run")  # fmt: skip

    assert ran.state == "CANCELLED"


async def test_what_is_illegal_is_refused_in_the_cores_words(run_task: RunTask) -> None:
    """A task that succeeded cannot be rolled back, and says what can be done."""
    ran = await run_task(party, GUESTS, operations=[mark])

    with pytest.raises(Refusal, match="Allowed now: delete"):
        await ran.rollback()


async def test_secrets_are_masked_in_all_that_is_kept(run_task: RunTask) -> None:
    """It is the executor's own masking: lines, outputs, the log; of connections, too."""
    plan = Plan(subtasks=[SubtaskPlan(key="tell", operation="test.tell", params={"key": "kv:key"})])
    ran = await run_task(plan, operations=[tell], secrets={"kv:key": "s3cret-value"}, connections={"db": DB})

    assert ran.state == "SUCCESSFUL"
    assert ran.outputs["tell"] == {"key": "***", "url": DB.url}
    assert ran.log == ["the key is ***, the password *** of 1/1/1"]
    assert "s3cret-value" not in json.dumps([event.model_dump(mode="json") for event in ran.history])


async def test_what_was_not_given_is_a_clear_fault(run_task: RunTask) -> None:
    """A test names its secrets and connections; none is looked for on this machine."""
    plan = Plan(subtasks=[SubtaskPlan(key="tell", operation="test.tell", params={"key": "env:HOME"})])
    ran = await run_task(plan, operations=[tell])

    assert ran.problem is not None
    assert "was not given to the workbench" in ran.problem.message


async def test_a_cue_that_was_never_played_fails_the_test(run_task: RunTask) -> None:
    """A crash that did not happen proves nothing; a step that is not there neither."""
    with pytest.raises(NeverReached, match="crash_at=\\('bob', 'before'\\)"):
        await run_task(party, GUESTS, operations=[mark], fail_at="ada", crash_at="bob")
    with pytest.raises(ValueError, match="has no step 'eve'"):
        await run_task(party, GUESTS, operations=[mark], fail_at="eve")


async def test_one_operation_is_a_task_of_one_step(run_task: RunTask) -> None:
    """By itself, or by the name that its entry point gives it."""
    assert (await run_task(mark, {"name": "x"})).states == {"mark": "SUCCESSFUL"}
    assert (await run_task("noop", {"value": 5})).outputs == {"noop": 5}
    with pytest.raises(LookupError, match="nothing installed here is called 'nope'"):
        await run_task("nope")


async def test_a_plan_that_is_not_fit_is_refused(run_task: RunTask) -> None:
    """A caller's plan as the API would; a task type's as an executor does: the task fails."""
    with pytest.raises(PlanInvalid, match="no executor offers operation"):
        await run_task(Plan(subtasks=[SubtaskPlan(key="a", operation="test.nope")]))

    ran = await run_task(party, {"guests": []}, operations=[mark])
    assert ran.problem is not None
    assert (ran.state, ran.problem.kind) == ("FAILED", "PLAN_INVALID")


async def test_concurrency_is_the_cores(run_task: RunTask) -> None:
    """No more is begun than the plan allows."""
    steps = [SubtaskPlan(key=str(n), operation="wait", params={"seconds": 0.01}) for n in range(4)]
    ran = await run_task(Plan(subtasks=steps, concurrency=2))

    running = peak = 0
    for event in ran.events:
        running += event.startswith("subtask.started") - event.startswith("subtask.succeeded")
        peak = max(peak, running)
    assert (ran.state, peak) == ("SUCCESSFUL", 2)


async def test_who_blocks_the_loop_is_told(run_task: RunTask) -> None:
    """What the lint cannot see shows when it runs: the step is named."""
    plan = Plan(subtasks=[SubtaskPlan(key="quick", operation="noop"), SubtaskPlan(key="slow", operation="test.block")])
    ran = await run_task(plan, operations=[block])

    assert ran.state == "SUCCESSFUL"
    assert max(stall.seconds for stall in ran.stalls if "slow" in stall.keys) >= 0.6


async def test_a_plans_own_undo_is_run(run_task: RunTask, operation_files: Path) -> None:
    """A step may name another operation that takes it back, with parameters of its own."""
    undo = UndoPlan(operation="file.write", params={"path": "undone", "content": "yes"})
    plan = Plan(
        subtasks=[
            SubtaskPlan(key="mark", operation="noop", undo=undo),
            SubtaskPlan(key="end", operation="noop", upstreams=["mark"]),
        ]
    )
    ran = await run_task(plan, fail_at="end")

    await ran.rollback()

    assert ran.rolled_back
    assert (operation_files / "undone").read_text() == "yes"


async def test_a_large_output_travels_to_the_next_step(run_task: RunTask) -> None:
    """What does not fit into an event lies in the store, as in a real executor."""
    value = "x" * 100_000
    ran = await run_task(
        Plan(
            subtasks=[
                SubtaskPlan(key="big", operation="noop", params={"value": value}),
                SubtaskPlan(key="copy", operation="file.write", upstreams=["big"],
                            params={"path": "copy", "content_from": {"upstream": "big"}}, retry=RetryPolicy()),
            ]
        )
    )  # fmt: skip

    assert ran.outputs["big"] == value
    assert (ran.files / "copy").read_text() == value
