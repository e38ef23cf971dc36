"""Synchronization: the standing tasks that keep destinations in step, with a month's counts; one of them in detail.

Counts, statistics and requests are the API's (`rest/sync.py`); starting, stopping and deleting are a task's dialogs.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.api import synchronisation as sync
from services.api.access import COMMANDS, Permission
from services.api.asked import Asked, Create
from services.api.console.badge import Badge, of_task
from services.api.console.chart import chart
from services.api.console.http import address, form, page, see
from services.api.console.list_row import row
from services.api.console.object_lists_read import SAID, place
from services.api.console.shown import badge_of_task
from services.api.invalid import Invalid
from services.api.projection.reads import Filter
from services.api.projection.view import Details
from services.api.rest import query
from services.api.rest import sync as rest
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.shapes_sync import RequestBody
from services.api.rest.tasks import reach_list
from shared.messages.object_lists import Which, folder_of
from shared.runtime.clock import now
from shared.task.allowed import allowed_on_task
from shared.task.refusals import Refusal
from shared.task.state import Task

PLACE: Final = "/sync"
SIZE: Final = 50
CHILDREN: Final = 10
SPANS: Final = {"24h": ("24 hours", 24), "7d": ("7 days", 7 * 24), "30d": ("30 days", 30 * 24)}
TONES: Final = {"synced": "good", "ignored": "idle", "failed": "bad"}
KINDS: Final = {"SUCCESS": "synced", "SKIP": "ignored", "FAILURE": "failed"}
LISTS: Final[tuple[Which, ...]] = ("requested", "synced", "ignored", "failed")
"""Kinds of object lists, each with a count of its name."""


@dataclass(frozen=True, slots=True)
class Line:
    """A standing task with its counts."""

    id: int
    name: str
    badge: Badge
    source: str
    destination: str
    counts: sync.Counts
    created_at: datetime


@needs(Permission.READ)
async def sync_tasks(request: Request) -> Response:
    """Show the standing tasks with a month's counts, the newest first."""
    since, before = rest.month(request)
    found = api(request)
    await reach_list(request, found)
    where = Filter(types=(sync.TYPE,), teams=principal(request).teams)
    listed = await found.reads.tasks(where, size=SIZE, after=query.cursor(request))
    totals = await found.sync.totals((one.id for one in listed.contents), since, before)
    lines = [_line(Details(one, []).task_state(), totals[one.id]) for one in listed.contents]
    return page(
        request,
        "sync.html",
        lines=lines,
        total=listed.total,
        older=address(request, cursor=listed.next.text()) if listed.next is not None else None,
        first=address(request, cursor=None) if "cursor" in request.query_params else None,
        may=principal(request).may(COMMANDS["create"]),
        **_months(request, since, before),
    )


@needs(Permission.READ)
async def sync_task(request: Request) -> Response:
    """Show one of them: counts, a chart, the last requests, and where the lists lie."""
    since, before = rest.month(request)
    found, span = api(request), request.query_params.get("span", "24h")
    if span not in SPANS:
        raise bad_parameter("span", f"is one of {', '.join(SPANS)}")
    await reach_list(request, found)
    task, at = await rest.standing(request), now()
    totals = (await found.sync.totals([task.id], since, before))[task.id]
    begin = at - timedelta(hours=SPANS[span][1])
    step = sync.step_for(begin, at)
    series = await found.sync.series(task.id, list(KINDS), begin, at, step)
    children = await found.reads.tasks(Filter(parent=task.id, teams=principal(request).teams), size=CHILDREN)
    lawful = allowed_on_task(task)
    return page(
        request,
        "sync_task.html",
        task=task,
        badge=badge_of_task(task),
        facts=_facts(task),
        counts=totals,
        drawn=chart({KINDS[kind]: points for kind, points in series.items()}, TONES, begin, at, step),
        span=span,
        step_word="5 minutes" if step < timedelta(hours=1) else "an hour",
        spans=[(word, address(request, span=name), name == span) for name, (word, _) in SPANS.items()],
        children=[row(one, at) for one in children.contents],
        more=children.total - len(children.contents),
        lists=[(folder_of(task.id, kind), place(task.id, kind), SAID[kind], getattr(totals, kind)) for kind in LISTS],
        acts=[(word, f"/tasks/{task.id}/{name}") for name, word in _ACTS if name in lawful and _may(request, name)],
        asks="cancel" in lawful and _may(request, "create"),
        **_months(request, since, before),
    )


