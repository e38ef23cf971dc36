"""Given events, then rows: what each event of the log makes of the columns (I13)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.api.projection.project import label_rows, row_of, subtask_row
from services.api.projection.tables import subtasks, tasks
from services.api.projection.text import micros
from shared.log.fold import apply
from shared.messages.commit import By, Commit, Decision
from shared.task import events as ev
from shared.task.plan import PlannedSubtask, RetryPolicy, UndoPlan
from shared.task.state import Task

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ITEM = ev.Item(stamp="w", seq=9)
PROBLEM = ev.Problem(kind="BROKEN", message="It broke.")


class Story:
    """Commits folded one after another, one minute and one sequence apart."""

    def __init__(self) -> None:
        self.task: Task | None = None
        self.seq = 0
        self.covered: set[str] = set()

    def commit(self, *events: ev.TaskEvent) -> int:
        """Fold one commit; return its sequence."""
        self.seq += 1
        at = START + timedelta(minutes=self.seq - 1)
        by = By(kind="user", name="ana", via="rest")
        decision = Decision(id=f"c{self.seq}", at=at, by=by, events=events)
        head = self.task.head if self.task is not None else ""
        commit = Commit(task=7, prev=head, decisions=(decision,))
        self.task = apply(self.task.draft() if self.task else None, commit, self.seq, f"head-{self.seq}")
        assert self.task is not None
        assert self.task.ignored == 0
        self.covered.update(event.type for event in events)
        return self.seq

    def planned(self, length: int = 2, **more: Any) -> "Story":
        """Begin with a task of a chain of subtasks."""
        nodes = tuple(
            PlannedSubtask(
                key=f"s{n}",
                name=f"Step {n}",
                operation="noop",
                params={"n": n},
                upstreams=(n - 1,) if n > 1 else (),
                timeout_s=60,
                pool="default",
                delivery="at_least_once",
                **more,
            )
            for n in range(1, length + 1)
        )
        self.commit(
            ev.TaskCreated(name="Nice", task_type="plan", pool="default"),
            ev.TaskPlanned(plan_id="p", concurrency=10, subtasks=nodes),
        )
        return self

    def start(self, number: int = 1, attempt: int = 1, generation: int = 1, *, undo: bool = False) -> int:
        """Claim a subtask; return the fence."""
        return self.commit(
            ev.SubtaskStarted(
                subtask=number,
                generation=generation,
                attempt=attempt,
                phase="undo" if undo else "execute",
                executor="exec@host",
                incarnation="inc",
                item=ITEM,
            )
        )

    def fail(self, number: int = 1) -> None:
        """Claim a subtask, which fails."""
        self.commit(ev.SubtaskFailed(subtask=number, fence=self.start(number), problem=PROBLEM))

    def row(self) -> dict[str, Any]:
        """The task's row."""
        assert self.task is not None
        return row_of(self.task)

    def subtask(self, number: int = 1) -> dict[str, Any]:
        """A subtask's row."""
        assert self.task is not None
        return subtask_row(self.task, self.task.subtasks[number - 1])


def minute(number: int) -> datetime:
    """The time of the commit with this sequence."""
    return START + timedelta(minutes=number - 1)


def created() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """task.created."""
    story = Story()
    story.commit(
        ev.TaskCreated(
            name="ÄRGER mit Host",
            task_type="host.inspect",
            type_version=3,
            params={"host": "db01"},
            object=ev.ObjectRef(kind="host", id="h1", name="db01"),
            labels={"team": "core", "env": "prod"},
            parent=4,
            pool="gpu",
            plan_ref=ev.PlanRef(object="o", sha256="s", bytes=5),
        )
    )
    task = {
        "id": 7,
        "name": "ÄRGER mit Host",
        "name_folded": "ärger mit host",
        "type": "host.inspect",
        "type_version": 3,
        "pool": "gpu",
        "creator_kind": "user",
        "creator_name": "ana",
        "creator_via": "rest",
        "object_kind": "host",
        "object_id": "h1",
        "object_name": "db01",
        "labels": '{"team":"core","env":"prod"}',
        "params": '{"host":"db01"}',
        "parent": 4,
        "plan_ref": '{"object":"o","sha256":"s","bytes":5}',
        "created_at": START,
        "created_seq": 1,
        "state": "INITIALIZING",
        "operation": "EXECUTE",
        "direction": "FORWARD",
        "version": 1,
        "seq": 1,
        "head": "head-1",
        "total": 0,
        "active": 0,
        "deleted": False,
        "started_at": None,
        "step": None,
    }
    return story, task, {}


