"""The dialogs of commands: what would happen, a reason, and the command itself. Each is a page, and needs no script.

What is decided is `Commands`' affair, the dry run as much as the command. A form carries what its reader saw and a key:
sent twice it commands once, and who did not see what another person did meanwhile is told, and asked again.
"""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import COMMANDS, Permission
from services.api.asked import SUBTASK_WORDS, TASK_WORDS, Asked, Done, Preview, Reason, act
from services.api.console import effects, shown
from services.api.console.actions import WORDS
from services.api.console.elsewhere import last_act
from services.api.console.http import form, page, see
from services.api.console.lawful import why_not, why_not_subtask
from services.api.failure import status_of
from services.api.projection.faults import ViewUnavailable
from services.api.rest import query
from services.api.rest.body import MAX_KEY
from services.api.rest.policy import Endpoint, needs, principal
from services.api.rest.ports import api
from services.api.rest.tasks import OWN_SECONDS
from shared.log.port import LogUnavailable
from shared.task.refusals import Refusal, TaskNotFound, VersionMismatch
from shared.task.state import Task

NEED_REASON: Final = frozenset({"skip", "rollback", "delete"})
NEED_NAME: Final = frozenset({"rollback", "delete"})
"""What cannot be taken back: the task's name is typed, so that it is the right one."""
HEADINGS: Final = {"skip": "Skip what failed in"}
VERBS: Final = {"skip": "Skip what failed"}
"""Where a command on a task needs more words than its own."""
TRIES: Final = 20
"""How often a command is tried anew because an executor's report came first."""
_REASON: Final = TypeAdapter(Reason)


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it came back. `turn`: how many commands its reader had seen."""

    turn: int
    key: str
    reason: str
    name: str

    @classmethod
    def of(cls, fields: Sequence[tuple[str, str]]) -> "Sent":
        """Read the fields; what is missing or strange is as good as a form that is too old."""
        found = dict(fields)
        turn, key = found.get("turn", ""), found.get("key", "")
        fits = 0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()
        seen = int(turn) if turn.isascii() and turn.isdigit() and len(turn) < 12 else -1
        return cls(seen, key if fits else new_key(), found.get("reason", "").strip(), found.get("name", "").strip())


def new_key() -> str:
    """Return an idempotency key for a form."""
    return f"console-{secrets.token_hex(12)}"


def ask(word: str, *, subtask: bool = False) -> Endpoint:
    """Return the endpoint that shows a command's dialog."""

    @needs(Permission.READ)
    async def asked(request: Request) -> Response:
        """Show what the command would do."""
        return await _dialog(request, word, _number(request, subtask=subtask))

    return asked


def carry_out(word: str, *, subtask: bool = False) -> Endpoint:
    """Return the endpoint that carries a command out."""

    @needs(COMMANDS[word])
    async def commanded(request: Request) -> Response:
        """Carry the command out and lead to the task, or say what stands in the way."""
        number, sent = _number(request, subtask=subtask), Sent.of(await form(request))
        task = await api(request).commands.seen(query.task_id(request), Asked.by(principal(request), "console"))
        if problem := _unfit(word, sent, task):
            return await _dialog(request, word, number, problem, sent, 422)
        try:
            done = await _perform(request, word, number, sent)
        except VersionMismatch:
            told = f"{await last_act(request, task.id)} Nothing was done for you; below is what it would do now."
            return await _dialog(request, word, number, told, sent, 412)
        except Refusal as refusal:
            return await _dialog(request, word, number, refusal.message, sent, status_of(refusal))
        except LogUnavailable as problem:
            told = f"{problem} Send it again when it is back: it counts once."
            return _unsure(request, task, word, number, told, sent)
        with suppress(TimeoutError, ViewUnavailable):  # whoever looks next sees it, in whichever process
            async with asyncio.timeout(OWN_SECONDS):
                await api(request).reach(done.seq)
        return see(_back(task, word, number))

    return commanded


def _number(request: Request, *, subtask: bool) -> int | None:
    return int(request.path_params["number"][:9]) if subtask else None


def _unfit(word: str, sent: Sent, task: Task) -> str:
    """Return what the form lacks."""
    if word in NEED_REASON and not sent.reason:
        return "Say why: others will read it in the task's history."
    try:
        _REASON.validate_python(sent.reason)
    except ValidationError:
        return "A reason has at most 500 letters and no control characters."
    if word in NEED_NAME and sent.name != task.name.strip():
        return f"Type the task's name as it stands here to {WORDS[word].lower()}: {task.name}"
    return ""


