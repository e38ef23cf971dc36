"""The outermost layer, plain ASGI: begins the exchange, checks the credential, counts, and lets no fault out.

Nothing behind it is reached without a credential, whatever the path; `/health/live` alone is open. Adding a layer that
wraps requests as objects here would cost every request; this one passes the scope through.
"""

from collections.abc import Callable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.access import Principal
from services.api.credentials import Credentials
from services.api.rest import exchange
from services.api.rest.errors import fault, unauthenticated
from services.api.rest.policy import PUBLIC

Count = Callable[[str, str, int, float], None]
"""Takes method, route template, status and seconds."""
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Gate:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, credentials: Callable[[], Credentials], count: Count) -> None:
        self._app = app
        self._credentials = credentials
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        about = exchange.of(scope)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if scope["path"] in PUBLIC or await self._enter(scope, about):
                await self._app(scope, receive, sending)
            else:
                await unauthenticated(scope)(scope, receive, sending)
        except Exception as error:  # noqa: BLE001  a fault of ours never gets out
            if not status:  # else it was logged and answered further inside
                await fault(scope, error)(scope, receive, sending)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._count(method, _template(scope, status), status, about.milliseconds / 1000)

    async def _enter(self, scope: Scope, about: exchange.Exchange) -> Principal | None:
        header = _authorization(scope)
        if header is None:
            return None
        credentials = self._credentials()
        about.principal = credentials.remembered(header) or await credentials.verify(header)
        return about.principal


def _authorization(scope: Scope) -> str | None:
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _template(scope: Scope, status: int) -> str:
    route: Any = scope.get("route")
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    if path is not None:
        return str(path)
    return scope["path"] if scope["path"] in PUBLIC else "(refused)" if status == 401 else "(none)"
