"""A task's history: every decision as the log has it, refused ones too. Read from the log itself, not from the view."""

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.rest import query
from services.api.rest.envelope import ok
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import needs, visible
from services.api.rest.ports import api

DEFAULT_SIZE = 1000
MAX_SIZE = 5000


@needs(Permission.READ)
async def history(request: Request) -> Response:
    """Show a page of the task's commits: behind log position `after`, or, newest first, before `before`."""
    task_id, histories = query.task_id(request), api(request).live.histories
    after, before = query.number(request, "after"), query.number(request, "before", least=1)
    size = query.number(request, "size", DEFAULT_SIZE, least=1, most=MAX_SIZE) or DEFAULT_SIZE
    newest = _newest_first(request)
    if newest and after is not None:
        raise bad_parameter("after", "goes with order=asc")
    if not newest and before is not None:
        raise bad_parameter("before", "goes with order=desc")
    page = await (histories.before(task_id, before, size) if newest else histories.after(task_id, after or 0, size))
    visible(request, page.labels)
    contents = [entry for _, made in page.contents for entry in made]
    edge = page.contents[0 if newest else -1][0] if page.more and page.contents else None
    return ok(request, {"contents": contents[::-1] if newest else contents, "next": edge})


def _newest_first(request: Request) -> bool:
    given = (request.query_params.get("order") or "asc").lower()
    if given not in {"asc", "desc"}:
        raise bad_parameter("order", "is asc or desc")
    return given == "desc"
