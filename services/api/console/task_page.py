"""The page of one task: its head, and one of several views of it; graph and list have the log beside them.

A view is a module with `context`; its template lies in `templates/views`. All state is in the address.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console import actions, graph_view, log_pane, shown
from services.api.console.http import page
from services.api.console.task_shown import Shown
from services.api.console.task_shown import shown as load
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import needs

View = Callable[[Shown], Awaitable[dict[str, Any]]]
VIEWS: Final[dict[str, tuple[str, View]]] = {
    "graph": ("Graph", graph_view.graph),
    "list": ("List", graph_view.listed),
}
"""What a task can be looked at as: the tab's word, and what its template needs."""
WITH_LOG: Final = frozenset({"graph", "list"})


@needs(Permission.READ)
async def task(request: Request) -> Response:
    """Show one task."""
    return page(request, "task.html", **await context(request))


async def context(request: Request) -> dict[str, Any]:
    """Return what the page's template needs; first paint and live pieces share it. Raises as REST's details do."""
    view = request.query_params.get("view", "graph")
    if view not in VIEWS:
        raise bad_parameter("view", f"is one of {', '.join(VIEWS)}")
    found = await load(request)
    head = {
        "task": found.task,
        "chosen": found.chosen,
        "past": found.past,
        "view": view,
        "badge": shown.badge_of_task(found.task),
        "cause": shown.cause(found.task, found.now),
        "facts": shown.facts(found.task, found.now),
        "acts": actions.of_task(found),
        "tabs": [
            {"word": word, "href": found.address(view=name, cursor=None), "here": name == view}
            for name, (word, _) in VIEWS.items()
        ],
        "with_log": view in WITH_LOG,
        "picture": None,
    }
    log = await log_pane.context(found) if view in WITH_LOG else {}
    return {**head, **log, **await VIEWS[view][1](found)}


ROUTES: tuple[tuple[str, str, Any], ...] = (("GET", "/tasks/{task_id:digits}", task),)
