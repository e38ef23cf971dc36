"""Every route with what it needs, what it answers, and how it may fail. The table of the REST surface."""

import re
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.routing import APIRoute
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import request_response
from starlette.staticfiles import StaticFiles

from services.api.access import Permission
from services.api.bulk import BulkBody
from services.api.rest import asyncapi as bus_docs
from services.api.rest import (
    audit,
    bulk,
    commands,
    connections,
    counts,
    events,
    fleet,
    health,
    items,
    logs,
    offers,
    openapi,
    people,
    results_routes,
    schemas,
    secrets,
    shapes_audit,
    shapes_bulk,
    shapes_targets,
    sync_routes,
    tasks,
    tokens,
)
from services.api.rest import set_aside as aside
from services.api.rest import shapes_fleet as fleets
from services.api.rest import shapes_people as who
from services.api.rest import shapes_set_aside as asides
from services.api.rest.huawei import routes as huawei
from services.api.rest.live import events as live
from services.api.rest.policy import needs, policy_of
from services.api.rest.shapes_counts import TaskCounts
from services.api.rest.shapes_logs import LinesShape
from services.api.rest.tasks import INSTANCES
from services.api.rest.v1 import routes as v1
from shared.task.plan import TypeCard

ASSETS = "/docs/assets"
_STATIC = Path(fastapi_offline.__file__).with_name("static")


class Digits(StringConvertor):
    """An id in a path whose neighbours are words; it stays a text, for `query` to read."""

    regex = "[0-9]+"


class GuardedRoute(APIRoute):
    """A route whose endpoint declares a policy; one that does not cannot be added.

    Endpoints take the request and return the response, so FastAPI's own handling (dependencies, models) would only
    cost time: a create takes 0.3 ms less without it. A slash at the end of the address changes nothing, as with OCP.
    """

    def __init__(self, path: str, endpoint: Any, **settings: Any) -> None:
        if policy_of(endpoint) is None:
            raise TypeError(f"the route {path} declares no policy")
        super().__init__(path, endpoint, **settings)
        self.app = request_response(endpoint)
        self.path_regex = re.compile(f"{self.path_regex.pattern.removesuffix('$')}/?$")


def add(app: FastAPI) -> None:
    """Add every route."""
    app.router.route_class = GuardedRoute
    register_url_convertor("digits", Digits())
    one = f"{INSTANCES}/{{task_id}}"
    _add(
        app, "POST", INSTANCES, tasks.create, schemas.TaskDetails, 400, 409, 413, 415, 422, 503,
        status=201, parameters=[openapi.KEY, openapi.DRY_RUN], body=openapi.body(),
        also={200: {"model": schemas.Answer[schemas.Preview], "description": "A dry run's answer."}},
    )  # fmt: skip
    _add(app, "GET", INSTANCES, tasks.listed, schemas.TaskPage, 400, 503, 504, parameters=openapi.LIST)
    _add(
        app, "GET", "/api/v2/tasks/counts", counts.counts, TaskCounts, 400, 503, 504, parameters=[openapi.MIN_SEQ]
    )  # fmt: skip
    _add(
        app, "GET", one, tasks.details, schemas.TaskDetails, 400, 404, 503, 504,
        parameters=[openapi.TASK, openapi.MIN_SEQ, openapi.DIALECT, openapi.AT],
    )  # fmt: skip
    _add(
        app, "GET", "/api/v2/tasks/{task_id:digits}", tasks.details_alias, schemas.TaskDetails, 400, 404, 503, 504,
        parameters=[openapi.TASK, openapi.MIN_SEQ, openapi.DIALECT],
    )  # fmt: skip
    _commands(app, one)
    v1.add(app, _add, _raw)
    sync_routes.add(app, _add, _raw)
    huawei.add(app)
    _bulk(app, one)
    _people(app)
    _targets(app)
    _set_aside(app)
    _fleet(app)
    lines: Any = schemas.LogShape | LinesShape
    live_lines = {"text/event-stream": {"schema": {"type": "string"}}}
    _add(
        app, "GET", f"{one}/subtasks/{{subtask_id}}/log", logs.log, lines, 400, 404, 429, 503,
        parameters=openapi.LOG_PAGE, also={200: {"model": schemas.Answer[lines], "content": live_lines}},
    )  # fmt: skip
    _raw(
        app, "GET", f"{one}/subtasks/{{subtask_id}}/log/download", logs.download, "text/plain, application/gzip",
        400, 404, 503, parameters=openapi.LOG_FILE,
    )  # fmt: skip
    results_routes.add(app, _add, _raw)
    _add(app, "GET", f"{one}/events", events.history, schemas.History, 400, 404, 503, parameters=openapi.HISTORY)
    _raw(
        app, "GET", "/api/v2/events", live.live_events, "text/event-stream", 400, 404, 429, 503,
        parameters=openapi.LIVE, description="Events `open`, `commit`, `position` and `reset`; ids are log positions.",
    )  # fmt: skip
    _add(app, "GET", "/api/v2/audit", audit.audit, shapes_audit.AuditPage, 400, 503, 504, parameters=openapi.AUDIT)
    _add(
        app, "GET", "/api/v2/audit/verify", audit.verify_audit, shapes_audit.ChainShape, 400, 404, 503,
        parameters=openapi.CHAIN,
    )  # fmt: skip
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
    app.add_api_route("/asyncapi.json", bus_docs.asyncapi_json, include_in_schema=False)
    app.add_api_route("/asyncapi", bus_docs.asyncapi_page, include_in_schema=False)
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


