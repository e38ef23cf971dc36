"""Commands on tasks and subtasks: retry, skip, cancel, roll back, delete. Decided at once; a dry run stores nothing.

Answers are OCP's (specification §2.1): the task for a command on a task, the subtask for its retry, and no data for a
subtask's skip and cancel unless the caller asks with `Prefer: return=representation`. The body is optional and may
give a `reason`; so may the query.
"""

import re
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import COMMANDS
from services.api.asked import Act, Asked, Done, Reason, act
from services.api.invalid import Invalid
from services.api.rest import preview, query, render
from services.api.rest.body import idempotency_key, read_json
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.policy import Endpoint, needs, principal
from services.api.rest.ports import api

WHOLE: Final = "return=representation"
_ETAG: Final = re.compile(r'"?(\d{1,18})"?')
_REASON: Final = TypeAdapter(Reason)


def on_task(word: str, summary: str) -> Endpoint:
    """Return the endpoint of a command on a task."""

    async def endpoint(request: Request) -> Response:
        """Carry the command out."""
        return await _command(request, word)

    return named(endpoint, f"{word}_task", word, summary)


def on_subtask(word: str, summary: str) -> Endpoint:
    """Return the endpoint of a command on a subtask."""

    async def endpoint(request: Request) -> Response:
        """Carry the command out."""
        return await _command(request, word, query.subtask_number(request, query.task_id(request)))

    return named(endpoint, f"{word}_subtask", word, summary)


def named(endpoint: Endpoint, name: str, word: str, summary: str) -> Endpoint:
    """Return the endpoint of a command, guarded by what the command asks for."""
    guarded = needs(COMMANDS[word])(endpoint)
    guarded.__name__, guarded.__doc__ = name, summary
    return guarded


async def command_of(request: Request, word: str, number: int | None = None) -> tuple[Act, Asked]:
    """Return what is asked for, and by whom."""
    task_id, key, reason = query.task_id(request), idempotency_key(request), await read_reason(request)
    body = {"reason": reason} if reason is not None else None
    command = act(task_id, word, number, version=if_match(request), body=body)
    return command, Asked.by(principal(request), "rest", key, reason)


async def _command(request: Request, word: str, number: int | None = None) -> Response:
    command, asked = await command_of(request, word, number)
    commands = api(request).commands
    if query.flag(request, "dry_run"):
        return ok(request, preview.shown(await commands.preview(command, asked)))
    done = await commands.perform(command, asked)
    return ok(request, _data(request, done, word, number), headers=position(done))


def _data(request: Request, done: Done, word: str, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return render.details(done.task)
    wanted = word == "retry" or WHOLE in request.headers.get("prefer", "").replace(" ", "").lower()
    return render.subtask(done.task, done.task.subtasks[number - 1]) if wanted else None


def position(done: Done) -> dict[str, str]:
    """Return the headers that say where a command left the task."""
    headers = {"X-Log-Seq": str(done.seq), "ETag": etag(done.task.version)}
    if done.replayed:
        headers["Idempotency-Replayed"] = "true"
    return headers


def etag(version: int) -> str:
    """Return a task's version as an entity tag."""
    return f'"{version}"'


def if_match(request: Request) -> int | None:
    """Return the version that `If-Match` names, None for no condition. Raises 400 for what is no version."""
    given = request.headers.get("if-match", "*").strip()
    if given == "*":
        return None
    found = _ETAG.fullmatch(given)
    if found is None:
        message = 'If-Match is a task\'s version as its ETag gives it, such as "7".'
        raise Problem(400, 1001, message, target={"header": "If-Match"})
    return int(found[1])


async def read_reason(request: Request) -> str | None:
    """Return why, from the body's `reason` or the query's; None when nobody says. An empty body is fine."""
    body, given = await read_json(request), request.query_params.get("reason")
    if body is not None:
        if not isinstance(body, dict):
            raise Invalid.at([], "A JSON object is expected, or no body at all.")
        if strange := [name for name in body if name != "reason"]:
            raise Invalid.at([strange[0]], "There is no such field; a command takes a 'reason'.")
    inside, outside = (body or {}).get("reason"), _asked_why(given)
    try:
        reason = _REASON.validate_python(inside, strict=True) if inside is not None else outside
    except ValidationError as error:
        raise Invalid.of(error, ["reason"]) from None
    if outside is not None and reason != outside:
        raise bad_parameter("reason", "gives another reason than the body")
    return reason or None


def _asked_why(given: str | None) -> str | None:
    try:
        return _REASON.validate_python(given) if given is not None else None
    except ValidationError:
        raise bad_parameter("reason", "is a text of at most 500 characters, none of them a control") from None
