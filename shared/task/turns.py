"""What operators' events make of a task: each is one turn, and a copy of an earlier turn changes nothing (I3).

A handler returns whether the event fits. What is legal stands in `allowed.py`; here it has been decided already.
"""

from collections.abc import Callable
from datetime import datetime
from heapq import heapify, heappush
from typing import Any

from shared.task import events as ev
from shared.task.moves import (
    BACKWARD,
    CANCELING,
    CANCELLED,
    FAILED,
    PENDING,
    READY,
    RUNNING,
    back,
    fail,
    move,
    ready,
    start,
    succeed,
    take_back,
)
from shared.task.state import Operation, Subtask, Task, TaskState


def _task_retried(task: Task, event: ev.TaskRetried, at: datetime) -> bool:
    task.operation = Operation.RETRY
    _resume(task)
    if task.standing:
        start(task, at)
    elif not task.subtasks:  # it never had a plan: ask for one again
        task.state = TaskState.INITIALIZING
        task.finished_at = None
    for found in _failed_ones(task):
        _again(task, task.edit(found.number), at)
    return True


def _subtask_retried(task: Task, event: ev.SubtaskRetried, at: datetime) -> bool:
    found = task.find(event.subtask)
    if found is None:
        return False
    _resume(task)
    _again(task, task.edit(event.subtask), at, limited=False)
    return True


def _task_skipped(task: Task, event: ev.TaskSkipped, at: datetime) -> bool:
    if task.standing:
        return False
    _resume(task)
    for found in _failed_ones(task):
        _skip(task, task.edit(found.number), at)
    return True


def _subtask_skipped(task: Task, event: ev.SubtaskSkipped, at: datetime) -> bool:
    found = task.find(event.subtask)
    if found is None:
        return False
    _resume(task)
    _skip(task, task.edit(event.subtask), at)
    return True


def _task_cancel_requested(task: Task, event: ev.TaskCancelRequested, at: datetime) -> bool:
    task.cancelled = True
    if task.standing or task.state is TaskState.INITIALIZING:
        task.state = TaskState.CANCELLED
        task.finished_at = at
        task.parts = ()
        return True
    for found in task.subtasks:
        if found.status is READY:
            back(task, task.edit(found.number))
        elif found.status is RUNNING and found.plan.can_cancel:
            subtask = task.edit(found.number)
            subtask.operation = Operation.CANCEL
            move(task, subtask, CANCELING)
    return True


def _subtask_cancel_requested(task: Task, event: ev.SubtaskCancelRequested, at: datetime) -> bool:
    found = task.find(event.subtask)
    if found is None or found.status not in {READY, RUNNING}:
        return False
    subtask = task.edit(event.subtask)
    subtask.operation = Operation.CANCEL
    if subtask.status is RUNNING:
        move(task, subtask, CANCELING)
    else:
        fail(task, subtask, CANCELLED, at)
    return True


def _rollback_requested(task: Task, event: ev.TaskRollbackRequested, at: datetime) -> bool:
    if task.standing:  # it did nothing that could be undone
        return False
    task.operation = Operation.ROLLBACK
    task.direction = BACKWARD
    _resume(task)
    task.eligible = []
    if not task.subtasks:  # it never had a plan: there is nothing to undo
        task.state = TaskState.SUCCESSFUL
        task.finished_at = at
    for found in task.subtasks:
        subtask = task.edit(found.number)
        subtask.retry_at = None
        subtask.undo_first = False
        if subtask.touched:
            subtask.operation = Operation.ROLLBACK
            subtask.generation += 1
            subtask.tries = subtask.losses = 0
            if not subtask.to_undo:
                subtask.to_undo = True
                task.waiting_undo += 1
                task.waiting_failed += subtask.status is FAILED
        elif subtask.status is not PENDING:  # skipped or cancelled before it did anything: nothing to undo
            subtask.operation = Operation.ROLLBACK
            take_back(task, subtask, at)
    for found in task.subtasks:
        if found.to_undo:
            subtask = task.edit(found.number)
            subtask.holding = sum(task.subtasks[follower - 1].to_undo for follower in subtask.downstreams)
            if not subtask.holding:
                task.eligible.append(found.number)
    heapify(task.eligible)
    return True


def _deleted(task: Task, event: ev.TaskDeleted, at: datetime) -> bool:
    task.deleted = True
    return True


# ---- the moves they share -----------------------------------------------------------------------------------


def _resume(task: Task) -> None:
    """A cancelled task goes on, and what it failed of may no longer be so."""
    task.cancelled = False
    task.problem = None


def _failed_ones(task: Task) -> list[Subtask]:
    return [found for found in task.subtasks if found.status is FAILED and not found.to_undo]


def _again(task: Task, subtask: Subtask, at: datetime, *, limited: bool = True) -> None:
    """An operator's retry: one generation up; past the concurrency limit it waits its turn as PENDING."""
    subtask.operation = Operation.RETRY
    subtask.generation += 1
    subtask.tries = subtask.losses = 0
    subtask.retry_at = None
    subtask.finished_at = None
    subtask.undo_first = subtask.touched and subtask.plan.has_undo
    if limited and task.concurrency and task.active >= task.concurrency:
        move(task, subtask, PENDING)
        heappush(task.eligible, subtask.number)
        return
    subtask.commanded = True
    if subtask.status is READY:
        task.newly_ready.append(subtask.number)
    ready(task, subtask, at)


def _skip(task: Task, subtask: Subtask, at: datetime) -> None:
    """Count it as done: SUCCESSFUL forwards, PENDING in a rollback (R6)."""
    subtask.operation = Operation.SKIP
    subtask.retry_at = None
    if task.direction is BACKWARD:
        take_back(task, subtask, at)
    else:
        succeed(task, subtask, at)


def _turned(handler: Callable[[Task, Any, datetime], bool]) -> Callable[[Task, Any, datetime], bool]:
    def apply(task: Task, event: ev.Turn, at: datetime) -> bool:
        if event.turn != task.turn + 1 or not handler(task, event, at):
            return False
        task.turn = event.turn
        return True

    return apply


TURNS: dict[type[Any], Callable[[Task, Any, datetime], bool]] = {
    ev.TaskRetried: _turned(_task_retried),
    ev.TaskSkipped: _turned(_task_skipped),
    ev.TaskCancelRequested: _turned(_task_cancel_requested),
    ev.TaskRollbackRequested: _turned(_rollback_requested),
    ev.TaskDeleted: _turned(_deleted),
    ev.SubtaskRetried: _turned(_subtask_retried),
    ev.SubtaskSkipped: _turned(_subtask_skipped),
    ev.SubtaskCancelRequested: _turned(_subtask_cancel_requested),
}
