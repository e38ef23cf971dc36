"""How OCP Express shows a task: a choice of v2's fields, under v1's names (specification §3). Decides nothing.

There is no cluster; the tenant is `tenantInfo` with the one number that Express knows; a creator is a name.
"""

from typing import Any, Final

from services.api.rest.words import express_operation

_BASIC: Final = ("id", "name", "status", "startTime", "finishTime")
_WRAPPED: Final = (*_BASIC, "taskDefinitionId", "type", "executor", "createTime", "operation", "prohibitRollback")
_BASIC_SUBTASK: Final = ("id", "name", "description", "status", "operation")
_SUBTASK: Final = (
    *_BASIC_SUBTASK,
    "seriesId",
    "timeout",
    "executor",
    "runTime",
    "nodeType",
    "parallelIdx",
    "upstreams",
    "downstreams",
    "prohibitRollback",
    "createTime",
    "startTime",
    "finishTime",
)


def basic(v2: dict[str, Any]) -> dict[str, Any]:
    """Return v1's BasicTaskInstance for v2's."""
    return _task(v2, _BASIC, _BASIC_SUBTASK)


def wrapped(v2: dict[str, Any]) -> dict[str, Any]:
    """Return v1's WrappedTaskInstance for v2's."""
    return _task(v2, _WRAPPED, _SUBTASK)


def subtask(v2: dict[str, Any]) -> dict[str, Any]:
    """Return v1's SubtaskInstance for v2's."""
    return _subtask(v2, _SUBTASK)


def _task(v2: dict[str, Any], fields: tuple[str, ...], of_subtask: tuple[str, ...]) -> dict[str, Any]:
    shown = _chosen(v2, fields)
    shown["creator"] = {"name": v2["creator"]["name"]}
    if (tenant := v2.get("tenant")) is not None:
        number = tenant.get("obTenantId", tenant.get("id"))
        shown["tenantInfo"] = {"name": tenant["name"], **({"obTenantId": number} if number is not None else {})}
    shown["subtasks"] = [_subtask(found, of_subtask) for found in v2["subtasks"]]
    return shown


def _subtask(v2: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {**_chosen(v2, fields), "operation": express_operation(v2["status"], v2["operation"])}


def _chosen(v2: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: v2[name] for name in fields if name in v2}
