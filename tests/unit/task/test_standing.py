"""Standing tasks: they run until they are stopped, are started again, and never have anything to do of their own."""

from datetime import timedelta

import pytest

from shared.queue.dispatch import due, stuck
from shared.task import commands as cmd
from shared.task import events as ev
from shared.task.allowed import allowed_on_task
from shared.task.evolve import evolve
from shared.task.refusals import IllegalState, NotReady, SubtaskNotFound
from shared.task.state import Operation, TaskState
from tests.unit.task.given import BY, OOPS, START, Story, node


def test_it_runs_from_its_creation() -> None:
    """One event makes it RUNNING; the field is on the wire only where it says something."""
    task = Story.standing().now
    assert (task.state, task.started_at, task.finished_at, task.subtasks) == (TaskState.RUNNING, START, None, [])
    assert b'"standing":true' in Story.standing().bodies[0]
    assert b"standing" not in Story.typed().bodies[0]


def test_cancel_stops_it_and_retry_starts_it_again() -> None:
    """Each stop is an end with its `task.finished`, each start begins anew; nothing is ever queued."""
    story = Story.standing()
    for turn in (1, 3):
        story.later(10)
        story.do(cmd.CancelTask(story.at))
        assert [event.type for event in story.events] == ["task.cancel_requested", "task.finished"]
        assert (story.now.state, story.now.finished_at, story.now.turn) == (TaskState.CANCELLED, story.at, turn)
        story.later(10)
        story.do(cmd.RetryTask(story.at))
        assert [event.type for event in story.events] == ["task.retried"]
        assert (story.now.state, story.now.started_at, story.now.finished_at) == (TaskState.RUNNING, story.at, None)
        assert story.now.operation is Operation.RETRY
        assert due(story.now) == stuck(story.now, story.at.timestamp()) == []


@pytest.mark.parametrize(
    "command", [cmd.SkipTask(START), cmd.RollBackTask(START), cmd.DeleteTask(START), cmd.RetryTask(START)]
)
def test_what_makes_no_sense_is_refused(command: cmd.OperatorCommand) -> None:
    """While it runs it can be stopped; stopped it can be started or deleted, nothing else."""
    running, stopped = Story.standing(), Story.standing().cancel()
    refusal = running.refused(command)
    assert isinstance(refusal, IllegalState)
    assert refusal.target["allowed"] == ["cancel"]
    if not isinstance(command, cmd.DeleteTask | cmd.RetryTask):
        assert stopped.refused(command).target["allowed"] == ["retry", "delete"]


def test_it_has_no_subtasks_and_gets_none() -> None:
    """No command on a subtask, no claim, no plan, and no failure of a plan."""
    for story in (Story.standing(), Story.standing().cancel()):
        assert isinstance(story.refused(cmd.RetrySubtask(START, number=1)), SubtaskNotFound)
        assert isinstance(story.refused(cmd.Claim(1, story.claimant(), START)), SubtaskNotFound)
        assert isinstance(story.refused(cmd.RecordPlan("p", (node("a"),), START)), NotReady)
        assert isinstance(story.refused(cmd.FailPlan(OOPS, START)), NotReady)
    create = cmd.CreateTask(7, "both", "object.sync", BY.actor(), START, subtasks=(node("a"),), standing=True)
    assert isinstance(Story().refused(create), NotReady)


def test_a_deleted_one_cannot_be_started() -> None:
    """It is out of the lists for good."""
    story = Story.standing().cancel()
    story.do(cmd.DeleteTask(story.at))
    assert allowed_on_task(story.now) == []


@pytest.mark.parametrize(
    "event",
    [
        ev.TaskRollbackRequested(turn=2),
        ev.TaskSkipped(turn=2),
        ev.TaskPlanned(plan_id="p", concurrency=1, subtasks=(node("a"),)),
        ev.TaskPlanFailed(problem=OOPS),
        ev.TaskCancelRequested(turn=1),
    ],
    ids=lambda event: event.type,
)
def test_events_that_do_not_fit_change_nothing(event: ev.TaskEvent) -> None:
    """Garbage and copies in the log are counted and skipped (I1, I3)."""
    story = Story.standing().cancel()
    draft = story.now.draft()
    assert not evolve(draft, event, START + timedelta(seconds=1))
    assert (draft.state, draft.turn, draft.ignored) == (TaskState.CANCELLED, 1, 1)
