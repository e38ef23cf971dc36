"""Errors as pages: what a browser is shown instead of the API's JSON, in the same words and with the same status.

The table of `rest/errors.py` decides; nothing is decided here.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from services.api.console.http import here, page, see
from services.api.console.session import COOKIE
from services.api.rest.errors import answer, unauthenticated
from services.api.rest.policy import for_programs

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]
HOME = "/"
CHALLENGE = 'Session realm="opsledger"'


def pages_for(handlers: dict[Any, Handler]) -> dict[Any, Handler]:
    """Return the handlers, each answering browsers with a page."""
    return {kind: _with_page(handler) for kind, handler in handlers.items()}


async def refuse(scope: Scope, error: Exception) -> Response:
    """Return what is answered to an error before any route was reached."""
    return _shown(Request(scope), await answer(scope, error))


def stranger(scope: Scope) -> Response:
    """Return the way to the sign-in page for a browser that wants a page, 401 for everybody else.

    A browser is not challenged: it would ask for a name and password in a window of its own.
    """
    request = Request(scope)
    if wants_page(request):
        wanted = here(request) if request.method in {"GET", "HEAD"} else _came_from(request)
        return see("/login" + (f"?{urlencode({'next': wanted})}" if wanted != HOME else ""))
    refused = unauthenticated(scope)
    if COOKIE in request.cookies or "sec-fetch-mode" in request.headers:
        refused.headers["WWW-Authenticate"] = CHALLENGE
    return refused


def wants_page(request: Request) -> bool:
    """Whether a browser asks, for something that is no part of the API."""
    return not for_programs(request.url.path) and "text/html" in request.headers.get("accept", "")


def _came_from(request: Request) -> str:
    """Return the page of ours with the form that was sent, as far as the browser says so."""
    parts = urlsplit(request.headers.get("referer", ""))
    if parts.netloc != request.headers.get("host") or not parts.path:
        return HOME
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _with_page(handler: Handler) -> Handler:
    async def answered(request: Request, error: Exception) -> Response:
        return _shown(request, await handler(request, error))

    return answered


def _shown(request: Request, response: Response) -> Response:
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
