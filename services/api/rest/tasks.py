"""Tasks: create, list, details. Reads come from the view; a task younger than the view is read from the log."""

import asyncio
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.asked import Asked, Create
from services.api.rest import preview, query, render
from services.api.rest.body import idempotency_key, read_object
from services.api.rest.commands import etag
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.live import at
from services.api.rest.policy import needs, principal, visible
from services.api.rest.ports import Api, api
from shared.task.refusals import TaskNotFound
from shared.task.state import Task

INSTANCES = "/api/v2/tasks/instances"
OWN_SECONDS = 0.5
"""How long a list without `min_seq` waits for its caller's own last command."""


@needs(Permission.MANAGE)
async def create(request: Request) -> Response:
    """Create a task of a type, or one that brings its own plan."""
    key = idempotency_key(request)
    body = await read_object(request)
    asked, commands = Asked.by(principal(request), "rest", key), api(request).commands
    if query.flag(request, "dry_run"):
        found = await commands.preview(Create(body), asked)
        told = await preview.outlook(request, found)
        return ok(request, preview.shown(found) | ({"plan": preview.planned(told)} if told is not None else {}))
    done = await commands.perform(Create(body), asked)
    headers = {"Location": f"{INSTANCES}/{done.task.id}", "X-Log-Seq": str(done.seq), "ETag": etag(done.task.version)}
    if done.replayed:
        headers["Idempotency-Replayed"] = "true"
    return ok(request, render.details(done.task), status=201, headers=headers)


@needs(Permission.READ)
async def listed(request: Request) -> Response:
    """List tasks, the newest first."""
    number, size = query.paging(request)
    labels = query.labels(request)
    after = query.cursor(request)
    sort, descending = query.sorting(request)
    try:
        where = query.filters(request)
    except query.Nothing:
        return ok(request, render.page([], total=0, number=number, size=size))
    found = api(request)
    await reach_list(request, found)
    page = await found.reads.tasks(where, page=number, size=size, sort=sort, descending=descending, after=after)
    shown = render.affordable(page.contents)
    briefs = await found.reads.briefs(shown)
    contents = [render.basic(row, briefs.get(row.id), labels) for row in page.contents]
    data = render.page(contents, total=page.total, number=page.number, size=size, exact=page.total_exact)
    if page.next is not None:
        data["page"]["next"] = page.next.text()
    return ok(request, data)


@needs(Permission.READ)
async def details(request: Request) -> Response:
    """Show one task with its subtasks, as it is or as it was."""
    if at.PARAMETER in request.query_params:
        return await at.details(request)
    labels, task = query.labels(request), await shown(request)
    return ok(request, render.details(task, labels), headers={"ETag": etag(task.version)})


@needs(Permission.READ)
async def details_alias(request: Request) -> Response:
    """Show one task, at the shorter address that some clients poll (specification §8)."""
    return await details(request)


async def shown(request: Request) -> Task:
    """Return the task that the path names, as soon as the view has reached `min_seq`.

    A client that retries a task and polls it at once must not see it FAILED again: what this process knows from the
    log, and the view does not yet, counts.
    """
    return await shown_one(request, query.task_id(request))


async def shown_one(request: Request, task_id: int) -> Task:
    """Return this task likewise."""
    found = api(request)
    await reach(found, query.min_seq(request))
    row = await found.reads.task(task_id, deleted=True)
    task = row.task_state() if row is not None else await found.log.load(task_id)
    if task is None:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    newer = found.log.cached(task_id)
    task = newer if newer is not None and newer.seq > task.seq else task
    visible(request, task, task_id)
    return task


async def reach_list(request: Request, found: Api) -> None:
    """Wait for `min_seq`; without it, a moment for what the caller has just done here: nobody sees stale rows."""
    seq = query.min_seq(request)
    if seq is not None:
        await reach(found, seq)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(OWN_SECONDS):
            await found.reach(found.commands.latest(principal(request).name))


async def reach(found: Api, seq: int | None) -> None:
    """Wait until the view has reached `seq`. Raises 504 when it does not in time (P9), 400 for no position at all."""
    reached = True if seq is None else await found.reach(seq)
    if reached is None:
        raise bad_parameter("min_seq", "is a position that the log has not reached")
    if not reached:
        raise Problem(
            504,
            1006,
            f"The view has not reached log position {seq} yet.",
            target={"parameter": "min_seq"},
            headers={"Retry-After": "1"},
        )
