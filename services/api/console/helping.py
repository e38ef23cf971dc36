"""The help sheet: every key with what it does; and short links to a task, by its number or by its idempotency key."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console.http import PLACES, page, see
from services.api.keys import hashed
from services.api.rest.body import MAX_KEY
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, principal, visible
from services.api.rest.ports import api
from shared.task.refusals import TaskNotFound

Keys = tuple[tuple[str, ...], str]
EVERYWHERE: Final[tuple[Keys, ...]] = (
    (("?",), "this sheet"),
    (("/",), "search"),
    (("t",), "light or dark"),
    (("Esc",), "close what is open"),
)
LISTS: Final[tuple[Keys, ...]] = (
    (("j", "k"), "next, previous row"),
    (("↵",), "open it"),
    (("x",), "select it"),
)
TASK: Final[tuple[Keys, ...]] = (
    (("⇧R",), "retry…"),
    (("⇧S",), "skip…"),
    (("⇧C",), "cancel…"),
    (("n", "p"), "next, previous failed subtask"),
    (("]", "["), "next, previous view"),
)
LOG: Final[tuple[Keys, ...]] = (
    (("f",), "follow what is printed"),
    (("w",), "wrap long lines"),
)


@needs(Permission.READ)
async def help_sheet(request: Request) -> Response:
    """Show every key."""
    who = principal(request)
    goes = tuple((tuple(keys.split()), word) for word, _, keys, permission in PLACES if who.may(permission))
    named = (("Everywhere", EVERYWHERE), ("Go to", goes), ("Lists", LISTS), ("A task", TASK), ("Its log", LOG))
    return page(request, "help.html", groups=[{"word": word, "rows": rows} for word, rows in named])


@needs(Permission.READ)
async def short(request: Request) -> Response:
    """Lead to a task, with what else the link says."""
    return see(_with_query(request, request.path_params["task_id"]))


@needs(Permission.READ)
async def by_key(request: Request) -> Response:
    """Lead to the task that was created with an idempotency key, by whoever asks or by `by`."""
    key, by = request.path_params["key"], request.query_params.get("by") or principal(request).name
    found = api(request)
    task_id = await found.commands.of_key(hashed(by, key)) if len(key) <= MAX_KEY else None
    task = await found.log.load(task_id, fresh=True) if task_id is not None else None
    missing = Problem(404, 4001, "No task of yours was created with this key. Another creator is named with ?by=NAME.")
    if task_id is None or task is None:
        raise missing
    try:
        visible(request, task, task_id)
    except TaskNotFound:
        raise missing from None
    return see(f"/tasks/{task_id}")


def _with_query(request: Request, task_id: str) -> str:
    query = request.url.query
    return f"/tasks/{task_id}" + (f"?{query}" if query else "")


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/help", help_sheet),
    ("GET", "/t/{task_id:digits}", short),
    ("GET", "/t/by-key/{key:path}", by_key),
)
