"""Why a command is not lawful now, in words for people. What is lawful is `shared.task.allowed`'s to say, never ours.

Pure. Each reason says what stands in the way and, where somebody can do something about it, what.
"""

from shared.task.allowed import allowed_on_subtask, allowed_on_task
from shared.task.state import Direction, Subtask, SubtaskStatus, Task, TaskState

_DELETED = "The task was deleted."
_AT_REST = frozenset({TaskState.FAILED, TaskState.CANCELLED})


def why_not(task: Task, word: str) -> str:
    """Return why the command of this word may not be given to the task now, empty when it may."""
    if word in allowed_on_task(task):
        return ""
    if task.deleted:
        return _DELETED
    match word:
        case "cancel":
            return "It has ended: nothing is left to cancel."
        case "delete":
            return "Only what has ended can be deleted: cancel it first."
        case _:
            return _at_rest(task, word) or _failed(task, word)


def _at_rest(task: Task, word: str) -> str:
    """Return why not, as long as the task is not one that has stopped short of its end."""
    if task.state in _AT_REST:
        return ""
    if task.state is TaskState.SUCCESSFUL:
        if task.direction is Direction.BACKWARD:
            return "It was rolled back: nothing of it is left."
        return "It has succeeded: nothing failed." if word != "rollback" else "What has succeeded is not rolled back."
    if task.cancelled:
        return "It is being cancelled: wait until what runs has stopped."
    if task.direction is Direction.BACKWARD:
        return "It is being rolled back: wait, or cancel that first."
    return "It is under way: wait until it is at rest, or cancel it first."


def _failed(task: Task, word: str) -> str:
    """Return why not, of a task that has failed or was cancelled."""
    failed = [one for one in task.subtasks if one.status is SubtaskStatus.FAILED and not one.to_undo]
    if word == "rollback":
        if task.standing:
            return "It has no subtasks: nothing of it can be undone."
        held = next((one for one in task.subtasks if one.plan.prohibit_rollback), None)
        whose = "Its plan" if task.prohibit_rollback or held is None else f"The subtask {held.plan.name}"
        return f"{whose} prohibits rollback."
    if word == "retry" and task.direction is Direction.BACKWARD:
        return "It was being rolled back, and there is no way forward again: roll back again."
    if word == "skip" and not failed:
        return "Nothing of it has failed."
    fixed = next((one for one in failed if not (one.plan.can_retry if word == "retry" else one.plan.can_skip)), None)
    name = fixed.plan.name if fixed is not None else "What failed"
    return f"{name} cannot be {'retried' if word == 'retry' else 'skipped'}: its plan says so."


def why_not_subtask(task: Task, subtask: Subtask, word: str) -> str:
    """Return why the command of this word may not be given to the subtask now, empty when it may."""
    if word in allowed_on_subtask(task, subtask):
        return ""
    if task.deleted:
        return _DELETED
    waits = subtask.status is SubtaskStatus.READY and subtask.retry_at is not None
    return _not_cancelled(subtask, waits=waits) if word == "cancel" else _not_mended(task, subtask, word, waits=waits)


def _not_cancelled(subtask: Subtask, *, waits: bool) -> str:
    if subtask.status is SubtaskStatus.CANCELING:
        return "It is being cancelled."
    return _forbidden("cancelled") if waits or subtask.status is SubtaskStatus.RUNNING else "It does not run."


def _not_mended(task: Task, subtask: Subtask, word: str, *, waits: bool) -> str:
    """Return why something is neither retried nor skipped."""
    match subtask.status:
        case SubtaskStatus.RUNNING | SubtaskStatus.CANCELING:
            return "It runs: wait, or cancel it first."
        case SubtaskStatus.READY if not waits:
            return "It is about to run."
        case SubtaskStatus.PENDING | SubtaskStatus.SUCCESSFUL:
            return "It has not failed."
        case SubtaskStatus.FAILED if subtask.to_undo:
            return "The rollback has still to undo it."
    if word == "retry" and task.direction is Direction.BACKWARD:
        return "The task is being rolled back: roll back again to try again."
    return _forbidden("retried" if word == "retry" else "skipped")


def _forbidden(what: str) -> str:
    return f"It cannot be {what}: its plan says so."
