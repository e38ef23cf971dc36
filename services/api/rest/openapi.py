"""What the OpenAPI document says about parameters, bodies, errors and credentials, which routes read by hand."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from services.api import access
from services.api.creation import CreateBody
from services.api.rest.query import SORTS
from services.api.rest.schemas import Failure
from services.api.rest.times import AGO
from services.api.rest.words import KINDS, LABELS, STATES
from shared.store.connections import MAX_NAME as MAX_CONNECTION
from shared.store.connections import NAME as CONNECTION
from shared.store.secrets import MAX_NAME as MAX_SECRET
from shared.store.secrets import NAME as SECRET
from shared.task.plan import MAX_SUBTASKS
from shared.task.state import TaskState

TITLE: Final = "opsledger"
DESCRIPTION: Final = "Operations-and-maintenance tasks: created, followed and steered. Answers come in OCP's envelope."
SECURITY: Final[list[dict[str, list[str]]]] = [{"basic": []}, {"bearer": []}, {"signature": []}]
SCHEMES: Final = {
    "basic": {"type": "http", "scheme": "basic"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of ours, or one of the identity provider."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "OCP-ACCESS-KEY-HMACSHA1 {access key}:{signature}, with a Date; or Huawei's SDK-HMAC-SHA256, "
        "with an X-Sdk-Date; see docs/access.md.",
    },
}

_EITHER: Final = [
    {"required": ["type"], "properties": {"type": {"type": "string"}, "plan": {"type": "null"}}},
    {
        "required": ["plan"],
        "properties": {"plan": {"type": "object"}, "type": {"type": "null"}, "params": {"type": "null"}},
    },
]
"""What the create body's own schema cannot say: a type with its parameters, or a plan, and not both."""
_INT: Final = {"type": "integer", "format": "int64"}
_WHY: Final = {
    400: "A parameter, or the body's JSON, cannot be understood; or the graph cannot be run.",
    401: "No valid credential.",
    403: "The role has no permission.",
    404: "There is no such thing.",
    405: "Not with this method.",
    409: "The idempotency key was used before with another body.",
    412: "The task has changed since the version in If-Match.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The body is not plain JSON.",
    422: "The body does not fit; each fault has a JSON pointer.",
    431: "The headers are too large.",
    503: "The log or the view cannot be reached; `target.effect` says whether the command may still take effect.",
    429: "Too many at once; come back after Retry-After seconds.",
    504: "The view did not reach `min_seq` in time.",
}