def _bulk(app: FastAPI, one: str) -> None:
    """Add commands on many tasks; OCP has none."""
    for word, summary in _ON_TASK.items():
        _one_bulk(app, word, summary)
    _one_bulk(app, "delete", "Take ended tasks out of the lists; their history stays.")
    _add(
        app, "GET", f"{one}/items", items.items, shapes_bulk.Items, 400, 404, 503,
        parameters=[openapi.TASK, *openapi.PAGING],
    )  # fmt: skip


def _one_bulk(app: FastAPI, word: str, summary: str) -> None:
    endpoint = bulk.on_tasks(word, f"On every task that fits: {summary[0].lower()}{summary[1:]}")
    dry = schemas.Answer[shapes_bulk.BulkPreview | shapes_bulk.BulkNothing]
    _add(
        app, "POST", f"{INSTANCES}:{word}", endpoint, schemas.TaskDetails, 400, 409, 413, 415, 422, 503, 504,
        status=201, parameters=openapi.BULK, body=openapi.optional(BulkBody),
        also={200: {"model": dry, "description": "A dry run's answer, or no task fits and none was created."}},
    )  # fmt: skip


def _people(app: FastAPI) -> None:
    """Add users, tokens, and whoever asks."""
    user, body = f"{people.USERS}/{{name}}", openapi.strict
    _add(app, "GET", people.ME, people.me, who.MeShape)
    _add(app, "GET", people.USERS, people.users, who.UsersShape)
    _add(
        app, "POST", people.USERS, people.create_user, who.UserShape, 400, 409, 413, 415, 422, 503,
        status=201, body=body(who.UserBody),
    )  # fmt: skip
    refusals, parameters = (400, 404, 409, 413, 415, 422, 503), [openapi.LOGIN]
    _add(
        app, "PATCH", user, people.change_user, who.UserShape, *refusals,
        parameters=parameters, body=body(who.UserChange),
    )  # fmt: skip
    _add(app, "DELETE", user, people.remove_user, Any, 404, 409, 503, parameters=parameters, answer=schemas.Quiet)
    _add(
        app, "POST", f"{user}/password", people.change_password, Any, 400, 404, 413, 415, 422, 503,
        parameters=parameters, body=body(who.PasswordBody), answer=schemas.Quiet,
    )  # fmt: skip
    _add(app, "GET", tokens.TOKENS, tokens.tokens, who.TokensShape)
    _add(
        app, "POST", tokens.TOKENS, tokens.create_token, who.NewTokenShape, 400, 413, 415, 422, 503,
        status=201, body=body(who.TokenBody),
    )  # fmt: skip
    _add(
        app, "DELETE", f"{tokens.TOKENS}/{{token_id}}", tokens.revoke_token, Any, 404, 503,
        parameters=[openapi.TOKEN], answer=schemas.Quiet,
    )  # fmt: skip


