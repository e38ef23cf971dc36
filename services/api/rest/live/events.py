"""The route of live commits."""

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.rest import query
from services.api.rest.errors import bad_parameter
from services.api.rest.live.response import EventStream
from services.api.rest.policy import needs, principal, visible
from services.api.rest.ports import api
from shared.task.ids import MAX_TASK_ID
from shared.task.refusals import TaskNotFound


@needs(Permission.READ)
async def live_events(request: Request) -> Response:
    """Send every commit as it happens, of one task or of all: server-sent events, from `after` on."""
    found = api(request)
    task_id = query.number(request, "task")
    after = _position(request)
    if task_id is not None:
        if not 1 <= task_id <= MAX_TASK_ID:
            raise TaskNotFound(f"The task {task_id} does not exist.")
        about = await found.live.histories.after(task_id, 0, 1)
        visible(request, about.labels, task_id)
    source = found.live.commits(task_id, principal(request).teams, after)
    return EventStream(request, source, found.live.streams)


def _position(request: Request) -> int | None:
    """Return the position the caller has seen: a browser's own word comes before the address's."""
    given = request.headers.get("last-event-id", "").strip()
    if not given:
        return query.number(request, "after")
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise bad_parameter("Last-Event-ID", "is a log position")
    return int(given)
