"""The live address of a page: the page's own behind `/live`, with what its painting has shown. Knows no drawing.

Whatever stands in the address of a page stands in its live one, so both ask the same; what the painting adds to it
begins with `live_` and is taken out again.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request

from services.api.console.task_shown import Shown
from services.api.projection.view import TaskRow
from services.api.rest import query
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import principal

PREFIX: Final = "/live"
AFTER: Final = "after"
CHOSEN: Final = "live_chosen"
"""The number of the subtask that was chosen when the page was painted; 0: there was none."""
ROWS: Final = "live_rows"
"""The ids of the tasks that a list shows."""


def of_task(found: Shown) -> dict[str, Any]:
    """Return what makes a task's page live: where its pieces come from, and what it has seen. The past is not live."""
    if found.past:
        return {}
    chosen = found.chosen.number if found.chosen is not None else 0
    return {"live": _behind(found.request, CHOSEN, str(chosen)), "seen": found.task.seq}


def of_list(request: Request, rows: Sequence[TaskRow]) -> dict[str, Any]:
    """Return the same for a list. Its rows were read together, so the newest of their positions holds for all."""
    ids = ",".join(str(row.id) for row in rows)
    return {"live": _behind(request, ROWS, ids), "seen": max((row.seq for row in rows), default=0)}


def _behind(request: Request, name: str, value: str) -> str:
    return f"{PREFIX}{request.url.path}?{urlencode([*request.query_params.multi_items(), (name, value)])}"


def page_of(request: Request) -> Request:
    """Return the request as it was for the page."""
    own = {AFTER, CHOSEN, ROWS}
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in own]
    path = request.url.path.removeprefix(PREFIX)
    return Request({**request.scope, "path": path, "raw_path": path.encode(), "query_string": urlencode(kept).encode()})


def rights(request: Request) -> Hashable:
    """Return what of its reader a page depends on; the pages of one name alone are those that say `me`."""
    who = principal(request)
    return who.role, who.teams, who.name if "me" in request.query_params.get("q", "") else ""


def after(request: Request) -> int:
    """Return the log position that the page shows: what the browser heard last, else what was painted. Raises 400."""
    given = request.headers.get("last-event-id", "").strip()
    if not given:
        return query.number(request, AFTER) or 0
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise bad_parameter("Last-Event-ID", "is a log position")
    return int(given)
