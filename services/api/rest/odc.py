"""ODC's columns for the tasks that it knows, scripts and mock data (specification §6): beside OCP's fields.

ODC's task has a connection and no more than one of five statuses; its words are in `words`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from services.api.rest.words import ODC, ODC_ENUMS
from shared.task.state import Direction, Operation, TaskState

TYPES: Final[Mapping[str, str]] = {"sql.script": "ASYNC", "data.mock": "MOCKDATA"}
"""What ODC calls these task types."""
_ENDED: Final = frozenset({TaskState.SUCCESSFUL, TaskState.FAILED, TaskState.CANCELLED})
_TIMED_OUT: Final = ("EXEC_TIMEOUT", "EXECUTION_EXPIRED")
_ROLLED_BACK: Final = "ROLLBACK_SUCCEEDED"


def columns(
    *,
    type_: str,
    name: str,
    params: Mapping[str, Any],
    created_at: datetime,
    state: TaskState,
    operation: Operation,
    direction: Direction,
    problem: str | None,
) -> dict[str, Any] | None:
    """Return ODC's columns of a task, None for a type that it does not know. `problem`: the kind of its failure."""
    kind = TYPES.get(type_)
    if kind is None:
        return None
    task_status, flow_status, *_ = ODC_ENUMS[state]
    if state is TaskState.FAILED and problem == "TIMEOUT":
        task_status, flow_status = _TIMED_OUT
    if state is TaskState.SUCCESSFUL and (operation is Operation.ROLLBACK or direction is Direction.BACKWARD):
        flow_status = _ROLLED_BACK
    connection = params.get("connection")
    return {
        **({"connection": connection} if isinstance(connection, str) else {}),
        "taskName": name,
        "taskType": kind,
        "createdAt": created_at.isoformat(),
        "status": ODC[state],
        "taskStatus": task_status,
        "flowStatus": flow_status,
        "actions": ["View", "Delete" if state in _ENDED else "Abort"],
    }
