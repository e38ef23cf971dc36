"""The addresses of Huawei's synchronisation tasks (specification §7): what they need, how they are described."""

from typing import Any, Final

from fastapi import FastAPI

from services.api.rest import openapi
from services.api.rest.huawei import shapes, tasks
from services.api.rest.huawei.bodies import CreateSyncTask, SyncEvents
from services.api.synchronisation import TYPE

TAG: Final = "Huawei OMS"
_MS: Final = {"type": "integer", "format": "int64", "minimum": 0, "maximum": 32_503_679_999_999}
_KINDS: Final = "REQUEST|SUCCESS|FAILURE|SKIP|SIZE"
_WHY: Final = {
    400: "What was sent does not fit, or the task's state does not allow it.",
    401: "No valid credential.",
    403: "The role, or the team, does not allow it.",
    404: "The project has no such synchronization task.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The body is not plain JSON.",
    429: "Too many at once; come back after Retry-After seconds.",
    431: "The headers are too large.",
    503: "The log or the view cannot be reached.",
}


def _query(name: str, schema: dict[str, Any], text: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": text}


def _path(name: str, text: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*$", "minLength": 1, "maxLength": 128},
        "description": text,
    }


PROJECT: Final = _path("project_id", "The team whose tasks these are.")
TASK: Final = _path("sync_task_id", f"Id of a task of type {TYPE}.")
_STATUS: Final = _query("status", {"type": "string", "enum": ["SYNCHRONIZING", "STOPPED"]}, "All without it.")
LIST: Final = [
    PROJECT,
    _query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}, "How many."),
    _query("offset", {"type": "integer", "minimum": 0, "maximum": 10_000, "default": 0}, "How many to pass over."),
    _STATUS,
]
SHOW: Final = [
    PROJECT,
    TASK,
    _query("query_time", _MS, "A time (ms) in the month to tell of.", required=True),
]
STATISTICS: Final = [
    PROJECT,
    TASK,
    _query(
        "data_type",
        {"type": "string", "pattern": f"^({_KINDS})(,({_KINDS}))*$"},
        "One or more, separated by commas.",
        required=True,
    ),
    _query("start_time", _MS, "From here on (ms).", required=True),
    _query("end_time", _MS, "Up to here (ms), at most 92 days later.", required=True),
]


def add(app: FastAPI) -> None:
    """Add every route."""
    one, at = f"{tasks.BASE}/{{sync_task_id}}", [PROJECT, TASK]
    create = openapi.strict(CreateSyncTask)
    _add(app, "POST", tasks.BASE, tasks.huawei_create, shapes.Created, 413, 415, parameters=[PROJECT], body=create)
    _add(app, "GET", tasks.BASE, tasks.huawei_list, shapes.SyncTaskList, parameters=LIST)
    _add(app, "GET", one, tasks.huawei_show, shapes.SyncTaskDetails, 404, parameters=SHOW)
    _add(app, "DELETE", one, tasks.huawei_delete, None, 404, parameters=at)
    _add(app, "POST", f"{one}/start", tasks.huawei_start, None, 404, 413, 415, parameters=at, body=_ANY)
    _add(app, "POST", f"{one}/stop", tasks.huawei_stop, None, 404, parameters=at)
    events = openapi.strict(SyncEvents)
    _add(app, "POST", f"{one}/events", tasks.huawei_events, None, 404, 413, 415, parameters=at, body=events)
    _add(app, "GET", f"{one}/statistics", tasks.huawei_statistics, shapes.Statistics, 404, parameters=STATISTICS)


_ANY: Final = {"required": False, "content": {"application/json": {"schema": {"type": "object"}}}}
_EMPTY: Final = {"content": {"application/json": {"schema": {"type": "object", "maxProperties": 0}}}}


def _add(
    app: FastAPI,
    method: str,
    path: str,
    endpoint: Any,
    shape: Any,
    *refusals: int,
    parameters: list[dict[str, Any]],
    body: dict[str, Any] | None = None,
) -> None:
    good: dict[str, Any] = {"model": shape} if shape is not None else _EMPTY
    bad = (400, 401, 403, 414, 429, 431, 503, *refusals)
    app.add_api_route(
        path,
        endpoint,
        methods=[method],
        responses={200: good, **{status: {"model": shapes.Failed, "description": _WHY[status]} for status in bad}},
        response_model=None,
        openapi_extra={"parameters": parameters, **({"requestBody": body} if body is not None else {})},
        operation_id=endpoint.__name__,
        summary=(endpoint.__doc__ or "").strip(),
        tags=[TAG],
    )
