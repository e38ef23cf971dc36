"""Errors as pages: what a browser is shown instead of the API's JSON, in the same words and with the same status.

The table of `rest/errors.py` decides; nothing is decided here.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from services.api.console.http import here, page, see
from services.api.rest.errors import unauthenticated
from services.api.rest.policy import for_programs

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]
HOME = "/"


def pages_for(handlers: dict[Any, Handler]) -> dict[Any, Handler]:
    """Return the handlers, each answering browsers with a page."""
    return {kind: _with_page(handler) for kind, handler in handlers.items()}


def stranger(scope: Scope) -> Response:
    """Return the way to the sign-in page for a browser that wants a page, 401 for everybody else."""
    request = Request(scope)
    if not wants_page(request) or scope["method"] not in {"GET", "HEAD"}:
        return unauthenticated(scope)
    wanted = here(request)
    return see("/login" + (f"?{urlencode({'next': wanted})}" if wanted != HOME else ""))


def wants_page(request: Request) -> bool:
    """Whether a browser asks, for something that is no part of the API."""
    return not for_programs(request.url.path) and "text/html" in request.headers.get("accept", "")


def _with_page(handler: Handler) -> Handler:
    async def answer(request: Request, error: Exception) -> Response:
        response = await handler(request, error)
        if not wants_page(request):
            return response
        said = json.loads(bytes(response.body))
        kept = {name: value for name, value in response.headers.items() if name in {"retry-after", "allow"}}
        return page(
            request,
            "problem.html",
            status=response.status_code,
            headers=kept,
            message=said["error"]["message"],
            code=response.status_code,
            trace_id=said["traceId"],
            target=said["error"].get("target") or {},
        )

    return answer
