"""The rules one by one, as sentences: what happens to a task, event by event (specification §3.2, R1-R8)."""

import pytest

from shared.task import commands as cmd
from shared.task import events as ev
from shared.task.decide import decide
from shared.task.evolve import evolve
from shared.task.ids import MAX_TASK_ID, split_subtask_id, subtask_id, task_token
from shared.task.plan import MAX_SUBTASKS
from shared.task.refusals import (
    ClaimedElsewhere,
    NotReady,
    NotYet,
    PlanInvalid,
    StaleFence,
    SubtaskNotFound,
    TaskNotFound,
)
from shared.task.state import Direction, Operation, SubtaskStatus, TaskState
from tests.unit.task.given import OOPS, START, Story, node


def side_by_side(count: int, **settings: int) -> Story:
    """That many subtasks with no edges."""
    return Story.of(*(node(f"n{number}") for number in range(1, count + 1)), **settings)


# ---- forwards -----------------------------------------------------------------------------------------------------


def test_a_task_with_its_plan_is_ready_at_once() -> None:
    """Created and planned in one commit, its roots READY, also with no executor alive (R1)."""
    story = Story.of(node("a"), node("b", 1), node("c"))
    assert story.types == ["task.created", "task.planned"]
    assert (story.now.state, story.statuses) == (TaskState.READY, ["READY", "PENDING", "READY"])


def test_a_chain_goes_on_in_the_commit_of_its_last_link() -> None:
    """The result and the next claim go together; the last commit carries the end."""
    story = Story.of(node("a"), node("b", 1))
    story.claim(1)
    assert story.settle(1, cmd.Succeeded(), onward=True).claimed == [2]
    assert story.types == ["subtask.succeeded", "subtask.started"]
    story.settle(2, cmd.Succeeded(), onward=True)
    assert story.types == ["subtask.succeeded", "task.finished"]
    assert (story.now.state, story.now.operation) == (TaskState.SUCCESSFUL, Operation.EXECUTE)


def test_a_join_waits_for_all_its_upstreams() -> None:
    """PENDING until the last of them is SUCCESSFUL."""
    story = Story.of(node("a"), node("b"), node("join", 1, 2))
    assert story.run(2).statuses == ["READY", "SUCCESSFUL", "PENDING"]
    assert story.run(1).statuses == ["SUCCESSFUL", "SUCCESSFUL", "READY"]


def test_concurrency_bounds_what_is_active() -> None:
    """READY + RUNNING + CANCELING; the next one in number order takes the free place (R2)."""
    story = side_by_side(4, concurrency=2)
    assert story.statuses == ["READY", "READY", "PENDING", "PENDING"]
    story.claim(2)
    story.settle(2, cmd.Succeeded())
    assert story.statuses == ["READY", "SUCCESSFUL", "READY", "PENDING"]
    story.claim(1)
    story.cancel(1)
    assert story.statuses == ["CANCELING", "SUCCESSFUL", "READY", "PENDING"]


def test_ten_at_once_unless_the_plan_says_otherwise() -> None:
    """The default is 10, and 0 is no limit (R2)."""
    assert side_by_side(12).statuses.count("READY") == 10
    assert side_by_side(12, concurrency=0).statuses.count("READY") == 12


def test_fail_stop_takes_ready_back_and_lets_run_what_runs() -> None:
    """The task fails when nothing is active any more, and says of what it failed."""
    story = side_by_side(4, concurrency=3)
    story.claim(1)
    story.claim(2)
    story.settle(1, cmd.Failed(OOPS))
    assert (story.statuses, story.now.state) == (["FAILED", "RUNNING", "PENDING", "PENDING"], TaskState.RUNNING)
    story.settle(2, cmd.Succeeded())
    assert story.types == ["subtask.succeeded", "task.finished"]
    assert (story.statuses, story.now.state) == (["FAILED", "SUCCESSFUL", "PENDING", "PENDING"], TaskState.FAILED)
    assert story.now.problem is not None
    assert story.now.problem.detail == {"subtask": 1}


def test_what_a_command_made_ready_outlives_fail_stop() -> None:
    """A retried subtask stays READY when another one fails."""
    story = side_by_side(3, concurrency=2).break_down(1)
    story.retry(1)
    assert story.statuses == ["READY", "READY", "PENDING"]
    story.break_down(2)
    assert story.statuses == ["READY", "FAILED", "PENDING"]


