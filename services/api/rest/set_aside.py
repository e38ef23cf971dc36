"""What was set aside: messages of the bus nobody could carry out, and messages of the log nobody could read.

Those of the bus can be tried again, for instance once a type is on offer or a role was changed, or thrown away. Those
of the log stay as evidence: the log deletes nothing.
"""

from itertools import islice
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.bus.message import KEPT
from services.api.bus.order import Unfit
from services.api.bus.set_aside import Aside, AsideUnavailable
from services.api.bus.shapes import Answer
from services.api.projection.view import SetAside
from services.api.rest import query
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.policy import needs, principal
from services.api.rest.ports import Api, api
from shared.messages import signing
from shared.runtime.logging import get

PATH: Final = "/api/v2/set-aside"
SOURCES: Final = ("bus", "log")
EXCERPT: Final = 500
"""How many characters of a body are shown."""

log = get(__name__)


@needs(Permission.ADMINISTER)
async def set_aside(request: Request) -> Response:
    """List what was set aside, the newest of each source first."""
    size = query.number(request, "size", 50, least=1, most=200) or 50
    before = query.number(request, "before", None, least=1)
    source = request.query_params.get("source") or None
    if source not in {None, *SOURCES}:
        raise bad_parameter("source", f"is one of {', '.join(SOURCES)}")
    found: list[dict[str, Any]] = []
    if source != "log":
        found += [_of_bus(one) for one in await of_bus(request, before, size)]
    if source != "bus":
        found += [_of_log(row) for row in await of_log(api(request), before, size)]
    return ok(request, {"contents": found})


async def of_bus(request: Request, before: int | None, size: int) -> list[Aside]:
    """Return messages of the bus, the newest first. Raises 503."""
    try:
        return await api(request).aside.page(before, size)
    except AsideUnavailable as problem:
        raise _unavailable(problem) from None


async def named(request: Request) -> Aside:
    """Return the message of the bus that the path names. Raises 404, 503."""
    try:
        one = await api(request).aside.get(_seq(request))
    except AsideUnavailable as problem:
        raise _unavailable(problem) from None
    if one is None:
        raise _missing(request)
    return one


@needs(Permission.ADMINISTER)
async def replay_set_aside(request: Request) -> Response:
    """Decide a message of the bus once more; what can be decided now is answered and no longer set aside."""
    return ok(request, (await replay(request)).model_dump(mode="json", exclude_none=True))


async def replay(request: Request) -> Answer:
    """Decide the message that the path names once more; return the answer. Raises 400, 404, 422 and 503."""
    found, one = api(request), await named(request)
    if not one.whole:
        raise Problem(400, 4007, "Only its beginning was kept: it is too large to be carried out.")
    try:
        answer = await found.desk.decide(one.message)
        await found.desk.tell(one.message, answer)
        await found.aside.remove(one.seq)
    except Unfit as unfit:
        failure = unfit.failure
        target = {**failure.target, "reason": unfit.reason}
        raise Problem(422, failure.code, f"It stays set aside: {unfit.why}", target=target) from None
    except AsideUnavailable as problem:
        raise _unavailable(problem) from None
    log.info("a message was replayed", seq=one.seq, by=principal(request).name, status=answer.status)
    return answer


@needs(Permission.ADMINISTER)
async def discard_set_aside(request: Request) -> Response:
    """Throw a message of the bus away."""
    await discard(request)
    return ok(request)


async def discard(request: Request) -> None:
    """Throw the message that the path names away. Raises 404, 503."""
    try:
        there = await api(request).aside.remove(_seq(request))
    except AsideUnavailable as problem:
        raise _unavailable(problem) from None
    if not there:
        raise _missing(request)
    log.info("a message was discarded", seq=_seq(request), by=principal(request).name)


async def of_log(found: Api, before: int | None, size: int) -> list[SetAside]:
    """Return messages of the log, the newest first; they are few: each is a fault of somebody who wrote into it."""
    rows = [row for row in await found.reads.set_aside(limit=10_000) if before is None or row.seq < before]
    return list(islice(reversed(rows), size))


def _of_bus(one: Aside) -> dict[str, Any]:
    message = one.message
    shown = {name: message.headers[name] for name in KEPT if name in message.headers}
    signature = signing.parse(shown.pop(signing.AUTHORIZATION, ""))
    if signature is not None:
        shown["access-key"] = signature.access_key
    return {
        "source": "bus",
        "seq": one.seq,
        "at": one.at.isoformat(),
        "sentAt": message.stored_at.isoformat(),
        "subject": message.subject,
        "reason": one.reason,
        "message": one.why,
        "size": one.size,
        "headers": shown,
        "body": message.body[: EXCERPT * 4].decode("utf-8", "replace")[:EXCERPT],
        "replayable": one.whole,
    }


def _of_log(row: SetAside) -> dict[str, Any]:
    return {
        "source": "log",
        "seq": row.seq,
        "subject": row.subject,
        "reason": row.reason,
        "message": row.message,
        "size": row.bytes,
        "replayable": False,
    }


def _seq(request: Request) -> int:
    given = request.path_params["seq"]
    if not (given.isascii() and given.isdigit() and len(given) <= 18 and int(given) > 0):
        raise _missing(request)
    return int(given)


def _missing(request: Request) -> Problem:
    given = request.path_params["seq"]
    return Problem(404, 1002, f"No message {given[:40]} of the bus is set aside.")


def _unavailable(problem: AsideUnavailable) -> Problem:
    message = "What was set aside cannot be reached; nothing was changed."
    log.warning("unavailable", why=str(problem))
    return Problem(503, 1006, message, target={"effect": "none"}, headers={"Retry-After": "1"})