def planned() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """task.planned."""
    story = Story().planned(retry=RetryPolicy(times=2), undo=UndoPlan(operation="u"), description="d", can_skip=False)
    task = {"state": "READY", "total": 2, "pending": 1, "ready": 1, "active": 1, "step": "Step 1", "step_number": 1}
    subtask = {
        "task_id": 7,
        "number": 1,
        "key": "s1",
        "name": "Step 1",
        "description": "d",
        "operation_name": "noop",
        "params": '{"n":1}',
        "upstreams": "[]",
        "downstreams": "[2]",
        "timeout_s": 60,
        "pool": "default",
        "delivery": "at_least_once",
        "retry": '{"times":2,"delay_seconds":0.0}',
        "undo": '{"operation":"u","params":{}}',
        "can_retry": True,
        "can_skip": False,
        "status": "READY",
        "operation": "EXECUTE",
        "generation": 1,
        "attempt": 0,
        "fence": None,
        "ready_at": minute(1),
        "output": None,
    }
    return story, task, subtask


def plan_failed() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """task.plan_failed."""
    story = Story()
    story.commit(ev.TaskCreated(name="N", task_type="t", pool="p"))
    story.commit(ev.TaskPlanFailed(problem=PROBLEM))
    problem = '{"kind":"BROKEN","message":"It broke."}'
    return story, {"state": "FAILED", "problem": problem, "finished_at": minute(2)}, {}


def started() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """subtask.started."""
    story = Story().planned()
    story.start()
    subtask = {
        "status": "RUNNING",
        "fence": 2,
        "phase": "execute",
        "executor": "exec@host",
        "incarnation": "inc",
        "attempt": 1,
        "run_time": 1,
        "tries": 1,
        "touched": True,
        "started_at": minute(2),
    }
    return story, {"state": "RUNNING", "started_at": minute(2), "running": 1, "active": 1}, subtask


def succeeded() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """subtask.succeeded, task.finished."""
    story = Story().planned(1)
    fence = story.start()
    story.commit(
        ev.SubtaskSucceeded(subtask=1, fence=fence, output={"a": None}, output_ref={"object": "o"}),
        ev.TaskFinished(state="SUCCESSFUL", operation="EXECUTE"),
    )
    task = {"state": "SUCCESSFUL", "successful": 1, "active": 0, "finished_at": minute(3), "step": None}
    subtask = {
        "status": "SUCCESSFUL",
        "output": '{"a":null}',
        "output_ref": '{"object":"o"}',
        "fence": None,
        "finished_at": minute(3),
    }
    return story, task, subtask


def undone() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """subtask.undone, task.rollback_requested."""
    story = Story().planned(1)
    story.fail()
    story.commit(ev.TaskRollbackRequested(turn=1))
    fence = story.start(attempt=2, generation=2, undo=True)
    story.commit(ev.SubtaskUndone(subtask=1, fence=fence))
    task = {"state": "SUCCESSFUL", "operation": "ROLLBACK", "direction": "BACKWARD", "pending": 1, "turn": 1}
    return story, task, {"status": "PENDING", "operation": "ROLLBACK", "touched": False, "to_undo": False}


def failed() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """subtask.failed."""
    story = Story().planned()
    story.fail()
    task = {
        "state": "FAILED",
        "failed": 1,
        "step": "Step 1",
        "problem": '{"kind":"BROKEN","message":"Step 1: It broke.","detail":{"subtask":1}}',
    }
    return story, task, {"status": "FAILED", "problem": '{"kind":"BROKEN","message":"It broke."}'}


def retry_scheduled() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """subtask.retry_scheduled."""
    story = Story().planned(own_undo=True)
    fence = story.start()
    story.commit(ev.SubtaskRetryScheduled(subtask=1, fence=fence, problem=PROBLEM, retry_at=1.5e9))
    subtask = {"status": "READY", "operation": "RETRY", "retry_at": 1.5e9, "fence": None, "undo_first": True}
    return story, {"state": "RUNNING", "ready": 1}, subtask


