"""Cancel, rule by rule (R7): what it stops, what it leaves alone, how it ends, and what takes it back."""

import pytest

from shared.queue.dispatch import due, stuck
from shared.task import commands as cmd
from shared.task.refusals import NotReady, StaleFence
from shared.task.state import Direction, Operation, SubtaskStatus, TaskState
from tests.unit.task.given import OOPS, START, Story, node


def canceling(**settings: bool) -> Story:
    """Two side by side, one of which failed and the other runs, and one behind each; then the task is cancelled."""
    story = Story.of(node("a"), node("b", **settings), node("c", 1), node("d", 2))
    story.claim(1)
    story.claim(2)
    story.settle(1, cmd.Failed(OOPS))
    return story.cancel()


def test_a_cancelled_subtask_fails_its_task() -> None:
    """FAILED with operation CANCEL; its follower stays PENDING, a sibling goes on, then the task has FAILED (R7)."""
    story = Story.of(node("a", times=3), node("b", 1), node("c"), concurrency=0)
    story.claim(1)
    story.claim(3)
    story.cancel(1)
    assert (story[1].status, story[1].operation) == (SubtaskStatus.CANCELING, Operation.CANCEL)
    story.settle(1, cmd.Cancelled())
    assert (story.statuses, story.now.state) == (["FAILED", "PENDING", "RUNNING"], TaskState.RUNNING)
    story.settle(3, cmd.Succeeded())
    assert (story.now.state, story[1].operation) == (TaskState.FAILED, Operation.CANCEL)
    assert story.now.problem is not None
    assert story.now.problem.kind == "CANCELLED"
    assert story.retry(1).run(1, 2).now.state is TaskState.SUCCESSFUL


@pytest.mark.parametrize(
    ("ending", "status", "state"),
    [
        (cmd.Cancelled(), "FAILED", TaskState.CANCELLED),
        (cmd.Released(), "FAILED", TaskState.CANCELLED),
        (cmd.Failed(OOPS), "FAILED", TaskState.CANCELLED),
        (cmd.Succeeded(), "SUCCESSFUL", TaskState.SUCCESSFUL),
    ],
)
def test_a_cancel_has_one_outcome(ending: cmd.Outcome, status: str, state: TaskState) -> None:
    """Whatever the executor reports first is it; a second report, of any kind, changes nothing."""
    story = Story.of(node("a", times=3))
    fence = story.claim(1)
    story.cancel()
    story.settle(1, ending)
    assert (story.statuses, story.now.state) == ([status], state)
    for late in (cmd.Cancelled(), cmd.Succeeded(), cmd.Failed(OOPS), cmd.Released()):
        assert isinstance(story.refused(cmd.Settle(1, fence, late, START)), StaleFence)


@pytest.mark.parametrize("by_item", [True, False])
def test_whoever_takes_over_ends_it(by_item: bool) -> None:
    """The executor is gone: its claim is not begun again but ended, by the item or because it is known to be gone."""
    story = Story.of(node("a"), node("b", 1))
    fence = story.claim(1, item=5)
    story.cancel()
    if by_item:
        story.do(cmd.Claim(1, story.claimant(5, "i2", 2), START))
    else:
        story.do(cmd.Claim(1, story.claimant(9, "i2"), START, owner_gone=fence))
    assert story.types == ["subtask.cancelled", "task.finished"]
    assert (story.statuses, story.now.state) == (["FAILED", "PENDING"], TaskState.CANCELLED)


def test_a_cancel_before_the_plan_is_final_for_whoever_plans() -> None:
    """Nothing of a plan that comes late is stored."""
    story = Story.typed().cancel()
    assert story.types == ["task.cancel_requested", "task.finished"]
    assert isinstance(story.refused(cmd.RecordPlan("p", (node("a"),), START)), NotReady)


def test_a_cancel_while_a_retry_undoes() -> None:
    """The undo that had begun ends; the execution that was to follow does not begin."""
    story = Story.of(node("a", undo=True)).break_down(1).retry()
    story.claim(1)
    story.cancel()
    story.settle(1, cmd.Undone())
    assert (story.statuses, story.now.state) == (["FAILED"], TaskState.CANCELLED)
    assert story.retry().run(1)[1].run_time == 2


def test_a_cancelled_rollback_knows_no_way_forward() -> None:
    """Retry is refused for the task and each subtask; rollback and skip go on backwards (R7's defect, not copied)."""
    story = Story.of(node("a"), node("b", 1), node("c", 2)).run(1, 2).break_down(3).roll_back().undo(3)
    story.claim(2)
    story.cancel()
    story.settle(2, cmd.Cancelled())
    assert (story.now.state, story.now.direction) == (TaskState.CANCELLED, Direction.BACKWARD)
    assert story.refused(cmd.RetryTask(START)).kind == "illegal_state"
    assert {story.refused(cmd.RetrySubtask(START, number=n)).kind for n in (1, 2, 3)} == {"illegal_state"}
    assert story.skip(2).undo(1).now.state is TaskState.SUCCESSFUL


