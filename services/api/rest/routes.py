"""Every route with what it needs, what it answers, and how it may fail. The table of the REST surface."""

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import request_response
from starlette.staticfiles import StaticFiles

from services.api.access import Permission
from services.api.rest import commands, events, health, logs, offers, openapi, schemas, tasks
from services.api.rest.policy import needs, policy_of
from services.api.rest.tasks import INSTANCES
from shared.task.plan import TypeCard

ASSETS = "/docs/assets"
_STATIC = Path(fastapi_offline.__file__).with_name("static")


class GuardedRoute(APIRoute):
    """A route whose endpoint declares a policy; one that does not cannot be added.

    Endpoints take the request and return the response, so FastAPI's own handling (dependencies, models) would only
    cost time: a create takes 0.3 ms less without it.
    """

    def __init__(self, path: str, endpoint: Any, **settings: Any) -> None:
        if policy_of(endpoint) is None:
            raise TypeError(f"the route {path} declares no policy")
        super().__init__(path, endpoint, **settings)
        self.app = request_response(endpoint)


def add(app: FastAPI) -> None:
    """Add every route."""
    app.router.route_class = GuardedRoute
    one = f"{INSTANCES}/{{task_id}}"
    _add(
        app, "POST", INSTANCES, tasks.create, schemas.TaskDetails, 400, 409, 413, 415, 422, 503,
        status=201, parameters=[openapi.KEY, openapi.DRY_RUN], body=openapi.body(),
        also={200: {"model": schemas.Answer[schemas.Preview], "description": "A dry run's answer."}},
    )  # fmt: skip
    _add(app, "GET", INSTANCES, tasks.listed, schemas.TaskPage, 400, 503, 504, parameters=openapi.LIST)
    _add(
        app, "GET", one, tasks.details, schemas.TaskDetails, 400, 404, 503, 504,
        parameters=[openapi.TASK, openapi.MIN_SEQ],
    )  # fmt: skip
    _commands(app, one)
    _add(
        app, "GET", f"{one}/subtasks/{{subtask_id}}/log", logs.log, schemas.LogShape, 404, 503,
        parameters=[openapi.TASK, openapi.SUBTASK],
    )  # fmt: skip
    _add(app, "GET", f"{one}/events", events.history, schemas.History, 400, 404, 503, parameters=openapi.HISTORY)
    _add(app, "GET", "/api/v2/task-types", offers.task_types, schemas.TypeCards)
    _add(
        app, "GET", "/api/v2/task-types/{name}", offers.task_type, TypeCard, 404,
        parameters=[openapi.TYPE_NAME],
    )  # fmt: skip
    _add(app, "GET", "/api/v2/operations", offers.operations, schemas.OperationCards)
    _plain(app, "/health/live", health.live, {200: {"model": schemas.Live}}, public=True)
    _plain(app, "/health/ready", health.ready, {200: {"model": schemas.Ready}, 503: {"model": schemas.Ready}})
    _plain(app, "/metrics", health.metrics, {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
    app.add_api_route("/openapi.json", openapi_json, include_in_schema=False)
    app.add_api_route("/docs", docs, include_in_schema=False)
    app.mount(ASSETS, StaticFiles(directory=_STATIC), name="docs-assets")


_ON_TASK = {
    "retry": "Run every failed subtask again, or plan again.",
    "skip": "Count every failed subtask as done.",
    "cancel": "Stop the task.",
    "rollback": "Undo what has started, followers before upstreams.",
}
_ON_SUBTASK = {
    "retry": "Undo the failed attempt, then run the subtask again.",
    "skip": "Count the failed subtask as done.",
    "cancel": "Stop the running subtask.",
}


def _commands(app: FastAPI, one: str) -> None:
    """Add the commands (specification §2.1); cancel and skip of a whole task, and delete, are ours."""
    refusals = (400, 404, 409, 412, 413, 415, 422, 503)
    body, parameters = openapi.reason(), [openapi.TASK, *openapi.COMMAND]
    for word, summary in _ON_TASK.items():
        endpoint = commands.on_task(word, summary)
        shape = schemas.TaskDetails | schemas.Preview
        _add(app, "POST", f"{one}/{word}", endpoint, shape, *refusals, parameters=parameters, body=body)
    delete = commands.on_task("delete", "Take an ended task out of the lists; its history stays.")
    _add(app, "DELETE", one, delete, schemas.TaskDetails | schemas.Preview, *refusals, parameters=parameters)
    parameters = [openapi.TASK, openapi.SUBTASK, *openapi.COMMAND, openapi.PREFER]
    for word, summary in _ON_SUBTASK.items():
        endpoint = commands.on_subtask(word, summary)
        path: str = f"{one}/subtasks/{{subtask_id}}/{word}"
        subject: Any = schemas.SubtaskInstance | schemas.Preview
        answer = schemas.Answer if word == "retry" else schemas.Quiet
        _add(app, "POST", path, endpoint, subject, *refusals, parameters=parameters, body=body, answer=answer)


def _add(
    app: FastAPI,
    method: str,
    path: str,
    endpoint: Any,
    shape: Any,
    *refusals: int,
    status: int = 200,
    parameters: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
    answer: Any = schemas.Answer,
    also: dict[int | str, dict[str, Any]] | None = None,
) -> None:
    extra: dict[str, Any] = {"parameters": parameters or []}
    if body is not None:
        extra["requestBody"] = body
    answers = {status: {"model": answer[shape]}, **(also or {}), **openapi.errors(401, 403, *refusals)}
    app.add_api_route(
        path,
        endpoint,
        methods=[method],
        status_code=status,
        responses=answers,
        response_model=None,
        openapi_extra=extra,
        operation_id=endpoint.__name__,
        summary=(endpoint.__doc__ or "").strip(),
    )


def _plain(app: FastAPI, path: str, endpoint: Any, answers: dict[int | str, Any], *, public: bool = False) -> None:
    more = {} if public else openapi.errors(401, 403)
    app.add_api_route(
        path,
        endpoint,
        responses={**answers, **more},
        response_model=None,
        openapi_extra={"security": []} if public else None,
        operation_id=endpoint.__name__,
        summary=(endpoint.__doc__ or "").strip(),
    )


@needs(Permission.READ)
async def openapi_json(request: Request) -> Response:
    """Give the OpenAPI document."""
    return JSONResponse(openapi.document(request.app))


@needs(Permission.READ)
async def docs(request: Request) -> HTMLResponse:  # noqa: ARG001  the same for everybody
    """Show the documentation, from files of our own (no content delivery network)."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=openapi.TITLE,
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
    )