async def _perform(request: Request, word: str, number: int | None, sent: Sent) -> Done:
    """Command it, unless a person acted since the form was made; what executors report meanwhile is no obstacle.

    Raises `VersionMismatch` for the former, and what `Commands.perform` raises.
    """
    commands, task_id = api(request).commands, query.task_id(request)
    asked = Asked.by(principal(request), "console", sent.key, sent.reason or None)
    body = {"reason": asked.reason} if asked.reason is not None else None
    for left in reversed(range(TRIES)):
        task = await commands.seen(task_id, asked, fresh=True)
        again = asked.digest in task.keys
        if not again and task.turn != sent.turn:
            raise VersionMismatch("Somebody acted meanwhile.")
        command = act(task_id, word, number, version=None if again else task.version, body=body)
        try:
            return await commands.perform(command, asked)
        except VersionMismatch:
            if not left:
                raise
    raise AssertionError


async def _dialog(
    request: Request, word: str, number: int | None, problem: str = "", sent: Sent | None = None, status: int = 200
) -> Response:
    """Return the page: the dry run of now, and the form with what was typed."""
    asked = Asked.by(principal(request), "console")
    found = await api(request).commands.preview(act(query.task_id(request), word, number), asked)
    task = found.before
    if task is None:
        raise TaskNotFound(f"The task {query.task_id(request)} does not exist.")
    rows, left = effects.changes(found)
    why = _why_not(request, word, number, found)
    return page(
        request,
        "dialog.html",
        status=status,
        **_frame(task, word, number),
        problem=problem,
        why=why,
        said=effects.said(found, number),
        rows=rows,
        left=left,
        turn=task.turn,
        key=new_key(),
        sent=sent,
    )


def _unsure(request: Request, task: Task, word: str, number: int | None, told: str, sent: Sent) -> Response:
    """Return the form with the same key and what was seen: the command may have been stored."""
    context = {**_frame(task, word, number), "problem": told, "why": "", "said": [], "rows": [], "left": 0}
    return page(request, "dialog.html", status=503, **context, turn=sent.turn, key=sent.key, sent=sent)


def _frame(task: Task, word: str, number: int | None) -> dict[str, Any]:
    """Return what the page says whatever the dry run says."""
    subtask = task.find(number) if number is not None else None
    what = subtask.plan.name if subtask is not None else task.name
    return {
        "task": task,
        "badge": shown.badge_of_task(task),
        "word": word,
        "heading": f"{HEADINGS.get(word, WORDS[word]) if subtask is None else WORDS[word]} {what}",
        "verb": f"{WORDS[word]} subtask" if subtask is not None else VERBS.get(word, f"{WORDS[word]} task"),
        "back": _back(task, "", number),
        "target": f"/tasks/{task.id}/{word}" if number is None else f"/tasks/{task.id}/subtasks/{number}/{word}",
        "reason_needed": word in NEED_REASON,
        "name_needed": word in NEED_NAME,
    }


def _why_not(request: Request, word: str, number: int | None, found: Preview) -> str:
    who = principal(request)
    if not who.may(COMMANDS[word]):
        return f"Your role {who.role.value} may not {WORDS[word].lower()}."
    if found.refusal is None or found.before is None:
        return ""
    subtask = found.before.find(number) if number is not None else None
    why = why_not(found.before, word) if subtask is None else why_not_subtask(found.before, subtask, word)
    return why or found.refusal.message


def _back(task: Task, word: str, number: int | None) -> str:
    if word == "delete":
        return "/tasks"
    return f"/tasks/{task.id}" + (f"?subtask={number}" if number is not None else "")


def _routes() -> list[tuple[str, str, Any]]:
    whole, one = "/tasks/{task_id:digits}", "/tasks/{task_id:digits}/subtasks/{number:digits}"
    return [
        *((method, f"{whole}/{word}", made(word)) for word in TASK_WORDS for method, made in _METHODS),
        *((method, f"{one}/{word}", made(word, subtask=True)) for word in SUBTASK_WORDS for method, made in _METHODS),
    ]


_METHODS: Final[tuple[tuple[str, Any], ...]] = (("GET", ask), ("POST", carry_out))
ROUTES: Final = tuple(_routes())
