"""What the OpenAPI document says about parameters, bodies, errors and credentials, which routes read by hand."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.api.creation import CreateBody
from services.api.rest.query import SORTS
from services.api.rest.schemas import Failure
from services.api.rest.words import KINDS, STATES
from shared.task.plan import MAX_SUBTASKS
from shared.task.state import TaskState

TITLE: Final = "opsledger"
DESCRIPTION: Final = "Operations-and-maintenance tasks: created, followed and steered. Answers come in OCP's envelope."
SECURITY: Final[list[dict[str, list[str]]]] = [{"basic": []}, {"bearer": []}]
SCHEMES: Final = {"basic": {"type": "http", "scheme": "basic"}, "bearer": {"type": "http", "scheme": "bearer"}}

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
    415: "The body is not plain JSON.",
    422: "The body does not fit; each fault has a JSON pointer.",
    503: "The log or the view cannot be reached; `target.effect` says whether the command may still take effect.",
    504: "The view did not reach `min_seq` in time.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of these refusals."""
    return {status: {"model": Failure, "description": _WHY[status]} for status in statuses}


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


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {**_INT, "minimum": 1}}


TASK: Final = _path("task_id")
SUBTASK: Final = _path("subtask_id")
TYPE_NAME: Final = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
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
_SORTS: Final = "|".join(SORTS)
LIST: Final = [
    _text("name", "Part of the name, whatever its case."),
    _words("status", sorted(STATES), "OCP's words."),
    _words("state", [state.value for state in TaskState], "Our words."),
    _words("type", sorted(KINDS), "Where tasks come from; all are MANUAL so far."),
    _texts("taskType", "Names of task types; tasks with a plan of their own have the type plan."),
    _texts("operator", "Names of creators."),
    _text("objectKind", "Kind of the object."),
    _text("objectId", "Id of the object."),
    _text("objectName", "Name of the object."),
    _query("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1}, "From 1."),
    _query("size", {"type": "integer", "minimum": 1, "maximum": 2000, "default": 10}, "Tasks a page."),
    _query("sort", {"type": "string", "pattern": f"^(({_SORTS})(,(asc|desc))?)?$", "default": "id,desc"}, "Order."),
    MIN_SEQ,
]
HISTORY: Final = [
    TASK,
    _query("after", {**_INT, "minimum": 0, "default": 0}, "Show what lies behind this log position."),
    _query("size", {"type": "integer", "minimum": 1, "maximum": 5000, "default": 1000}, "Commits a page."),
]


def body() -> dict[str, Any]:
    """Return the documentation of the create body."""
    schema = {"$ref": "#/components/schemas/CreateBody"}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


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