# ---- retries ------------------------------------------------------------------------------------------------------


def test_automatic_retries_are_counted_in_the_log() -> None:
    """Two times and no more; the generation stays, the time is in the log, and nobody may claim before it (R3)."""
    story = Story.of(node("a", times=2, delay=10))
    for run in (1, 2):
        story.claim(1)
        story.settle(1, cmd.Failed(OOPS))
        assert (story.types, story[1].run_time) == (["subtask.retry_scheduled"], run)
        assert isinstance(story.refused(cmd.Claim(1, story.claimant(), story.at)), NotYet)
        story.later(10)
    story.claim(1)
    story.settle(1, cmd.Failed(OOPS))
    assert story.types == ["subtask.failed", "task.finished"]
    assert (story[1].run_time, story[1].generation) == (3, 1)


@pytest.mark.parametrize("retryable", [True, False])
def test_what_cannot_be_helped_is_not_retried(retryable: bool) -> None:
    """The operation says whether trying again may help."""
    story = Story.of(node("a", times=1))
    story.claim(1)
    story.settle(1, cmd.Failed(OOPS, retryable=retryable))
    assert story[1].status is (SubtaskStatus.READY if retryable else SubtaskStatus.FAILED)


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_retry_undoes_first(by_hand: bool) -> None:
    """The failed attempt is undone, then it executes, by hand or automatically (R5)."""
    story = Story.of(node("a", undo=True, times=0 if by_hand else 1))
    story.claim(1)
    story.settle(1, cmd.Failed(OOPS))
    if by_hand:
        story.retry()
    story.claim(1)
    assert story[1].claim is not None
    assert story[1].claim.phase == "undo"
    assert story.settle(1, cmd.Undone(), onward=True).claimed == [1]
    assert story[1].claim.phase == "execute"
    assert (story[1].run_time, story[1].attempt, story[1].generation) == (2, 3, 2 if by_hand else 1)


def test_a_retry_of_the_task_keeps_to_the_concurrency() -> None:
    """Every FAILED subtask runs again, no more at once than the plan says (R4)."""
    story = side_by_side(4, concurrency=2)
    story.claim(1)
    story.claim(2)
    for number in (1, 2):
        story.settle(number, cmd.Failed(OOPS))
    story.retry()
    assert story.statuses == ["READY", "READY", "PENDING", "PENDING"]
    assert [story[number].generation for number in (1, 2, 3, 4)] == [2, 2, 1, 1]
    assert story.run(1, 2, 3, 4).now.state is TaskState.SUCCESSFUL
    assert story.now.operation is Operation.RETRY


def test_a_retried_subtask_is_ready_from_now_on() -> None:
    """Who measures how long it waits for an executor does not count the time before."""
    story = Story.of(node("a")).break_down(1).later(3600)
    assert story.retry()[1].ready_at == story.at
    assert story[1].finished_at is None


def test_retry_now_does_not_wait() -> None:
    """An operator's retry of a waiting subtask is a new generation with a new budget."""
    story = Story.of(node("a", times=1, delay=3600))
    story.claim(1)
    story.settle(1, cmd.Failed(OOPS))
    story.retry(1)
    story.claim(1)
    story.settle(1, cmd.Failed(OOPS))
    assert (story.types, story[1].generation) == (["subtask.retry_scheduled"], 2)


# ---- skip and cancel ----------------------------------------------------------------------------------------------


def test_a_skipped_subtask_lets_its_followers_run() -> None:
    """SUCCESSFUL with operation SKIP, without an output (R6)."""
    story = Story.of(node("a"), node("b", 1)).break_down(1).skip(1)
    assert (story.statuses, story[1].operation, story[1].output) == (["SUCCESSFUL", "READY"], Operation.SKIP, None)


def test_skipping_one_of_two_leaves_the_other_ones_problem() -> None:
    """The task has still failed, of what is left."""
    story = side_by_side(2)
    story.claim(1)
    story.claim(2)
    for number in (1, 2):
        story.settle(number, cmd.Failed(OOPS))
    finished = story.now.finished_at
    story.later(5).skip(1)
    assert (story.now.state, story.now.finished_at) == (TaskState.FAILED, finished)
    assert story.types == ["subtask.skipped"]
    assert story.now.problem is not None
    assert story.now.problem.detail == {"subtask": 2}


