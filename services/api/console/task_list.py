"""The list of tasks: search, counts, rows, paging. What a search finds is the API's affair (`rest/query.py`)."""

from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console.http import address, page
from services.api.console.searchbox import BadSearch, Pairs, parse, with_state
from services.api.console.shown import Row, row
from services.api.rest import query
from services.api.rest.errors import Problem
from services.api.rest.policy import needs
from services.api.rest.ports import api
from services.api.rest.tasks import reach_list
from shared.runtime.clock import now

SIZE: Final = 50
KEPT: Final = frozenset({"cursor", "sort", "min_seq"})
STATES: Final = (("All", None), ("Running", "RUNNING"), ("Failed", "FAILED"), ("Successful", "SUCCESSFUL"))


@needs(Permission.READ)
async def tasks(request: Request) -> Response:
    """Show the tasks that a search finds, the newest first."""
    text, problem = request.query_params.get("q", ""), ""
    rows: list[Row] = []
    older = None
    try:
        asked = asking(request, parse(text))
        await reach_list(request, api(request))
        found = await api(request).reads.tasks(
            query.filters(asked), page=1, size=SIZE, sort="id", descending=True, after=query.cursor(asked)
        )
        rows = [row(task, now()) for task in found.contents]
        older = address(request, cursor=found.next.text()) if found.next is not None else None
    except query.Nothing:
        pass
    except (BadSearch, Problem) as error:
        problem = str(error)
    chips = [
        {"word": word, "href": address(request, q=with_state(text, state) or None, cursor=None), "count": "", "here": 0}
        for word, state in STATES
    ]
    return page(
        request, "tasks.html", heading="Tasks", q=text, chips=chips, problem=problem, rows=rows,
        nothing="No task fits.", shown=f"{len(rows)} shown", older=older,
    )  # fmt: skip


def asking(request: Request, pairs: Pairs) -> Request:
    """Return the request as REST's list would have been asked, for its own functions to read."""
    kept = [
        (name, value) for name, value in request.query_params.multi_items() if name in {"cursor", "sort", "min_seq"}
    ]
    return Request({**request.scope, "query_string": urlencode([*kept, *pairs]).encode()})


ROUTES: tuple[tuple[str, str, Any], ...] = (("GET", "/tasks", tasks),)