_ANYWHERE: Final = frozenset({414, 429, 431})


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of these refusals, and of those that every caller can meet."""
    return {status: {"model": Failure, "description": _WHY[status]} for status in sorted({*statuses, *_ANYWHERE})}


def _query(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": text}


def _words(name: str, words: list[str], text: str) -> dict[str, Any]:
    schema = {"type": "array", "items": {"type": "string", "enum": words}}
    return {**_query(name, schema, text), "style": "form", "explode": False}


def _texts(name: str, text: str) -> dict[str, Any]:
    schema = {"type": "array", "items": {"type": "string", "maxLength": 300}, "maxItems": 100}
    return {**_query(name, schema, text), "style": "form", "explode": False}


def _text(name: str, text: str) -> dict[str, Any]:
    return _query(name, {"type": "string", "maxLength": 300}, text)


def _time(name: str, text: str) -> dict[str, Any]:
    return _query(name, {"type": "string", "format": "date-time"}, text)


def _id(name: str, text: str) -> dict[str, Any]:
    return _query(name, {**_INT, "minimum": 0}, text)


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {**_INT, "minimum": 1}}


TASK: Final = _path("task_id")
SUBTASK: Final = _path("subtask_id")
TYPE_NAME: Final = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
LOGIN: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": access.LOGIN, "minLength": 1, "maxLength": access.MAX_LOGIN},
}
SECRET_NAME: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": SECRET, "minLength": 1, "maxLength": MAX_SECRET},
}
CONNECTION_NAME: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": CONNECTION, "minLength": 1, "maxLength": MAX_CONNECTION},
}
TOKEN: Final = {"name": "token_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
MIN_SEQ: Final = _query("min_seq", {**_INT, "minimum": 0}, "Wait until the view has reached this X-Log-Seq.")
KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    "description": "Repeating the request with its key gives the first answer, for ever.",
}
DRY_RUN: Final = _query(
    "dry_run", {"type": "boolean", "default": False}, "Decide and store nothing; the answer says what would happen."
)
COMMAND: Final = [
    KEY,
    DRY_RUN,
    _query("reason", {"type": "string", "maxLength": 500}, "Why; the body may say it instead."),
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "pattern": r'^(\*|"[0-9]{1,18}")$'},
        "description": "The version (ETag) the caller saw; 412 when the task has changed since.",
    },
]
PREFER: Final = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "enum": ["return=representation"]},
    "description": "Answer with the subtask; without it there is no data, as in OCP.",
}
DIALECT: Final = _query(
    "dialect",
    {"type": "string", "enum": list(LABELS), "default": "ocp"},
    "Whose words `status` of a filter is in, and `statusLabel` of the answer.",
)
_SORTS: Final = "|".join(SORTS)
LIST: Final = [
    _text("name", "Part of the name, whatever its case; of several words all must occur."),
    _words("status", sorted(STATES), "OCP's words."),
    _words("state", [state.value for state in TaskState], "Our words."),
    _words("type", sorted(KINDS), "Where tasks come from; all are MANUAL so far."),
    _texts("taskType", "Names of task types; tasks with a plan of their own have the type plan."),
    _texts("operator", "Names of creators."),
    _text("objectKind", "Kind of the object."),
    _text("objectId", "Id of the object."),
    _text("objectName", "Part of the object's name."),
    _id("clusterId", "Tasks on this cluster, or labelled with it: `cluster.id`."),
    _text("clusterName", "Part of the cluster's name; `cluterName`, as OCP's documents have it, is the same."),
    _text("cluterName", "The same as `clusterName`."),
    _id("tenantId", "Tasks on this tenant, or labelled with it: `tenant.id`."),
    _text("tenantName", "Part of the tenant's name; `tenant` and `tenant.name` are labels that give it."),
    _id("hostId", "Tasks on this host, or labelled with it: `host.id`."),
    _text("hostName", "Part of the host's name."),
    {**_texts("label", "key:value; of several all must be there."), "explode": True},
    _text("text", "Words that all occur in the task's name, its object's, or its parameters."),
    _query("parent", {**_INT, "minimum": 1}, "Tasks that this task created."),
    {
        **_query("ids", {"type": "array", "items": {**_INT, "minimum": 0}, "maxItems": 100}, "These tasks."),
        "style": "form",
        "explode": False,
    },
    _time("createdFrom", "Created at this time or later; with its zone."),
    _time("createdTo", "Created before this time."),
    _query("since", {"type": "string", "pattern": AGO}, "Created so long ago at most: 90s, 30m, 2h, 7d, 4w."),
    _time("finishedFrom", "Finished at this time or later."),
    _time("finishedTo", "Finished before this time."),
    DIALECT,
    _query("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1}, "From 1."),
    _query("size", {"type": "integer", "minimum": 1, "maximum": 2000, "default": 10}, "Tasks a page."),
    _query("sort", {"type": "string", "pattern": f"^(({_SORTS})(,(asc|desc))?)?$", "default": "id,desc"}, "Order."),
    _query(
        "cursor",
        {"type": "string", "maxLength": 4096},
        "The `page.next` of a list: what comes behind it. It says sort and page, whatever `page` is.",
    ),
    MIN_SEQ,
]
PAGING: Final = [one for one in LIST if one["name"] in {"page", "size"}]
BULK: Final = [
    KEY,
    DRY_RUN,
    _query("all", {"type": "boolean", "default": False}, "Every task is meant; needed when no filter is given."),
    *(one for one in LIST if one["name"] not in {"page", "size", "sort", "after", "cursor"}),
]
"""A list's filters; unlike lists, bulk commands refuse parameters that are none."""
V1_LIST: Final = [
    _text("keyword", "Part of the name, whatever its case."),
    *(one for one in LIST if one["name"] in {"status", "page", "sort", "min_seq"}),
    _query("size", {**_INT, "minimum": 1}, "Tasks a page; as many as fit, when it is not given or larger."),
]
_CURSOR: Final = {"type": "string", "pattern": r"^[0-9]{1,18}\.[0-9]{1,9}(\.[0-9]{1,15})?$"}
HISTORY: Final = [
    TASK,
    _query("after", {**_INT, "minimum": 0}, "Show what lies behind this log position."),
    _query("before", {**_INT, "minimum": 1}, "With order=desc: show what lies before this log position."),
    _query("order", {"type": "string", "enum": ["asc", "desc"], "default": "asc"}, "desc begins at the newest."),
    _query("size", {"type": "integer", "minimum": 1, "maximum": 5000, "default": 1000}, "Commits a page."),
]
_LEVELS: Final = ["All", "Alert", "DEBUG", "INFO", "WARN", "ERROR"]
LOG: Final = [
    TASK,
    SUBTASK,
    _query("level", {"type": "string", "enum": _LEVELS, "default": "All"}, "Alert: WARN and ERROR."),
    _text("find", "Lines that contain this, whatever its case."),
    _text("attempt", "Lines of one run: generation-attempt, or the number of an execution (runTime)."),
]
LOG_PAGE: Final = [
    *LOG,
    _query("tail", {"type": "integer", "minimum": 0, "maximum": 5000}, "The last so many lines."),
    _query("after", _CURSOR, "Lines behind this cursor; what is new is behind the last page's."),
    _query("before", _CURSOR, "Lines before this cursor, the nearest ones."),
    _query("size", {"type": "integer", "minimum": 1, "maximum": 5000, "default": 1000}, "Lines a page."),
    _query("follow", {"type": "boolean", "default": False}, "As server-sent events, until the subtask has ended."),
]
LOG_FILE: Final = [*LOG, _query("gzip", {"type": "boolean", "default": False}, "Packed.")]
AT: Final = _query("at", {"type": "string", "maxLength": 64}, "As it was at a log position or a time, inclusive.")
LIVE: Final = [
    _query("task", {**_INT, "minimum": 1}, "This task alone; all tasks that the caller may see by default."),
    _query("after", {**_INT, "minimum": 0}, "Begin behind this log position; with what comes now by default."),
    {
        "name": "Last-Event-ID",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
        "description": "The last id that was received; comes before `after`.",
    },
]
RESULTS: Final = [TASK, _query("subtask", {**_INT, "minimum": 1}, "The subtask with this id alone.")]
RESULT_SET: Final = [
    TASK,
    SUBTASK,
    {**_path("index"), "description": "Which statement of the script, from 1."},
    _query("page", {"type": "integer", "minimum": 1, "maximum": 100_000_000, "default": 1}, "From 1."),
    _query("size", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "Rows a page."),
]
_FILE: Final = {"type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]*$", "maxLength": 150}
RESULT_FILE: Final = [
    TASK,
    SUBTASK,
    {"name": "name", "in": "path", "required": True, "schema": _FILE, "description": "As `results` lists it."},
]
_MOMENT: Final = {"type": "string", "format": "date-time"}
AUDIT: Final = [
    _texts("by", "Names of those who commanded."),
    _texts("command", "Commands, such as create, retry, subtask.skip."),
    _query("task", {**_INT, "minimum": 1}, "Decisions on this task alone."),
    _words("outcome", ["accepted", "refused"], "How it was answered."),
    _texts("via", "Doors: rest, bus, cli, console, bulk."),
    _text("text", "Part of the reason or of the refusal's message, whatever its case."),
    _query("from", _MOMENT, "Not before this moment."),
    _query("to", _MOMENT, "Before this moment."),
    _query("since", {"type": "string", "pattern": AGO}, "So long ago at most, unless `from` is given: 90s, 30m, 2h."),
    _query("after", {"type": "string", "pattern": r"^[0-9]{1,18}\.[0-9]{1,18}$"}, "The `next` of the page before."),
    _query("size", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "Decisions a page."),
    MIN_SEQ,
]
CHAIN: Final = [{**_query("task", {**_INT, "minimum": 1}, "Whose hash chain."), "required": True}]