# ---- what cannot be cancelled ---------------------------------------------------------------------------------------


def test_what_cannot_be_cancelled_runs_to_its_end() -> None:
    """A cancel of the task leaves it alone, nothing follows it, and the task is CANCELLED once it has ended."""
    story = Story.of(node("a", can_cancel=False), node("b", 1))
    story.claim(1)
    story.cancel()
    assert (story.statuses, story.now.state) == (["RUNNING", "PENDING"], TaskState.RUNNING)
    story.settle(1, cmd.Succeeded())
    assert (story.statuses, story.now.state) == (["SUCCESSFUL", "PENDING"], TaskState.CANCELLED)
    assert story.retry().run(2).now.state is TaskState.SUCCESSFUL


@pytest.mark.parametrize("ending", [cmd.Failed(OOPS), cmd.Released(), None])
def test_what_cannot_be_cancelled_does_not_begin_again(ending: cmd.Outcome | None) -> None:
    """It fails with tries left, is handed back, or its executor is lost: in a cancelled task that was it."""
    story = Story.of(node("a", can_cancel=False, times=3))
    fence = story.claim(1)
    story.cancel()
    if ending is None:
        story.do(cmd.Claim(1, story.claimant(incarnation="i2"), START, owner_gone=fence))
    else:
        story.settle(1, ending)
    assert story.statuses == ["FAILED" if isinstance(ending, cmd.Failed) else "PENDING"]
    assert story.now.state is TaskState.CANCELLED
    assert story.retry().run(1).now.state is TaskState.SUCCESSFUL


# ---- what takes it back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["retry", "skip"])
def test_the_last_command_wins(word: str) -> None:
    """One failed subtask is retried or skipped while the rest is being stopped: the task goes on, what stops stops."""
    story = canceling()
    assert story.statuses == ["FAILED", "CANCELING", "PENDING", "PENDING"]
    story.retry(1).run(1) if word == "retry" else story.skip(1)
    assert not story.now.cancelled
    assert story.statuses == ["SUCCESSFUL", "CANCELING", "READY", "PENDING"]
    story.settle(2, cmd.Cancelled())
    assert story.statuses == ["SUCCESSFUL", "FAILED", "PENDING", "PENDING"]
    assert story.now.state is TaskState.FAILED
    assert story.retry().run(2, 3, 4).now.state is TaskState.SUCCESSFUL


def test_what_was_taken_back_can_be_cancelled_again() -> None:
    """The cancel after the retry is the last command."""
    story = canceling().retry(1).cancel()
    assert story.statuses == ["PENDING", "CANCELING", "PENDING", "PENDING"]
    story.settle(2, cmd.Cancelled())
    assert story.now.state is TaskState.CANCELLED


def test_what_is_being_stopped_is_not_retried() -> None:
    """No command but the end of it moves a CANCELING subtask, and the whole task takes none but another cancel."""
    story = canceling()
    for command in (cmd.RetrySubtask, cmd.SkipSubtask, cmd.CancelSubtask):
        assert story.refused(command(START, number=2)).kind == "illegal_state"
    for whole in (cmd.RetryTask, cmd.SkipTask, cmd.RollBackTask, cmd.DeleteTask):
        assert story.refused(whole(START)).kind == "illegal_state"
    assert story.cancel().statuses == ["FAILED", "CANCELING", "PENDING", "PENDING"]


# ---- items that sleep -----------------------------------------------------------------------------------------------


def waiting(*nodes: int) -> Story:
    """One that waits an hour for its next try, and as many beside it."""
    story = Story.of(node("a", times=1, delay=3600), *(node(f"n{n}") for n in nodes))
    story.claim(1)
    story.settle(1, cmd.Failed(OOPS))
    return story


def test_a_retry_does_not_wait_for_an_item_that_sleeps() -> None:
    """Cancelled while it waited for its retry time, its item sleeps on: the next one has another name."""
    story = waiting()
    (asleep,) = due(story.now)
    story.cancel().retry()
    assert [story[1].retry_at, story.statuses] == [None, ["READY"]]
    (awake,) = due(story.now)
    assert awake.subject != asleep.subject


def test_neither_does_what_a_failure_had_stopped() -> None:
    """The same when a sibling's failure took it back, and the sibling was skipped."""
    story = waiting(1)
    asleep = {item.subject for item in due(story.now, [1])}
    story.break_down(2)
    assert story.statuses == ["PENDING", "FAILED"]
    story.skip(2)
    assert story.statuses == ["READY", "SUCCESSFUL"]
    assert not asleep & {item.subject for item in due(story.now, [1])}


def test_what_runs_keeps_the_name_of_its_item() -> None:
    """The rescuer's item for a claim is "already queued" while the one it rides on is there."""
    story = waiting().cancel().retry()
    (item,) = due(story.now)
    story.claim(1)
    assert [found.subject for found in stuck(story.now, 0)] == [item.subject]
