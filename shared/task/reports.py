"""What executors' events make of a task: plans, claims, and how attempts ended.

Each handler returns whether the event fits; one that does not changes nothing: a copy, a stale fence, garbage (I1, I3).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from shared.task import events as ev
from shared.task.moves import (
    BACKWARD,
    CANCELING,
    CANCELLED,
    PENDING,
    READY,
    RUNNING,
    back,
    fail,
    move,
    ready,
    succeed,
    take_back,
)
from shared.task.state import UNSEALED, Claim, Operation, Subtask, SubtaskStatus, Task, TaskState


def _planned(task: Task, event: ev.TaskPlanned, at: datetime) -> bool:
    if task.state is not TaskState.INITIALIZING or not 1 <= event.part <= event.parts or not event.subtasks:
        return False
    parts = () if event.part == 1 else task.parts
    if event.part != len(parts) + 1 or (parts and event.plan_id != task.plan_id):
        return False
    if event.part < event.parts:
        task.plan_id, task.parts = event.plan_id, (*parts, event.subtasks)
        return True
    nodes = [node for part in parts for node in part]
    nodes.extend(event.subtasks)
    downstreams: list[list[int]] = [[] for _ in nodes]
    for number, node in enumerate(nodes, start=1):
        for upstream in node.upstreams:
            if not 1 <= upstream <= len(nodes):
                return False
            downstreams[upstream - 1].append(number)
    task.plan_id, task.parts = event.plan_id, ()
    task.concurrency = event.concurrency
    task.prohibit_rollback = event.prohibit_rollback
    task.subtasks = [
        Subtask(number=number, plan=node, downstreams=tuple(downstreams[number - 1]), missing=len(node.upstreams))
        for number, node in enumerate(nodes, start=1)
    ]
    task.fresh = None
    task.counts = {**dict.fromkeys(SubtaskStatus, 0), PENDING: len(nodes)}
    task.eligible = [subtask.number for subtask in task.subtasks if not subtask.missing]
    task.changed.update(range(1, len(nodes) + 1))
    task.state = TaskState.READY
    return True


def _plan_failed(task: Task, event: ev.TaskPlanFailed, at: datetime) -> bool:
    if task.state is not TaskState.INITIALIZING:
        return False
    task.problem = event.problem
    task.parts = ()
    task.state = TaskState.FAILED
    task.finished_at = at
    return True


def _started(task: Task, event: ev.SubtaskStarted, at: datetime) -> bool:
    found = task.find(event.subtask)
    if (
        found is None
        or found.status is not READY
        or event.generation != found.generation
        or event.attempt != found.attempt + 1
        or (event.phase == "undo") is not (found.undo_first or task.direction is BACKWARD)
    ):
        return False
    subtask = task.edit(event.subtask)
    subtask.attempt = event.attempt
    subtask.claim = Claim(UNSEALED, event.incarnation, event.executor, event.item, event.phase)
    subtask.executor = event.executor
    subtask.touched = True
    subtask.commanded = False
    subtask.retry_at = None
    subtask.started_at = subtask.started_at or at
    if event.phase == "execute":
        subtask.run_time += 1
        subtask.tries += 1
        subtask.ran_generation = subtask.generation
    task.unsealed.append(event.subtask)
    task.started_at = task.started_at or at
    move(task, subtask, RUNNING)
    return True


def _held(task: Task, number: int, fence: int, phase: str | None = None) -> Subtask | None:
    """Return the draft's copy of a subtask whose current claim has this fence; stale reports find None."""
    found = task.find(number)
    if found is None or found.claim is None or found.claim.fence != fence or fence == UNSEALED:
        return None
    if phase is not None and found.claim.phase != phase:
        return None
    return task.edit(number)


def _succeeded(task: Task, event: ev.SubtaskSucceeded, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence, "execute")
    if subtask is None:
        return False
    subtask.output = event.output
    subtask.output_ref = event.output_ref
    succeed(task, subtask, at)
    return True


def _undone(task: Task, event: ev.SubtaskUndone, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence, "undo")
    if subtask is None:
        return False
    if task.direction is BACKWARD:
        subtask.operation = Operation.ROLLBACK
        take_back(task, subtask, at)
        return True
    subtask.touched = False
    subtask.undo_first = False
    if subtask.status is CANCELING:
        fail(task, subtask, CANCELLED, at)
        return True
    subtask.commanded = True  # undoing and executing are one retry: fail-stop does not come between
    _again(task, subtask, at)
    return True


def _failed(task: Task, event: ev.SubtaskFailed, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence)
    if subtask is None:
        return False
    fail(task, subtask, event.problem, at)
    return True


def _retry_scheduled(task: Task, event: ev.SubtaskRetryScheduled, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence, "execute")
    if subtask is None or subtask.status is not RUNNING:
        return False
    subtask.problem = event.problem
    subtask.operation = Operation.RETRY
    subtask.retry_at = event.retry_at
    subtask.undo_first = subtask.plan.has_undo
    ready(task, subtask, at)
    return True


def _cancelled(task: Task, event: ev.SubtaskCancelled, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence)
    if subtask is None or subtask.status is not CANCELING:
        return False
    fail(task, subtask, CANCELLED, at)
    return True


def _handed_back(task: Task, event: ev.SubtaskLost | ev.SubtaskReleased, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence)
    if subtask is None or subtask.status is not RUNNING:
        return False
    subtask.losses += isinstance(event, ev.SubtaskLost)
    _again(task, subtask, at)
    return True


def _again(task: Task, subtask: Subtask, at: datetime) -> None:
    """READY once more; in a cancelled task back to where it waited: what cannot be cancelled ends, and no more."""
    ready(task, subtask, at)
    if task.cancelled:
        back(task, subtask)


REPORTS: dict[type[Any], Callable[[Task, Any, datetime], bool]] = {
    ev.TaskPlanned: _planned,
    ev.TaskPlanFailed: _plan_failed,
    ev.SubtaskStarted: _started,
    ev.SubtaskSucceeded: _succeeded,
    ev.SubtaskUndone: _undone,
    ev.SubtaskFailed: _failed,
    ev.SubtaskRetryScheduled: _retry_scheduled,
    ev.SubtaskCancelled: _cancelled,
    ev.SubtaskLost: _handed_back,
    ev.SubtaskReleased: _handed_back,
}