def _targets(app: FastAPI) -> None:
    """Add secrets and connections: what operations need to reach the outside world."""
    shapes, refusals = shapes_targets, (400, 404, 413, 415, 422, 503)
    one, name = f"{secrets.SECRETS}/{{name:path}}", [openapi.SECRET_NAME]
    _add(app, "GET", secrets.SECRETS, secrets.secrets, shapes.SecretsShape, 503)
    _add(
        app, "PUT", one, secrets.set_secret, shapes.SecretShape, *refusals,
        parameters=name, body=openapi.strict(shapes.SecretBody),
        also={201: {"model": schemas.Answer[shapes.SecretShape], "description": "It is new."}},
    )  # fmt: skip
    _add(app, "DELETE", one, secrets.remove_secret, Any, 404, 409, 503, parameters=name, answer=schemas.Quiet)
    one, name = f"{connections.CONNECTIONS}/{{name}}", [openapi.CONNECTION_NAME]
    _add(app, "GET", connections.CONNECTIONS, connections.connections, shapes.ConnectionsShape, 503)
    _add(app, "GET", one, connections.connection, shapes.ConnectionShape, 404, 503, parameters=name)
    _add(
        app, "PUT", one, connections.define_connection, shapes.ConnectionShape, *refusals,
        parameters=name, body=openapi.strict(shapes.ConnectionBody),
        also={201: {"model": schemas.Answer[shapes.ConnectionShape], "description": "It is new."}},
    )  # fmt: skip
    _add(app, "DELETE", one, connections.remove_connection, Any, 404, 503, parameters=name, answer=schemas.Quiet)


def _set_aside(app: FastAPI) -> None:
    """Add what administrators do with messages nobody could use."""
    one, seq = f"{aside.PATH}/{{seq}}", [openapi.SEQ]
    _add(app, "GET", aside.PATH, aside.set_aside, asides.SetAsideList, 400, 503, parameters=openapi.SET_ASIDE)
    _add(
        app, "POST", f"{one}/replay", aside.replay_set_aside, asides.BusAnswer, 400, 404, 422, 503,
        parameters=seq,
    )  # fmt: skip
    _add(app, "DELETE", one, aside.discard_set_aside, Any, 404, 503, parameters=seq, answer=schemas.Quiet)


def _fleet(app: FastAPI) -> None:
    """Add executors, and how deep their queues are."""
    one, parameters = f"{fleet.EXECUTORS}/{{incarnation}}", fleets.INCARNATION
    _add(app, "GET", fleet.EXECUTORS, fleet.executors, fleets.ExecutorsShape, 503)
    _add(app, "POST", f"{one}/drain", fleet.drain_executor, fleets.ExecutorShape, 404, 503, parameters=parameters)
    _add(app, "POST", f"{one}/resume", fleet.resume_executor, fleets.ExecutorShape, 404, 503, parameters=parameters)
    _add(app, "GET", fleet.QUEUES, fleet.queues, fleets.QueuesShape, 503)


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


def _raw(
    app: FastAPI,
    method: str,
    path: str,
    endpoint: Any,
    media_type: str,
    *refusals: int,
    parameters: list[dict[str, Any]] | None = None,
    description: str = "The content itself, without an envelope.",
) -> None:
    """Add a route whose good answer is not JSON (a stream of events, a download); its refusals are, as everywhere.

    ``media_type``: several, separated by commas, when the caller's choice decides.
    """
    shape = {"schema": {"type": "string", **({} if media_type.startswith("text/") else {"format": "binary"})}}
    content = {one.strip(): shape for one in media_type.split(",")}
    app.add_api_route(
        path,
        endpoint,
        methods=[method],
        response_class=Response,
        responses={200: {"content": content, "description": description}, **openapi.errors(401, 403, *refusals)},
        response_model=None,
        openapi_extra={"parameters": parameters or []},
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
