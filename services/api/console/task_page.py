"""The page of one task: its head, and one of several views of it; graph and list have the log beside them.

A view is a module with `context`; its template lies in `templates/views`. All state is in the address.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console import (
    actions,
    events_view,
    graph_view,
    live_address,
    log_pane,
    params_view,
    past,
    results_view,
    shown,
    steps_view,
    timeline_view,
    why_view,
)
from services.api.console.copies import copies
from services.api.console.http import page
from services.api.console.step import step
from services.api.console.task_shown import Shown
from services.api.console.task_shown import shown as load
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import needs

View = Callable[[Shown], Awaitable[dict[str, Any]]]
VIEWS: Final[dict[str, tuple[str, View]]] = {
    "graph": ("Graph", graph_view.graph),
    "list": ("List", steps_view.listed),
    "timeline": ("Timeline", timeline_view.timeline),
    "events": ("Events", events_view.events),
    "params": ("Parameters", params_view.params),
    "results": ("Results", results_view.results),
    "why": ("Why waiting", why_view.why),
}
"""What a task can be looked at as: the tab's word, and what its template needs."""
OWN: Final = ("cursor", "only", "from", "kind", "of", "set", "page", "month")
"""Parameters that mean something to one view alone: another one begins without them."""
WITH_LOG: Final = frozenset({"graph", "list"})


@needs(Permission.READ)
async def task(request: Request) -> Response:
    """Show one task; a step of the slider leads to the moment it means."""
    if past.STEP in request.query_params:
        return await past.led(request)
    found = await load(request)
    context = await pieces(found)
    beside = await log_pane.context(found) if context["with_log"] else {}
    return page(request, "task.html", **context, **beside, **live_address.of_task(found))


async def pieces(found: Shown) -> dict[str, Any]:
    """Return what the page's live pieces need; first paint and live share it. Raises as REST's details do."""
    view = found.request.query_params.get("view", "graph")
    if view not in VIEWS:
        raise bad_parameter("view", f"is one of {', '.join(VIEWS)}")
    travel = await past.travel(found) if found.past or view == "events" else None
    found = past.then(found, travel)
    head = {
        "task": found.task,
        "chosen": found.chosen,
        "past": found.past,
        "view": view,
        "badge": shown.badge_of_task(found.task),
        "cause": shown.cause(found.task, found.now),
        "facts": shown.facts(found.task, found.now),
        "acts": actions.of_task(found),
        "copies": copies(found),
        "again": actions.again(found),
        "tabs": [
            {"word": word, "href": found.address(view=name, **dict.fromkeys(OWN)), "here": name == view}
            for name, (word, _) in VIEWS.items()
        ],
        "with_log": view in WITH_LOG,
        "picture": None,
        "travel": travel,
        "step": step(found) if view in WITH_LOG else None,
    }
    return {**head, **await VIEWS[view][1](found)}


ROUTES: tuple[tuple[str, str, Any], ...] = (("GET", "/tasks/{task_id:digits}", task),)
