"""ODC's shapes for what tells of SQL and of mock data (specification §6): the columns of its list, and its results."""

from collections.abc import Mapping
from typing import Any, Final

from services.api.rest.words import ODC, ODC_ENUMS
from services.api.results import SQL, Carried
from services.api.results_zip import INDEX
from shared.task.state import Task

RECORD: Final = "The execution failed on line {index}.: {sql} {error}"
"""How ODC words a failed statement; `index` counts statements."""
_COUNTS: Final = {
    "writeCount": ("written", "writeCount"),
    "conflictCount": ("conflicting", "conflicts", "conflictCount"),
    "ignoreCount": ("ignored", "ignoreCount"),
    "clearCount": ("cleared", "clearCount"),
}


def shown(task: Task, carried: Carried) -> dict[str, Any]:
    """Return a DatabaseChangeResult for a script, a MockDataTaskResult for mock data, the status alone for others."""
    found: dict[str, Any] = {"kind": carried.kind, "taskStatus": ODC_ENUMS[task.state][0], "status": ODC[task.state]}
    value = carried.value
    if carried.kind == SQL:
        sets = carried.sets()
        found |= {
            "successCount": _count(value, "success"),
            "failCount": _count(value, "failure"),
            "records": [_record(one) for one in value.get("records") or () if isinstance(one, Mapping)],
            "containQuery": bool(sets),
        }
        if sets:
            found["zipFileDownloadUrl"] = f"/api/v2/tasks/instances/{task.id}/results/download"
            found["jsonFileName"] = INDEX
    elif carried.kind == "mock":
        found |= {name: _count(value, *ours) for name, ours in _COUNTS.items()}
    return found


def _record(one: Mapping[str, Any]) -> str:
    return RECORD.format(index=one.get("index", ""), sql=one.get("sql", ""), error=one.get("error", ""))


def _count(value: Mapping[str, Any], *names: str) -> int:
    return next((value[name] for name in names if type(value.get(name)) is int), 0)
