"""The outermost layer, plain ASGI: begins the exchange, lets in or not, counts, and lets no fault out.

Nothing behind it is reached without a credential, whatever the path; `/health/live` alone is open. Adding a layer that
wraps requests as objects here would cost every request; this one passes the scope through.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.credentials import Credentials
from services.api.rest import exchange
from services.api.rest.admission import Admission, authorization
from services.api.rest.denials import STATUSES, Denials
from services.api.rest.errors import Problem, answer, fault
from services.api.rest.policy import public

Count = Callable[[str, str, int, float], None]
"""Takes method, route template, status and seconds."""
MAX_URL: Final = 16 * 1024
MAX_HEADERS: Final = 32 * 1024
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Gate:
    """Wraps the application. `door` gives who lets in, and whose names are known for the log.

    `stranger` answers who is not let in, `refuse` says why somebody was refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        door: Callable[[], tuple[Admission, Credentials]],
        count: Count,
        stranger: Callable[[Scope], Response],
        refuse: Callable[[Scope, Exception], Awaitable[Response]] = answer,
    ) -> None:
        self._app = app
        self._stranger = stranger
        self._refuse = refuse
        self._door = door
        self._count = count
        self._denials = Denials()

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
                if about.limits is not None:
                    message["headers"] = [*message["headers"], *about.limits]
            await send(message)

        try:
            await self._serve(scope, receive, sending, about)
        except Exception as error:  # noqa: BLE001  a fault of ours never gets out
            if not status:  # else it was logged and answered further inside
                await fault(scope, error)(scope, receive, sending)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._count(method, _template(scope, status), status, about.milliseconds / 1000)
            if status in STATUSES:
                claim = about.claim or self._door()[1].claim(authorization(scope))
                self._denials.note(scope, status, claim)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, about: exchange.Exchange) -> None:
        if public(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            _bounded(scope)
            receive = await self._door()[0].enter(scope, receive)
        except Exception as error:  # noqa: BLE001  the table knows what to say to each
            await (await self._refuse(scope, error))(scope, receive, send)
            return
        if about.principal is not None:
            await self._app(scope, receive, send)
        else:
            await self._stranger(scope)(scope, receive, send)


def _bounded(scope: Scope) -> None:
    """Refuse an address or headers that are larger than anybody needs."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_URL:
        raise Problem(414, 1001, f"The address is longer than {MAX_URL} bytes.", headers={"Connection": "close"})
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS:
        raise Problem(431, 1001, f"The headers are larger than {MAX_HEADERS} bytes.", headers={"Connection": "close"})


def _template(scope: Scope, status: int) -> str:
    route: Any = scope.get("route")
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    if path is not None:
        return str(path)
    return scope["path"] if public(scope["path"]) else "(refused)" if status == 401 else "(none)"
