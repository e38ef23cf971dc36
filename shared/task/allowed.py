"""What an operator may do now: the transition table's conditions, in one place for deciding and for showing.

Rules: specification §3.1, with direction kept explicitly (R7) and CANCELLED treated exactly as FAILED.
"""

from typing import Any

from shared.task.ids import subtask_id
from shared.task.refusals import IllegalState, SubtaskNotFound, VersionMismatch
from shared.task.state import Direction, Subtask, SubtaskStatus, Task, TaskState

_AT_REST = frozenset({TaskState.FAILED, TaskState.CANCELLED})


def allowed_on_task(task: Task) -> list[str]:
    """Return the words of the commands that are legal on the task now."""
    if task.deleted:
        return []
    words = []
    failed = [s for s in task.subtasks if s.status is SubtaskStatus.FAILED and not s.to_undo]
    if task.state in _AT_REST:
        if task.direction is Direction.FORWARD and all(s.plan.can_retry for s in failed):
            words.append("retry")
        if failed and all(s.plan.can_skip for s in failed):
            words.append("skip")
        if not task.standing and not task.rollback_prohibited():
            words.append("rollback")
    words.append("delete" if task.ended else "cancel")
    return words


def allowed_on_subtask(task: Task, subtask: Subtask) -> list[str]:
    """Return the words of the commands that are legal on the subtask now; the task's own state is not consulted."""
    if task.deleted:
        return []
    plan = subtask.plan
    words = []
    waiting = subtask.status is SubtaskStatus.READY and subtask.retry_at is not None
    if waiting or (subtask.status is SubtaskStatus.FAILED and not subtask.to_undo):
        if task.direction is Direction.FORWARD and plan.can_retry:
            words.append("retry")
        if plan.can_skip:
            words.append("skip")
    if (waiting or subtask.status is SubtaskStatus.RUNNING) and plan.can_cancel:
        words.append("cancel")
    return words


def require_subtask(task: Task, number: int) -> Subtask:
    """Return subtask `number`, or refuse."""
    subtask = task.find(number)
    if subtask is None:
        raise SubtaskNotFound(f"The subtask {subtask_id(task.id, number)} does not exist in task {task.id}.")
    return subtask


def check_version(task: Task, version: int | None) -> None:
    """Refuse a command whose caller saw another version (`If-Match`)."""
    if version is not None and version != task.version:
        raise VersionMismatch(
            f"Task {task.id} is at version {task.version}, the command was meant for version {version}.",
            target={"state": task.state.value, "version": task.version},
        )


def target_of(task: Task, subtask: Subtask | None = None) -> dict[str, Any]:
    """Return what every refusal tells of the task, or of the subtask: where it stands and what is allowed now."""
    thing, state = (task, task.state.value) if subtask is None else (subtask, subtask.status.value)
    allowed = allowed_on_task(task) if subtask is None else allowed_on_subtask(task, subtask)
    return {"state": state, "operation": thing.operation.value, "allowed": allowed}


def illegal_task(task: Task, word: str) -> IllegalState:
    """Return the refusal of an operation on the task, in OCP's words, with what is allowed now."""
    target = target_of(task)
    return IllegalState(
        f"The operation {word} is not allowed because the task {task.id} is in {task.state} state"
        f"{_direction(task)}. Allowed now: {', '.join(target['allowed']) or 'nothing'}.",
        target=target,
    )


def illegal_subtask(task: Task, subtask: Subtask, word: str) -> IllegalState:
    """Return the refusal of an operation on the subtask, in OCP's words, with what is allowed now."""
    target = target_of(task, subtask)
    return IllegalState(
        f"The operation {word} is not allowed because the subtask {subtask_id(task.id, subtask.number)} is in "
        f"{subtask.status} state{_direction(task)}. Allowed now: {', '.join(target['allowed']) or 'nothing'}.",
        target=target,
    )


def _direction(task: Task) -> str:
    return " of a rollback" if task.direction is Direction.BACKWARD else ""
