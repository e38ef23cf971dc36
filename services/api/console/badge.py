"""What a state is called, and which sign and tone it has: an icon, a word and a colour, never a colour alone.

The words are ours; OMS's and ODC's stand in their own views. Knows no page.
"""

from dataclasses import dataclass
from typing import Final

from shared.task.words import Direction, Operation, SubtaskStatus, TaskState


@dataclass(frozen=True, slots=True)
class Badge:
    """A sign, a word, and the tone of both (a class of the style sheet)."""

    icon: str
    word: str
    tone: str


ROLLED_BACK: Final = Badge("↺", "Rolled back", "idle")
ROLLING_BACK: Final = Badge("↺", "Rolling back", "wait")
CANCELLING: Final = Badge("■", "Cancelling", "wait")
WAITING: Final = Badge("◷", "Will retry", "wait")
SKIPPED: Final = Badge("⤼", "Skipped", "idle")
CANCELLED: Final = Badge("■", "Cancelled", "idle")
_OF_TASK: Final = {
    TaskState.INITIALIZING: Badge("◌", "Initializing", "busy"),
    TaskState.READY: Badge("◌", "Ready", "busy"),
    TaskState.RUNNING: Badge("▶", "Running", "busy"),
    TaskState.SUCCESSFUL: Badge("✓", "Successful", "good"),
    TaskState.FAILED: Badge("✕", "Failed", "bad"),
    TaskState.CANCELLED: CANCELLED,
}
_OF_SUBTASK: Final = {
    SubtaskStatus.PENDING: Badge("◌", "Waiting", "idle"),
    SubtaskStatus.READY: Badge("◌", "Ready", "busy"),
    SubtaskStatus.RUNNING: Badge("▶", "Running", "busy"),
    SubtaskStatus.CANCELING: CANCELLING,
    SubtaskStatus.FAILED: Badge("✕", "Failed", "bad"),
    SubtaskStatus.SUCCESSFUL: Badge("✓", "Successful", "good"),
}


def of_task(state: TaskState, direction: Direction, *, cancelling: bool = False) -> Badge:
    """Return a task's badge; `cancelling`: it was cancelled and something of it still runs."""
    if direction is Direction.BACKWARD and state is TaskState.RUNNING:
        return ROLLING_BACK
    if direction is Direction.BACKWARD and state is TaskState.SUCCESSFUL:
        return ROLLED_BACK
    if cancelling and state is TaskState.RUNNING:
        return CANCELLING
    return _OF_TASK[state]


def of_subtask(
    status: SubtaskStatus, operation: Operation = Operation.EXECUTE, *, retries: bool = False, touched: bool = False
) -> Badge:
    """Return a subtask's badge; `retries`: it waits to be tried again; `touched`: something of it is there."""
    if operation is Operation.SKIP and status is SubtaskStatus.SUCCESSFUL:
        return SKIPPED
    if operation is Operation.CANCEL and status is SubtaskStatus.FAILED:
        return CANCELLED
    if operation is Operation.ROLLBACK and status is SubtaskStatus.PENDING and not touched:
        return ROLLED_BACK
    if operation is Operation.ROLLBACK and status in {SubtaskStatus.RUNNING, SubtaskStatus.READY}:
        return ROLLING_BACK
    return WAITING if retries and status is SubtaskStatus.READY else _OF_SUBTASK[status]