_ACTS: Final = (("retry", "Start"), ("cancel", "Stop"), ("delete", "Delete"))


def _may(request: Request, word: str) -> bool:
    return principal(request).may(COMMANDS[word])


@needs(COMMANDS["create"])
async def ask(request: Request) -> Response:
    """Ask which objects are to be synchronised now."""
    return _dialog(request, await rest.standing(request), {})


@needs(COMMANDS["create"])
async def act(request: Request) -> Response:
    """Create the child task that synchronises them, and lead to it."""
    given = dict(await form(request))
    task = await rest.standing(request)
    keys = [line.rstrip("\r") for line in given.get("keys", "").split("\n")]
    keys = [key for key in keys if key]
    named, prefix = given.get("what") == "keys", given.get("prefix", "")
    if prefix if named else keys:
        return _dialog(request, task, given, _EITHER)
    wanted: dict[str, Any] = {"keys": keys} if named else {"prefix": prefix}
    try:
        body = RequestBody.model_validate(wanted, strict=True)
        create = Create(rest.child_of(task, keys=body.keys, prefix=body.prefix))
        asked = Asked.by(principal(request), "console", given.get("key") or None)
        done = await api(request).commands.perform(create, asked)
    except ValidationError:
        return _dialog(request, task, given, "Name at least one object, one a line, at most 10,000.")
    except Invalid as error:
        return _dialog(request, task, given, error.faults[0].message)
    except Refusal as refusal:
        return _dialog(request, task, given, refusal.message)
    return see(f"/tasks/{done.task.id}")


_EITHER: Final = "Both fields have something in them. Choose the one that is meant, and empty the other."


def _dialog(request: Request, task: Task, given: dict[str, str], problem: str = "") -> Response:
    return page(
        request,
        "sync_now.html",
        status=422 if problem else 200,
        task=task,
        given={"what": "prefix", "prefix": "", "keys": "", **given},
        problem=problem,
        key=given.get("key") or secrets.token_hex(16),
    )


def _line(task: Task, counts: sync.Counts) -> Line:
    source, destination = (str(task.params.get(name, "")) for name in ("source", "destination"))
    sign = of_task(task.state, task.direction, cancelling=task.cancelled)
    return Line(task.id, task.name, sign, source, destination, counts, task.created_at)


def _facts(task: Task) -> list[tuple[str, str]]:
    params = task.params
    sides = [
        " / ".join(str(params[name]) for name in (side, f"{side}_prefix") if params.get(name))
        for side in ("source", "destination")
    ]
    found = [
        ("From", sides[0]),
        ("To", sides[1]),
        ("Overwrites", {"always": "always", "never": "never"}.get(str(params.get("overwrite")), "what is older")),
        ("Description", str(params.get("description") or "")),
        ("Labels", " ".join(f"{key}:{value}" for key, value in sorted(task.labels.items()))),
        ("Operator", task.creator.name),
    ]
    return [(word, text) for word, text in found if text]


def _months(request: Request, since: datetime, before: datetime) -> dict[str, Any]:
    """Return the month shown and the addresses of its neighbours; there is none after this one."""
    earlier = sync.month_of(since - timedelta(days=1))[0]
    later = before if before <= now() else None
    return {
        "month": f"{since:%Y-%m}",
        "month_word": f"{since:%B %Y}",
        "month_earlier": f"{earlier:%B}",
        "month_later": f"{before:%B}",
        "month_before": address(request, month=f"{earlier:%Y-%m}", cursor=None),
        "month_after": address(request, month=f"{later:%Y-%m}", cursor=None) if later is not None else None,
    }


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", PLACE, sync_tasks),
    ("GET", f"{PLACE}/{{task_id:digits}}", sync_task),
    ("GET", f"{PLACE}/{{task_id:digits}}/request", ask),
    ("POST", f"{PLACE}/{{task_id:digits}}/request", act),
)
