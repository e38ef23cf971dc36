"""Every address of the console. Each part adds its own; all of them declare what they need, like the API's.

Nothing here is part of the API: programs use `/api`, so addresses of pages may change.
"""

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from services.api.access import Permission
from services.api.console import sign_in, task_list, task_page
from services.api.console.http import address, see
from services.api.console.pages import STATIC, static
from services.api.rest.errors import Problem
from services.api.rest.policy import needs

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
PARTS = (sign_in, task_list, task_page)
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
    there = {path.name for path in STATIC.iterdir()}
    if name not in there or request.url.path != static(name):
        raise Problem(404, 1002, "There is no such file. Reload the page.")
    return FileResponse(STATIC / name, headers=FOR_EVER)


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/", home),
    ("GET", "/static/{digest}/{name}", static_file),
)
