"""Deciding operators' commands: legal exactly when `allowed.py` says so; otherwise the refusal says what is."""

from typing import Any

from shared.task import commands as cmd
from shared.task import events as ev
from shared.task.allowed import (
    allowed_on_subtask,
    allowed_on_task,
    check_version,
    illegal_subtask,
    illegal_task,
    require_subtask,
    target_of,
)
from shared.task.refusals import NotSkippable, RollbackProhibited
from shared.task.state import SubtaskStatus, TaskState
from shared.task.verdict import Verdict

FAILED = SubtaskStatus.FAILED

_TASK_EVENTS: dict[type[Any], tuple[str, Any]] = {
    cmd.RetryTask: ("retry", ev.TaskRetried),
    cmd.SkipTask: ("skip", ev.TaskSkipped),
    cmd.CancelTask: ("cancel", ev.TaskCancelRequested),
    cmd.RollBackTask: ("rollback", ev.TaskRollbackRequested),
    cmd.DeleteTask: ("delete", ev.TaskDeleted),
}

_SUBTASK_EVENTS: dict[type[Any], tuple[str, Any]] = {
    cmd.RetrySubtask: ("retry", ev.SubtaskRetried),
    cmd.SkipSubtask: ("skip", ev.SubtaskSkipped),
    cmd.CancelSubtask: ("cancel", ev.SubtaskCancelRequested),
}


def on_task(verdict: Verdict, command: cmd.OperatorCommand) -> None:
    """Decide a command on the whole task."""
    task = verdict.task
    check_version(task, command.version)
    word, event = _TASK_EVENTS[type(command)]
    if word == "rollback" and task.state in {TaskState.FAILED, TaskState.CANCELLED} and task.rollback_prohibited():
        raise RollbackProhibited(f"Rollback of task {task.id} is prohibited.", target=target_of(task))
    if word not in allowed_on_task(task):
        if word == "skip":
            fixed = next((s for s in task.subtasks if s.status is FAILED and not s.plan.can_skip), None)
            if fixed is not None and task.ended:
                raise NotSkippable(
                    f"Subtask '{fixed.plan.key}' of task {task.id} cannot be skipped.", target=target_of(task)
                )
        raise illegal_task(task, word)
    verdict.emit(event(turn=task.turn + 1), command.at)


def on_subtask(verdict: Verdict, command: cmd.SubtaskCommand) -> None:
    """Decide a command on one subtask; the task's own state is not consulted (specification §3.1)."""
    task = verdict.task
    subtask = require_subtask(task, command.number)
    check_version(task, command.version)
    word, event = _SUBTASK_EVENTS[type(command)]
    if word not in allowed_on_subtask(task, subtask):
        if word == "skip" and subtask.status is FAILED and not subtask.plan.can_skip:
            raise NotSkippable(
                f"Subtask '{subtask.plan.key}' of task {task.id} cannot be skipped.", target=target_of(task, subtask)
            )
        raise illegal_subtask(task, subtask, word)
    verdict.emit(event(turn=task.turn + 1, subtask=command.number), command.at)
