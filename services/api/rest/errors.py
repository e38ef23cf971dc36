"""What went wrong, as OCP's codes and HTTP statuses (specification §2.4, architecture §5).

    code   status                                   code   status
    1001   400, 422  bad parameter, bad body        1011   400   sort by an unknown field
    1002   404  no such route                       1003   405   not with this method
    1004   413  body too large                      1005   415   not JSON, or compressed
    1006   503, 504  the world failed               1000   500   we are wrong
    3000   401  not logged in                       3100   403   no permission
    0      429  too many requests, as in OCP
    4001 … 4012   the domain says no, `shared.task.refusals`

One place maps; routes raise.
"""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from services.api.failure import status_of
from services.api.invalid import Invalid
from services.api.projection.faults import ViewUnavailable
from services.api.rest import exchange
from services.api.rest.envelope import failed
from shared.log.port import CommitTooLarge, LogRefused, LogUnavailable
from shared.runtime.logging import get
from shared.store.ids import IdsUnavailable
from shared.store.kv import BucketUnavailable
from shared.store.logs import LogsUnavailable
from shared.store.objects import ResultsUnavailable
from shared.task.refusals import Refusal

log = get(__name__)
CHALLENGE = 'Basic realm="opsledger", charset="UTF-8", Bearer realm="opsledger"'


class Problem(Exception):  # noqa: N818  an answer, not a fault of ours
    """An answer that is not the one asked for; each names its status and code."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        target: dict[str, Any] | None = None,
        sub_errors: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.target, self.sub_errors, self.headers = target, sub_errors, headers


def bad_parameter(name: str, message: str, *, code: int = 1001) -> Problem:
    """Return 400: a query or path parameter cannot be understood."""
    return Problem(400, code, f"The parameter {name} {message}.", target={"parameter": name})


async def on_refusal(request: Request, error: Exception) -> Response:
    """The domain says no."""
    assert isinstance(error, Refusal)  # noqa: S101  registered for it
    target = {"kind": error.kind, **error.target}
    return failed(request.scope, status_of(error), error.code, error.message, target=target)


async def on_invalid(request: Request, error: Exception) -> Response:
    """A well-formed body does not fit; every fault with its JSON pointer."""
    assert isinstance(error, Invalid)  # noqa: S101  registered for it
    first = error.faults[0]
    sub_errors = [{"object": "body", "field": fault.pointer, "message": fault.message} for fault in error.faults]
    message = f"{first.pointer or 'The body'}: {first.message}"
    return failed(request.scope, 422, 1001, message, target={"pointer": first.pointer}, sub_errors=sub_errors)


async def on_problem(request: Request, error: Exception) -> Response:
    """A route refused."""
    assert isinstance(error, Problem)  # noqa: S101  registered for it
    return failed(
        request.scope,
        error.status,
        error.code,
        error.message,
        target=error.target,
        sub_errors=error.sub_errors,
        headers=error.headers,
    )


async def on_http(request: Request, error: Exception) -> Response:
    """No route fits."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for it
    if error.status_code == 404:
        return failed(request.scope, 404, 1002, "There is nothing at this address.")
    if error.status_code == 405:
        allowed = _allowed(request)
        message = f"The method {request.method} is not allowed here. Allowed: {allowed}."
        return failed(request.scope, 405, 1003, message, headers={"Allow": allowed})
    return failed(request.scope, error.status_code, 1001, str(error.detail), headers=error.headers)


def _allowed(request: Request) -> str:
    """Return every method some route has for this path; the router names those of one route only."""
    partial = [route for route in request.app.routes if route.matches(request.scope)[0] is Match.PARTIAL]
    methods = {method for route in partial for method in getattr(route, "methods", None) or ()}
    return ", ".join(sorted(methods))


async def on_outage(request: Request, error: Exception) -> Response:
    """The log or a bucket cannot be reached; say whether the command may still take effect (P4)."""
    maybe = isinstance(error, LogUnavailable) and error.maybe
    log.warning("unavailable", trace_id=exchange.of(request.scope).trace_id, maybe=maybe, why=str(error))
    message = str(error) if isinstance(error, LogUnavailable | IdsUnavailable | LogRefused) else _OUTAGE
    message = _VIEW if isinstance(error, ViewUnavailable) else message
    target = {"effect": "unknown" if maybe else "none"}
    return failed(request.scope, 503, 1006, message, target=target, headers={"Retry-After": "1"})


_OUTAGE = "What this needs cannot be reached; nothing was stored."
_VIEW = "The view's database cannot be reached; commands are accepted."
OUTAGES = (
    ViewUnavailable,
    LogUnavailable,
    LogRefused,
    BucketUnavailable,
    IdsUnavailable,
    LogsUnavailable,
    ResultsUnavailable,
)


async def on_too_large(request: Request, error: Exception) -> Response:
    """One decision does not fit into a commit."""
    return failed(request.scope, 413, 1004, f"Too large for the log: {error}.")


async def on_fault(request: Request, error: Exception) -> Response:
    """We are wrong: nothing of the cause goes out, all of it into our own log."""
    return fault(request.scope, error)


def fault(scope: Scope, error: BaseException) -> Response:
    """Log a fault of ours with its trace and return what the caller is told."""
    trace_id = exchange.of(scope).trace_id
    log.error("request failed", trace_id=trace_id, path=ascii(scope.get("path", "")[:200]), exc_info=error)
    return failed(scope, 500, 1000, f"Something went wrong here. Its trace id is {trace_id}.")


async def answer(scope: Scope, error: Exception) -> Response:
    """Return what is answered to an error that no route raised; the nearest ancestor in the table decides."""
    handler = next(HANDLERS[kind] for kind in type(error).__mro__ if kind in HANDLERS)
    found: Response = await handler(Request(scope), error)
    return found


def unauthenticated(scope: Scope) -> Response:
    """Return 401, the same for a missing, malformed, unknown and expired credential (B1)."""
    return failed(scope, 401, 3000, "Log in with a user and password, or with a token.", headers=_CHALLENGE)


_CHALLENGE = {"WWW-Authenticate": CHALLENGE}
HANDLERS: dict[Any, Any] = {
    Refusal: on_refusal,
    Invalid: on_invalid,
    Problem: on_problem,
    HTTPException: on_http,
    CommitTooLarge: on_too_large,
    Exception: on_fault,
    **dict.fromkeys(OUTAGES, on_outage),
}