SEQ: Final = _path("seq")
SET_ASIDE: Final = [
    _query("source", {"type": "string", "enum": ["bus", "log"]}, "Only messages of the bus, or only those of the log."),
    _query("before", {**_INT, "minimum": 1}, "Only those with a smaller `seq`: the last one of the page before."),
    _query("size", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "Messages of each source."),
]


def body() -> dict[str, Any]:
    """Return the documentation of the create body."""
    schema = {"$ref": "#/components/schemas/CreateBody"}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def strict(model: type[BaseModel]) -> dict[str, Any]:
    """Return the documentation of a body that is exactly this model."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)  # only `Role`, which answers bring along
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def optional(model: type[BaseModel]) -> dict[str, Any]:
    """Return the documentation of a body that is this model or none at all."""
    return strict(model) | {"required": False}


def reason() -> dict[str, Any]:
    """Return the documentation of a command's body."""
    schema = {
        "type": "object",
        "properties": {"reason": {"type": "string", "maxLength": 500}},
        "additionalProperties": False,
    }
    return {"required": False, "content": {"application/json": {"schema": schema}}}


def document(app: FastAPI) -> dict[str, Any]:
    """Return the document, made once."""
    if app.openapi_schema is None:
        found = get_openapi(title=TITLE, version=app.version, description=DESCRIPTION, routes=app.routes)
        components = found.setdefault("components", {})
        components["securitySchemes"] = SCHEMES
        shape = CreateBody.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = components.setdefault("schemas", {})
        schemas.update(shape.pop("$defs", {}), CreateBody={**shape, "oneOf": _EITHER})
        schemas["Plan"]["properties"]["subtasks"] |= {"minItems": 1, "maxItems": MAX_SUBTASKS}
        found["security"] = SECURITY
        app.openapi_schema = found
    return app.openapi_schema
