"""The lists of tasks as pages: ours, OMS's and ODC's. What a search finds is the API's affair (`list_find.py`)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import COMMANDS, Permission
from services.api.console import list_chips, live_address
from services.api.console.http import address, page
from services.api.console.list_criteria import filled
from services.api.console.list_find import SIZE, Found, find
from services.api.console.list_help import suggestions
from services.api.console.list_look import LOOKS, Column, Look
from services.api.console.list_row import columns_of, row
from services.api.console.list_views import KEPT, mine, place
from services.api.projection.page import Cursor
from services.api.rest import query
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from shared.runtime.clock import now

BULK: Final = ("retry", "skip", "cancel")
"""Commands on many tasks that a list offers."""


@needs(Permission.READ)
async def listed(request: Request) -> Response:
    """Show the tasks that a search finds, the newest first unless the address says otherwise."""
    look = LOOKS[request.url.path]
    text = request.query_params.get("q", "")[: query.MAX_TEXT].strip()
    found = await find(request, look, text)
    live = {} if found.problem else live_address.of_list(request, found.page.contents)
    return page(request, "tasks.html", **context(request, look, text, found), views=await mine(request), **live)


def context(request: Request, look: Look, text: str, found: Found) -> dict[str, Any]:
    """Return what the template of a list takes."""
    who, after, at = principal(request), request.query_params.get("cursor"), now()
    columns = ",".join(request.query_params.getlist("cols"))
    shown = found.page
    return {
        "heading": look.name,
        "look": look,
        "q": text,
        "columns": [_head(request, column) for column in look.chosen(columns)],
        "choice": columns_of(look, columns),
        "kept": [(name, value) for name, value in request.query_params.multi_items() if name in KEPT and value],
        "chips": list_chips.chips(
            look, text, found.counts, lambda q: address(request, q=q, cursor=None), exact=found.exact
        ),
        "problem": found.problem,
        "hint": found.hint,
        "direct": row(found.direct, at, look, who) if found.direct is not None else None,
        "new": "",
        "again": address(request),
        "rows": [row(task, at, look, who) for task in shown.contents],
        "commands": [word for word in BULK if look.bulk and who.may(COMMANDS[word])],
        "many": _many(found),
        "shown": _shown(found),
        "older": address(request, cursor=shown.next.text()) if shown.next is not None else None,
        "first": address(request, cursor=None) if after else None,
        "by_age": _sorted(request)[0] in {"id", "created_at"} and _sorted(request)[1],
        "may_create": who.may(COMMANDS["create"]),
        "at": place(request),
        "criteria": filled(look, text),
        "types": look.types or sorted(api(request).catalog.types),
        "suggestions": suggestions(look, text, api(request).catalog.types),
    }


def _head(request: Request, column: Column) -> dict[str, Any]:
    """Return a column with where its head leads: sorted by it, the other way round if it is sorted by it already."""
    key, descending = _sorted(request)
    here = bool(column.sort) and query.SORTS[column.sort] == key
    way = "asc" if here and descending else "desc"
    if not here and column.sort not in {"id", "createTime", "startTime", "finishTime"}:
        way = "asc"  # words begin at a, times at the newest
    return {
        "key": column.key,
        "word": column.word,
        "kind": column.kind,
        "href": address(request, sort=f"{column.sort},{way}", cursor=None) if column.sort else "",
        "sorted": ("descending" if descending else "ascending") if here else "",
    }


def _sorted(request: Request) -> tuple[str, bool]:
    """Return what the list is sorted by and whether downwards; what is not understood is the usual."""
    try:
        at: Cursor | None = query.cursor(request)
        return (at.sort, at.descending) if at is not None else query.sorting(request)
    except Problem:
        return "id", True


def _many(found: Found) -> str:
    """Return how many tasks fit in all, in words."""
    return f"{found.page.total:,}" if found.page.total_exact else f"more than {found.page.total:,}"


def _shown(found: Found) -> str:
    """Return which of the tasks the page shows."""
    if not found.page.contents:
        return ""
    first = (found.page.number - 1) * SIZE + 1
    return f"{first:,} to {first + len(found.page.contents) - 1:,} of {_many(found)}"


ROUTES: tuple[tuple[str, str, Any], ...] = tuple(("GET", path, listed) for path in LOOKS)
