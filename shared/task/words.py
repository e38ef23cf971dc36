"""The closed vocabularies of a task: states, statuses, operations, directions (`docs/task-lifecycle.md`); one label."""

from enum import StrEnum
from typing import Final


class TaskState(StrEnum):
    """Ours; `docs/task-lifecycle.md` maps them to the words of the other dialects."""

    INITIALIZING = "INITIALIZING"
    READY = "READY"
    RUNNING = "RUNNING"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class SubtaskStatus(StrEnum):
    """Where a subtask stands."""

    PENDING = "PENDING"
    READY = "READY"
    RUNNING = "RUNNING"
    CANCELING = "CANCELING"
    FAILED = "FAILED"
    SUCCESSFUL = "SUCCESSFUL"


class Operation(StrEnum):
    """What is being done, or was done last."""

    EXECUTE = "EXECUTE"
    RETRY = "RETRY"
    ROLLBACK = "ROLLBACK"
    SKIP = "SKIP"
    CANCEL = "CANCEL"


class Direction(StrEnum):
    """Forward runs the plan, backward undoes it. Kept explicitly: a cancel must not lose it (R7)."""

    FORWARD = "FORWARD"
    BACKWARD = "BACKWARD"


ENDED = frozenset({TaskState.SUCCESSFUL, TaskState.FAILED, TaskState.CANCELLED})
ACTIVE = frozenset({SubtaskStatus.READY, SubtaskStatus.RUNNING, SubtaskStatus.CANCELING})
TEAM: Final = "team"
"""The label that says whose a task is."""
