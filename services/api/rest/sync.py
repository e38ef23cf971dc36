"""Synchronisation tasks with what they did: lists, counts by the month, statistics, and requests to do more.

They are tasks of the standing type `object.sync`; created, stopped (cancel), started (retry) and deleted as every task.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.api import synchronisation as sync
from services.api.access import COMMANDS, Permission
from services.api.asked import Asked, Create
from services.api.invalid import Invalid
from services.api.projection.reads import Filter
from services.api.projection.sync_counts import KINDS
from services.api.projection.view import Details
from services.api.rest import preview, query, render
from services.api.rest.body import idempotency_key, read_object
from services.api.rest.commands import position
from services.api.rest.envelope import ok
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.shapes_sync import RequestBody
from services.api.rest.tasks import INSTANCES, reach_list, shown
from services.api.rest.times import moment
from services.api.rest.words import STATUS
from shared.runtime.clock import now
from shared.task.allowed import allowed_on_task
from shared.task.refusals import TaskNotFound
from shared.task.state import Task

PATH: Final = "/api/v2/sync-tasks"


@needs(Permission.READ)
async def sync_tasks(request: Request) -> Response:
    """List synchronisation tasks with a month's counts, the newest first."""
    number, size = query.paging(request)
    since, before = month(request)
    found = api(request)
    await reach_list(request, found)
    where = Filter(types=(sync.TYPE,), teams=principal(request).teams)
    page = await found.reads.tasks(where, page=number, size=size)
    totals = await found.sync.totals((row.id for row in page.contents), since, before)
    contents = [_shown(Details(row, []).task_state(), totals[row.id], since) for row in page.contents]
    return ok(request, render.page(contents, total=page.total, number=page.number, size=size, exact=page.total_exact))


@needs(Permission.READ)
async def sync_task(request: Request) -> Response:
    """Show one synchronisation task with a month's counts."""
    since, before = month(request)
    await reach_list(request, api(request))
    task = await standing(request)
    totals = await api(request).sync.totals([task.id], since, before)
    return ok(request, _shown(task, totals[task.id], since))


@needs(Permission.READ)
async def sync_statistics(request: Request) -> Response:
    """Show how much happened when: by five minutes up to a day, by the hour beyond."""
    to = moment(request, "to") or now()
    since = moment(request, "from") or to - timedelta(hours=24)
    kinds = _kinds(request.query_params.getlist("types"))
    check_range(since, to, "from", "to")
    await reach_list(request, api(request))
    task = await standing(request)
    step = sync.step_for(since, to)
    series = await api(request).sync.series(task.id, kinds, since, to, step)
    points = {kind: [{"at": _iso(at), "n": n} for at, n in found] for kind, found in series.items()}
    return ok(request, {"id": task.id, "stepSeconds": int(step.total_seconds()), "series": points})


@needs(COMMANDS["create"])
async def sync_request(request: Request) -> Response:
    """Ask for objects, or for all with a prefix, to be synchronised now: a child task does it."""
    task = await standing(request)
    key, raw = idempotency_key(request), await read_object(request)
    try:
        body = RequestBody.model_validate(raw, strict=True)
    except ValidationError as error:
        raise Invalid.of(error) from None
    create = Create(child_of(task, keys=body.keys, prefix=body.prefix))
    asked, commands = Asked.by(principal(request), "rest", key), api(request).commands
    if query.flag(request, "dry_run"):
        return ok(request, preview.shown(await commands.preview(create, asked)))
    done = await commands.perform(create, asked)
    headers = {"Location": f"{INSTANCES}/{done.task.id}", **position(done)}
    return ok(request, render.details(done.task), status=201, headers=headers)


def child_of(task: Task, *, keys: list[str] | None = None, prefix: str | None = None) -> dict[str, Any]:
    """Return the create body of a child that does what is asked for."""
    about: dict[str, Any] = {"parent": task.id}
    if keys is not None:
        what = "1 object" if len(keys) == 1 else f"{len(keys)} objects"
        return {**about, "type": sync.REQUEST, "name": _named(task, what), "params": {"keys": keys}}
    what = "objects below a prefix" if prefix else "all objects"
    return {**about, "type": sync.SWEEP, "name": _named(task, what), "params": {"prefix": prefix} if prefix else {}}


def _named(task: Task, what: str) -> str:
    return f"{task.name}: {what}"[-200:]


async def standing(request: Request) -> Task:
    """Return the synchronisation task that the path names. Raises `TaskNotFound`, also for a task of another type."""
    task = await shown(request)
    if task.type != sync.TYPE or task.deleted:
        raise TaskNotFound(f"The task {task.id} does not exist.")
    return task


def check_range(since: datetime, before: datetime, first: str, last: str) -> None:
    """Refuse a range that is none, or too long to be told."""
    if not since < before:
        raise bad_parameter(first, f"lies before {last}")
    if before - since > sync.LONGEST:
        raise bad_parameter(first, f"is at most {sync.LONGEST.days} days before {last}")


def month(request: Request) -> tuple[datetime, datetime]:
    """Return the first moment of the month that is asked for, this one by default, and of the next. Raises 400."""
    given = request.query_params.get("month")
    found = sync.month_named(given) if given else sync.month_of(now())
    if found is None:
        raise bad_parameter("month", "is a calendar month such as 2026-01")
    return found


def _kinds(given: Iterable[str]) -> list[str]:
    words = [word for text in given for word in text.split(",") if word]
    if any(word not in KINDS for word in words):
        raise bad_parameter("types", f"is a list of {', '.join(KINDS)}")
    return [kind for kind in KINDS if not words or kind in words]


def _shown(task: Task, counts: sync.Counts, month: datetime) -> dict[str, Any]:
    found = {
        "id": task.id,
        "name": task.name,
        "state": task.state.value,
        "status": STATUS[task.state],
        "source": task.params.get("source"),
        "destination": task.params.get("destination"),
        "description": task.params.get("description"),
        "labels": task.labels,
        "createTime": render.iso(task.created_at),
        "startTime": render.iso(task.started_at),
        "month": f"{month:%Y-%m}",
        "counts": counts.shown(),
        "allowed": allowed_on_task(task),
    }
    return {name: value for name, value in found.items() if value is not None}


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()
