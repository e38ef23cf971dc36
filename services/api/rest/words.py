"""The words of other systems for ours, and back. The one table of the dialects (specification §1).

OCP's statuses are the answer's `status` in every dialect: INITIALIZING and READY show as RUNNING, CANCELLED as FAILED.
A caller that asks for a dialect (`dialect=oms`) is shown that system's label beside it. Filters read the same tables
backwards; the case of a word does not matter, and a space is as good as an underscore.
"""

from collections.abc import Mapping
from typing import Final

from shared.task.state import Direction, Operation, SubtaskStatus, TaskState

Labels = Mapping[TaskState, str]
States = frozenset[TaskState]

STATUS: Final[Labels] = {
    TaskState.INITIALIZING: "RUNNING",
    TaskState.READY: "RUNNING",
    TaskState.RUNNING: "RUNNING",
    TaskState.SUCCESSFUL: "SUCCESSFUL",
    TaskState.FAILED: "FAILED",
    TaskState.CANCELLED: "FAILED",
}
OMS: Final[Labels] = {
    TaskState.INITIALIZING: "Initializing",
    TaskState.READY: "Ready",
    TaskState.RUNNING: "In Progress",
    TaskState.SUCCESSFUL: "Successful",
    TaskState.FAILED: "Failed",
    TaskState.CANCELLED: "Failed",
}
ODC: Final[Labels] = {
    TaskState.INITIALIZING: "Preparing",
    TaskState.READY: "Preparing",
    TaskState.RUNNING: "Running",
    TaskState.SUCCESSFUL: "Completed",
    TaskState.FAILED: "Failed",
    TaskState.CANCELLED: "Aborted",
}
LABELS: Final[Mapping[str, Labels]] = {"ocp": {}, "oms": OMS, "odc": ODC}
"""The dialects a caller can ask for, and what each calls a state; OCP's word is there anyway."""

ODC_ENUMS: Final[Mapping[TaskState, tuple[str, ...]]] = {
    TaskState.INITIALIZING: ("PREPARING", "CREATED"),
    TaskState.READY: ("PREPARING", "WAIT_FOR_EXECUTION"),
    TaskState.RUNNING: ("RUNNING", "EXECUTING"),
    TaskState.SUCCESSFUL: ("DONE", "EXECUTION_SUCCEEDED", "COMPLETED", "ROLLBACK_SUCCEEDED"),
    TaskState.FAILED: ("FAILED", "EXECUTION_FAILED", "EXEC_TIMEOUT", "EXECUTION_EXPIRED"),
    TaskState.CANCELLED: ("CANCELED", "CANCELLED"),
}
"""ODC has three names for most states: the label, the word of its task status (first here) and that of its flow status
(second). The others are its words for special ends; filters know them all (specification §1, §6, §8)."""


def plain(word: str) -> str:
    """Return a word as the tables have it."""
    return word.strip().upper().replace(" ", "_")


def _backwards(labels: Labels, more: Mapping[TaskState, tuple[str, ...]] | None = None) -> dict[str, States]:
    found: dict[str, States] = {}
    for state, shown in labels.items():
        for word in {plain(shown), *(more or {}).get(state, ())}:
            found[word] = found.get(word, frozenset()) | {state}
    return found


STATES: Final[Mapping[str, States]] = _backwards(STATUS)
"""What OCP's statuses stand for."""
OWN: Final[Mapping[str, States]] = {
    **{state.value: frozenset({state}) for state in TaskState},
    "CANCELED": frozenset({TaskState.CANCELLED}),
    "ABORTED": frozenset({TaskState.CANCELLED}),
}
"""Our own words, and the two other spellings of CANCELLED."""
FILTERS: Final[Mapping[str, Mapping[str, States]]] = {
    "ocp": STATES,
    "oms": {**STATES, **_backwards(OMS)},
    "odc": {**STATES, **_backwards(ODC, ODC_ENUMS)},
}
"""What `status` means in each dialect: its own words first, OCP's where they are not the dialect's too."""

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


def express_operation(status: str, operation: str) -> str:
    """Return what OCP Express calls a subtask's operation: a skip that a rollback met has a word of its own (R6)."""
    rolling_back = status == SubtaskStatus.PENDING and operation == Operation.SKIP
    return "ROLLBACK_SKIP" if rolling_back else operation
