"""Tasks as OCP Express lists and shows them. What to show is found as in v2."""

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.projection.reads import Filter
from services.api.rest import logs, query, tasks
from services.api.rest import render as v2
from services.api.rest.envelope import ok
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.v1 import render


@needs(Permission.READ)
async def v1_tasks(request: Request) -> Response:
    """List tasks, the newest first; `size` is as many as fit when it is not given."""
    number = query.number(request, "page", 1, least=1, most=query.MAX_PAGE) or 1
    size = min(query.number(request, "size", query.MAX_SIZE, least=1) or query.MAX_SIZE, query.MAX_SIZE)
    sort, descending = query.sorting(request)
    teams = principal(request).teams
    where = Filter(name=query.text(request, "keyword"), states=query.states(request), teams=teams)
    found = api(request)
    await tasks.reach_list(request, found)
    reads = found.reads
    page = await reads.tasks(where, page=number, size=size, sort=sort, descending=descending)
    briefs = await reads.briefs(v2.affordable(page.contents))
    contents = [render.basic(v2.basic(row, briefs.get(row.id))) for row in page.contents]
    return ok(request, v2.page(contents, total=page.total, number=number, size=size, exact=page.total_exact))


@needs(Permission.READ)
async def v1_task(request: Request) -> Response:
    """Show one task with its subtasks."""
    return ok(request, render.wrapped(v2.details(await tasks.shown(request))))


@needs(Permission.READ)
async def v1_log(request: Request) -> Response:
    """Show everything the subtask has printed, run by run."""
    return await logs.log(request)
