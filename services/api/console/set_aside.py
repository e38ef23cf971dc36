"""Messages that nobody could use: what each was, why it was set aside, and dialogs to try it again or throw it away.

What is done to one is done by the API's own functions (`rest/set_aside.py`).
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.bus.message import KEPT
from services.api.bus.set_aside import Aside
from services.api.console.http import form, page, see
from services.api.projection.faults import ViewUnavailable
from services.api.projection.view import SetAside
from services.api.rest import query
from services.api.rest import set_aside as rest
from services.api.rest.errors import Problem
from services.api.rest.policy import needs
from services.api.rest.ports import api
from shared.messages import signing

PLACE: Final = "/queue/set-aside"
SHOWN: Final = 20_000
"""How many characters of a payload a page shows."""
BACK: Final = "/queue#set-aside"
MEANS: Final = {
    "unsigned": "It carries no signature.",
    "unknown_producer": "Its access key is unknown, revoked or expired.",
    "bad_signature": "Its signature is not its content's.",
    "stale": "It was signed too long before it arrived.",
    "unknown_command": "There is no such command.",
    "bad_key": "Its idempotency key is none.",
    "bad_json": "Its body is no JSON.",
    "invalid": "Its body does not fit.",
    "too_large": "It is too large.",
    "fault": "We failed on it five times.",
}


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a list. `seq` counts in the stream it lies in; `href` is empty for one of the log."""

    source: str
    seq: int
    at: datetime | None
    subject: str
    means: str
    why: str
    size: int
    href: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """The messages of a page; `before` is where the next page begins, `problem` what could not be learnt."""

    bus: list[Message] = field(default_factory=list)
    log: list[Message] = field(default_factory=list)
    before: int | None = None
    problem: str = ""


async def listed(request: Request, size: int) -> Listed:
    """Return what was set aside, the newest first; what cannot be reached is said."""
    before = query.number(request, "before", None, least=1)
    problem, found, rows = "", [], []
    try:
        found = await rest.of_bus(request, before, size + 1)
        rows = await rest.of_log(api(request), None, size) if before is None else []
    except Problem as error:
        problem = error.message
    except ViewUnavailable:
        problem = "The view's database cannot be reached: messages of the log cannot be shown."
    shown = found[:size]
    following = shown[-1].seq if len(found) > size else None
    return Listed([_of_bus(one) for one in shown], [_of_log(row) for row in rows], following, problem)


def _of_bus(one: Aside) -> Message:
    subject, means = one.message.subject, MEANS.get(one.reason, one.reason)
    return Message("bus", one.seq, one.at, subject, means, one.why, one.size, f"{PLACE}/{one.seq}", one.whole)


def _of_log(row: SetAside) -> Message:
    return Message("log", row.seq, None, row.subject, row.reason, row.message, row.bytes)


@needs(Permission.ADMINISTER)
async def message(request: Request) -> Response:
    """Show one message of the bus with all that it said."""
    one = await rest.named(request)
    text, pretty = readable(one.message.body)
    headers = {name: one.message.headers[name] for name in KEPT if name in one.message.headers}
    signature = signing.parse(headers.pop(signing.AUTHORIZATION, ""))
    if signature is not None:
        headers["Access key"] = signature.access_key
    return page(
        request,
        "message.html",
        one=_of_bus(one),
        reason=one.reason,
        sent_at=one.message.stored_at,
        about=headers,
        payload=text[:SHOWN],
        cut=max(0, len(text) - SHOWN),
        kind="JSON" if pretty else "as it came",
    )


@needs(Permission.ADMINISTER)
async def ask(request: Request) -> Response:
    """Say what replaying or discarding will mean."""
    return _dialog(request, await rest.named(request))


@needs(Permission.ADMINISTER)
async def act(request: Request) -> Response:
    """Replay or discard the message; lead back to the queue, or say why it stays."""
    await form(request)
    one, word = await rest.named(request), request.path_params["word"]
    try:
        if word == "discard":
            await rest.discard(request)
            return see(BACK)
        if word == "replay":
            answer = await rest.replay(request)
            if answer.error is not None:
                return _dialog(request, one, refused=answer.error.message)
            return see(f"/tasks/{answer.task}" if answer.task is not None else BACK)
    except Problem as problem:
        return _dialog(request, one, problem=problem)
    raise Problem(404, 1002, "There is nothing at this address.")


def _dialog(request: Request, one: Aside, *, problem: Problem | None = None, refused: str = "") -> Response:
    word = request.path_params["word"]
    if refused:
        title, button, tone = f"Message {one.seq} was decided, and refused", "", ""
        said = [refused, "Its sender was told so. It is no longer set aside."]
    elif word == "replay":
        title, button, tone = f"Replay message {one.seq}", "Replay", "primary"
        said = [
            f"{one.message.subject}: it is decided once more, as its sender and under its key, as if it came now.",
            "If it can be decided, its sender is answered and it is no longer set aside. If not, it stays.",
        ]
    elif word == "discard":
        title, button, tone = f"Discard message {one.seq}", "Discard", "danger"
        said = [f"{one.message.subject}, {one.size:,} bytes: it is thrown away for ever. Nobody is told."]
    else:
        raise Problem(404, 1002, "There is nothing at this address.")
    return page(
        request,
        "confirm.html",
        status=problem.status if problem is not None else 409 if refused else 200,
        title=title,
        problem=problem.message if problem is not None else "",
        said=said,
        action=f"{PLACE}/{one.seq}/{word}",
        word=button,
        tone=tone,
        back=BACK,
    )


def readable(body: bytes) -> tuple[str, bool]:
    """Return a payload as text, JSON with its lines, and whether it is JSON; what is no UTF-8 is marked as such."""
    text = body.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False), True
    except (ValueError, RecursionError):
        return text, False


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", f"{PLACE}/{{seq}}", message),
    ("GET", f"{PLACE}/{{seq}}/{{word}}", ask),
    ("POST", f"{PLACE}/{{seq}}/{{word}}", act),
)
