"""OCP's words for ours, and back. The one table of the dialect (specification §1).

INITIALIZING and READY show as RUNNING, CANCELLED as FAILED; a filter on OCP's words reads the same table backwards.
"""

from typing import Final

from shared.task.state import Direction, Operation, TaskState

STATUS: Final[dict[TaskState, str]] = {
    TaskState.INITIALIZING: "RUNNING",
    TaskState.READY: "RUNNING",
    TaskState.RUNNING: "RUNNING",
    TaskState.SUCCESSFUL: "SUCCESSFUL",
    TaskState.FAILED: "FAILED",
    TaskState.CANCELLED: "FAILED",
}
STATES: Final[dict[str, frozenset[TaskState]]] = {
    word: frozenset(state for state, shown in STATUS.items() if shown == word) for word in STATUS.values()
}
KINDS: Final = frozenset({"MANUAL", "SYS_ONCE", "SYS_ONECE", "SCHEDULED", "SYS_SCHEDULED"})
"""OCP's task types by origin; `SYS_ONECE` is how its documents spell it."""
KIND: Final = "MANUAL"
"""The origin of every task so far."""

_OF_TASK: Final = frozenset({Operation.EXECUTE, Operation.RETRY, Operation.ROLLBACK})


def task_operation(operation: Operation, direction: Direction) -> str:
    """Return a task's operation: EXECUTE, RETRY or ROLLBACK, never SKIP or CANCEL (specification §8)."""
    if operation in _OF_TASK:
        return operation.value
    return Operation.ROLLBACK.value if direction is Direction.BACKWARD else Operation.EXECUTE.value