def test_a_cancelled_task_ends_when_nothing_runs() -> None:
    """READY → PENDING, RUNNING → CANCELING → FAILED with operation CANCEL (R7)."""
    story = side_by_side(3, concurrency=2)
    story.claim(1)
    story.cancel()
    assert (story.statuses, story.now.state) == (["CANCELING", "PENDING", "PENDING"], TaskState.RUNNING)
    story.settle(1, cmd.Cancelled())
    assert (story.statuses, story[1].operation) == (["FAILED", "PENDING", "PENDING"], Operation.CANCEL)
    assert story.types == ["subtask.cancelled", "task.finished"]
    assert story.now.state is TaskState.CANCELLED
    assert story.retry().run(1, 2, 3).now.state is TaskState.SUCCESSFUL


def test_what_was_done_before_the_cancel_is_done() -> None:
    """Completed before the cancel reached it: SUCCESSFUL, and the cancel leaves no trace on it."""
    story = side_by_side(1)
    story.claim(1)
    story.cancel()
    story.settle(1, cmd.Succeeded())
    assert (story.now.state, story[1].operation) == (TaskState.SUCCESSFUL, Operation.EXECUTE)


def test_a_cancel_is_not_retried_automatically() -> None:
    """A failure while it is being cancelled ends it, whatever the budget."""
    story = Story.of(node("a", times=3))
    story.claim(1)
    story.cancel(1)
    story.settle(1, cmd.Failed(OOPS))
    assert (story.statuses, story[1].operation) == (["FAILED"], Operation.CANCEL)


# ---- rollback -----------------------------------------------------------------------------------------------------


def test_a_rollback_goes_backwards() -> None:
    """What has started is undone, followers first; what never started is PENDING at once (R8)."""
    story = Story.of(node("a"), node("b", 1), node("c", 1), node("d", 2, 3)).run(1, 2).break_down(3).roll_back()
    assert story.statuses == ["SUCCESSFUL", "READY", "READY", "PENDING"]
    assert [story[number].generation for number in (1, 2, 3, 4)] == [2, 2, 2, 1]
    assert story.undo(3, 2).statuses == ["READY", "PENDING", "PENDING", "PENDING"]
    story.undo(1)
    assert story.types == ["subtask.undone", "task.finished"]
    assert (story.now.state, story.now.operation) == (TaskState.SUCCESSFUL, Operation.ROLLBACK)
    assert story[1].operation is Operation.ROLLBACK


def test_an_undo_knows_the_generation_it_undoes() -> None:
    """The rollback is generation 3, what it undoes ran in generation 2 (I9)."""
    story = Story.of(node("a"), node("b", 1)).break_down(1).retry().run(1).break_down(2).roll_back()
    assert (story[1].generation, story[1].ran_generation) == (3, 2)


def test_a_failed_rollback_resumes() -> None:
    """What is undone stays so; the step that failed is tried again, or skipped."""
    story = Story.of(node("a"), node("b", 1), node("c", 2)).run(1, 2).break_down(3).roll_back().undo(3)
    story.claim(2)
    story.settle(2, cmd.Failed(OOPS))
    assert (story.statuses, story.now.state) == (["SUCCESSFUL", "FAILED", "PENDING"], TaskState.FAILED)
    story.roll_back()
    assert story.statuses == ["SUCCESSFUL", "READY", "PENDING"]
    story.claim(2)
    story.settle(2, cmd.Failed(OOPS))
    story.skip(2)
    assert (story.statuses, story[2].operation) == (["READY", "PENDING", "PENDING"], Operation.SKIP)
    assert story.undo(1).now.state is TaskState.SUCCESSFUL


def test_a_cancel_keeps_the_direction() -> None:
    """There is no forward retry inside a rollback (R7's defect is not copied)."""
    story = Story.of(node("a"), node("b", 1)).run(1).break_down(2).roll_back()
    story.claim(2)
    story.cancel()
    story.settle(2, cmd.Cancelled())
    assert (story.now.state, story.now.direction) == (TaskState.CANCELLED, Direction.BACKWARD)
    assert story.refused(cmd.RetryTask(START)).kind == "illegal_state"
    assert story.refused(cmd.RetrySubtask(START, number=2)).kind == "illegal_state"
    assert story.roll_back().undo(2, 1).now.state is TaskState.SUCCESSFUL


