"""Every address of the console. Each part adds its own; all of them declare what they need, like the API's.

Nothing here is part of the API: programs use `/api`, so addresses of pages may change.
"""

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console import (
    audit,
    connections,
    create,
    dialogs,
    executors,
    helping,
    list_bulk,
    list_criteria,
    list_views,
    live_installation,
    live_list,
    live_log,
    live_task,
    object_lists,
    params_view,
    people,
    queue,
    secrets,
    set_aside,
    sign_in,
    sync_list,
    task_list,
    task_page,
    tokens,
)
from services.api.console.http import address, see
from services.api.console.packed import packed
from services.api.console.pages import STATIC, read, static
from services.api.rest.errors import Problem
from services.api.rest.policy import needs

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
PARTS = (
    sign_in,
    helping,
    people,
    tokens,
    task_list,
    list_bulk,
    list_criteria,
    list_views,
    task_page,
    dialogs,
    executors,
    queue,
    set_aside,
    live_log,
    live_list,
    live_task,
    audit,
    params_view,
    create,
    connections,
    secrets,
    sync_list,
    object_lists,
    live_installation,
)
"""What adds pages: each has `ROUTES`, rows of method, path and endpoint."""


def add(app: FastAPI) -> None:
    """Add every page."""
    for method, path, endpoint in [*ROUTES, *(row for part in PARTS for row in part.ROUTES)]:
        app.add_api_route(path, endpoint, methods=[method], include_in_schema=False)


@needs(Permission.READ)
async def home(request: Request) -> Response:
    """Lead to the tasks."""
    return see(address(request, "/tasks"))


@needs(None)
async def static_file(request: Request) -> Response:
    """Send a file of the console; its address changes with it."""
    name = request.path_params["name"]
    there = {path.name for path in STATIC.iterdir() if path.suffix in TYPES}
    if name not in there or request.url.path != static(name):
        raise Problem(404, 1002, "There is no such file. Reload the page.")
    return packed(request, read(name), 200, FOR_EVER, TYPES[(STATIC / name).suffix])


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/", home),
    ("GET", "/static/{digest}/{name}", static_file),
)