def cancelled() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """subtask.cancel_requested, subtask.cancelled."""
    story = Story().planned()
    fence = story.start()
    story.commit(ev.SubtaskCancelRequested(turn=1, subtask=1))
    assert (story.subtask()["status"], story.row()["canceling"], story.row()["active"]) == ("CANCELING", 1, 1)
    story.commit(ev.SubtaskCancelled(subtask=1, fence=fence))
    return story, {"state": "FAILED", "failed": 1}, {"status": "FAILED", "operation": "CANCEL"}


def lost() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """subtask.lost."""
    story = Story().planned()
    story.commit(ev.SubtaskLost(subtask=1, fence=story.start()))
    return story, {"state": "RUNNING"}, {"status": "READY", "fence": None, "attempt": 1, "executor": "exec@host"}


def released() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """subtask.released."""
    story = Story().planned()
    story.commit(ev.SubtaskReleased(subtask=1, fence=story.start()))
    return story, {"state": "RUNNING"}, {"status": "READY", "incarnation": None}


def task_retried() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """task.retried."""
    story = Story().planned()
    story.fail()
    story.commit(ev.TaskRetried(turn=1))
    task = {"state": "RUNNING", "operation": "RETRY", "finished_at": None, "problem": None, "turn": 1}
    return story, task, {"status": "READY", "operation": "RETRY", "generation": 2, "tries": 0}


def task_skipped() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """task.skipped."""
    story = Story().planned()
    story.fail()
    story.commit(ev.TaskSkipped(turn=1))
    return story, {"state": "RUNNING", "step": "Step 2"}, {"status": "SUCCESSFUL", "operation": "SKIP"}


def task_cancelled() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """task.cancel_requested."""
    story = Story().planned()
    story.commit(ev.TaskCancelRequested(turn=1))
    return story, {"state": "CANCELLED", "cancelled": True, "active": 0}, {"status": "PENDING"}


def deleted() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """task.deleted."""
    story = Story().planned()
    story.fail()
    story.commit(ev.TaskDeleted(turn=1))
    return story, {"deleted": True, "state": "FAILED", "version": 4}, {"status": "FAILED"}


def subtask_retried() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """subtask.retried."""
    story = Story().planned()
    story.fail()
    story.commit(ev.SubtaskRetried(turn=1, subtask=1))
    return story, {"state": "RUNNING", "operation": "EXECUTE"}, {"status": "READY", "operation": "RETRY"}


def subtask_skipped() -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """subtask.skipped."""
    story = Story().planned(1)
    story.fail()
    story.commit(ev.SubtaskSkipped(turn=1, subtask=1))
    return story, {"state": "SUCCESSFUL", "problem": None}, {"status": "SUCCESSFUL", "problem": None}


STORIES: list[Callable[[], tuple[Story, dict[str, Any], dict[str, Any]]]] = [
    created,
    planned,
    plan_failed,
    started,
    succeeded,
    undone,
    failed,
    retry_scheduled,
    cancelled,
    lost,
    released,
    task_retried,
    task_skipped,
    task_cancelled,
    deleted,
    subtask_retried,
    subtask_skipped,
]


@pytest.mark.parametrize("tell", STORIES, ids=lambda tell: tell.__name__)
def test_an_event_shows_in_the_rows(tell: Callable[[], tuple[Story, dict[str, Any], dict[str, Any]]]) -> None:
    """Each event changes the columns it is about."""
    story, task, subtask = tell()

    assert {name: story.row()[name] for name in task} == task
    if subtask:
        assert {name: story.subtask()[name] for name in subtask} == subtask


def test_every_event_has_its_story() -> None:
    """An event type without a test above fails here."""
    assert set().union(*(tell()[0].covered for tell in STORIES)) == ev.EVENT_TYPES


def test_rows_have_exactly_the_columns_of_the_tables() -> None:
    """No column is left out, none is invented, and their order is the tables'."""
    story = Story().planned()

    assert list(story.row()) == [column.name for column in tasks.columns]
    assert list(story.subtask()) == [column.name for column in subtasks.columns]


def test_moments_are_given_as_the_database_takes_them() -> None:
    """The same row for SQLite has microseconds since 1970."""
    story = Story().planned()
    assert story.task is not None

    row = row_of(story.task, micros)

    assert row["created_at"] == micros(START)
    assert row["finished_at"] is None


def test_labels_are_rows_of_their_own() -> None:
    """Sorted by key, cut like everything that is indexed."""
    story, _, _ = created()
    assert story.task is not None

    assert label_rows(story.task) == [(7, "env", "prod"), (7, "team", "core")]