def test_a_claim_handed_back_in_a_rollback_rests_where_it_was() -> None:
    """Released, then stopped by another step's failure: it is what it was before the rollback, and can be undone."""
    story = side_by_side(3).run(1, 2).break_down(3).roll_back()
    story.claim(1)
    story.claim(2)
    ended = story[1].rested_at
    story.settle(1, cmd.Released())
    story.settle(2, cmd.Failed(OOPS))
    assert story.statuses == ["SUCCESSFUL", "FAILED", "FAILED"]
    assert story[1].finished_at == ended
    assert story.roll_back().undo(1, 2, 3).now.state is TaskState.SUCCESSFUL


def test_a_rollback_of_what_did_nothing_is_done_at_once() -> None:
    """A task without a plan, and one whose attempt was undone before it was cancelled."""
    planless = Story.typed().cancel()
    planless.roll_back()
    assert planless.types == ["task.rollback_requested", "task.finished"]
    undone = Story.of(node("a", undo=True)).break_down(1).retry()
    undone.claim(1)
    undone.cancel()
    undone.settle(1, cmd.Undone())
    assert undone.statuses == ["FAILED"]
    undone.roll_back()
    assert (undone.statuses, undone.now.state) == (["PENDING"], TaskState.SUCCESSFUL)
    assert (undone[1].problem, undone[1].operation) == (None, Operation.ROLLBACK)


def test_what_has_run_may_prohibit_the_rollback() -> None:
    """The plan as a whole does, or a subtask that has left PENDING and READY does; one that never ran does not."""
    spoiling = (node("a", prohibit_rollback=True), node("b", 1))
    assert Story.of(*spoiling).cancel().roll_back().now.state is TaskState.SUCCESSFUL
    assert Story.of(*spoiling).run(1).break_down(2).refused(cmd.RollBackTask(START)).code == 4009
    assert Story.of(node("a"), prohibit_rollback=True).break_down(1).refused(cmd.RollBackTask(START)).code == 4009


# ---- lost executors -----------------------------------------------------------------------------------------------


def test_a_live_claim_is_left_alone() -> None:
    """Another item takes nothing over; the refusal names the holder."""
    story = side_by_side(1)
    fence = story.claim(1)
    refusal = story.refused(cmd.Claim(1, story.claimant(), START))
    assert isinstance(refusal, ClaimedElsewhere)
    assert (refusal.incarnation, refusal.fence) == ("i1", fence)


@pytest.mark.parametrize(
    ("undo", "rolling_back", "expected"),
    [(False, False, "FAILED"), (True, False, "FAILED"), (True, True, "FAILED"), (False, True, "RUNNING")],
)
def test_at_most_once_waits_for_a_person(undo: bool, rolling_back: bool, expected: str) -> None:
    """Neither the operation nor its undo runs twice by itself; undoing nothing may (P6)."""
    story = Story.of(node("a", undo=undo, delivery="at_most_once"), node("b", 1))
    if rolling_back:
        story.run(1).break_down(2).roll_back().undo(2)
    fence = story.claim(1)
    story.do(cmd.Claim(1, story.claimant(incarnation="i2"), START, owner_gone=fence))
    assert story[1].status == expected
    if expected == "FAILED":
        assert story[1].problem is not None
        assert story[1].problem.kind == "UNKNOWN_OUTCOME"
        assert "task.finished" in story.types


def test_a_second_claim_in_one_commit_takes_nothing_over() -> None:
    """A claim without a sequence yet cannot be dead, nor be reported on."""
    story = side_by_side(1)
    story.task = decide(story.task, cmd.Claim(1, story.claimant(1), START)).task
    assert isinstance(story.refused(cmd.Claim(1, story.claimant(1, "i2", 2), START)), ClaimedElsewhere)
    assert isinstance(story.refused(cmd.Settle(1, 0, cmd.Succeeded(), START)), StaleFence)


# ---- planning -----------------------------------------------------------------------------------------------------


def test_a_plan_may_come_in_parts() -> None:
    """READY with the last one; a part of another plan, or out of order, is refused."""
    story = Story.typed()
    a, b, c = node("a"), node("b", 1), node("c", 2)
    story.do(cmd.RecordPlan("p", (a,), START, 1, 3))
    for stray in (cmd.RecordPlan("q", (b,), START, 2, 3), cmd.RecordPlan("p", (c,), START, 3, 3)):
        assert isinstance(story.refused(stray), NotReady)
    story.do(cmd.RecordPlan("p", (b,), START, 2, 3))
    assert (story.now.state, story.statuses) == (TaskState.INITIALIZING, [])
    story.do(cmd.RecordPlan("p", (c,), START, 3, 3))
    assert (story.now.state, story.statuses) == (TaskState.READY, ["READY", "PENDING", "PENDING"])
    assert isinstance(story.refused(cmd.RecordPlan("p", (a,), START)), NotReady)


def test_a_plan_begins_again_when_its_planner_was_lost() -> None:
    """Part one of another plan drops what was there."""
    story = Story.typed()
    story.do(cmd.RecordPlan("p", (node("x"), node("y")), START, 1, 2))
    story.do(cmd.RecordPlan("q", (node("a"),), START, 1, 2))
    story.do(cmd.RecordPlan("q", (node("b", 1),), START, 2, 2))
    assert [subtask.plan.key for subtask in story.now.subtasks] == ["a", "b"]


@pytest.mark.parametrize(
    "plan",
    [
        cmd.RecordPlan("p", (), START),
        cmd.RecordPlan("p", (node("a"),), START, 0, 1),
        cmd.RecordPlan("p", (node("a"),), START, 2, 1),
        cmd.RecordPlan("p", (node("a", 2),), START),
        cmd.RecordPlan("p", (node("a"),) * (MAX_SUBTASKS + 1), START),
    ],
)
def test_a_plan_that_the_fold_could_not_take_is_refused(plan: cmd.RecordPlan) -> None:
    """Nothing is stored that would change nothing: the planner learns of it."""
    story = Story.typed()
    assert isinstance(story.refused(plan), PlanInvalid | NotReady)
    assert story.now.state is TaskState.INITIALIZING


def test_initializing_never_lasts() -> None:
    """No plan: FAILED with the cause; a retry asks for one again."""
    story = Story.typed()
    story.do(cmd.FailPlan(OOPS, START))
    assert (story.now.state, story.now.problem) == (TaskState.FAILED, OOPS)
    assert story.types == ["task.plan_failed", "task.finished"]
    story.retry()
    assert (story.now.state, story.now.problem, story.now.turn) == (TaskState.INITIALIZING, None, 1)
    story.do(cmd.RecordPlan("p", (node("a"),), START))
    assert story.run(1).now.state is TaskState.SUCCESSFUL


def test_a_late_plan_of_a_cancelled_task_is_refused() -> None:
    """Nothing starts after the cancel."""
    story = Story.typed().cancel()
    assert isinstance(story.refused(cmd.RecordPlan("p", (node("a"),), START)), NotReady)
    assert isinstance(story.refused(cmd.FailPlan(OOPS, START)), NotReady)


# ---- names --------------------------------------------------------------------------------------------------------


def test_what_does_not_exist_is_not_found() -> None:
    """A task, a subtask: 404 with OCP's code."""
    assert isinstance(Story().refused(cmd.CancelTask(START)), TaskNotFound)
    assert isinstance(side_by_side(1).refused(cmd.Claim(2, side_by_side(1).claimant(), START)), SubtaskNotFound)


def test_ids_survive_javascript() -> None:
    """The largest subtask id is below 2^53, and says its task and number."""
    largest = subtask_id(MAX_TASK_ID, MAX_SUBTASKS)
    assert largest < 2**53
    assert split_subtask_id(largest) == (MAX_TASK_ID, MAX_SUBTASKS)
    assert task_token(7, 3, 2) == "7/3/2"


def test_a_copy_of_an_event_of_an_earlier_turn_changes_nothing() -> None:
    """A retry that comes again after the subtask failed again is not obeyed a second time (I3)."""
    story = Story.of(node("a")).break_down(1).retry(1).break_down(1)
    copy = ev.SubtaskRetried(turn=1, subtask=1)
    draft = story.now.draft()
    assert not evolve(draft, copy, START)
    assert draft.subtasks[0].status is SubtaskStatus.FAILED
