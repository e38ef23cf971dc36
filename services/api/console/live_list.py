"""A list, live: its rows as they change, the numbers above it, and how many tasks are new. No row moves or goes away.

Rows come from the view, once it holds the commit that changed them. What the search finds now is asked less often, and
only for the numbers: the reader decides when the list itself is another one.
"""

import html
from dataclasses import replace
from time import monotonic
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission, within
from services.api.console import live_address, pages, task_list
from services.api.console.badge import Badge
from services.api.console.list_find import SIZE, Found, find
from services.api.console.list_look import LOOKS
from services.api.console.live_room import ALWAYS, LONG, Changes, Drawn
from services.api.projection.reads import Filter
from services.api.projection.view import Page, TaskRow
from services.api.rest import query
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.live.response import EventStream
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from shared.runtime.clock import now

COUNTED: Final = 1.0
"""How often (s) the numbers are asked for at most."""
REST: Final = 9
"""They rest so many times as long as they took."""
MOST_ROWS: Final = 200
DELETED: Final = Badge("■", "Deleted", "idle")


@needs(Permission.READ)
async def live(request: Request) -> Response:
    """Send the rows and numbers of a list as they change."""
    found = api(request)
    words = [word for word in request.query_params.get(live_address.ROWS, "").split(",") if word]
    if len(words) > MOST_ROWS or not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        raise bad_parameter(live_address.ROWS, f"is a list of at most {MOST_ROWS} task ids, separated by commas")
    ids, about = frozenset(map(int, words)), live_address.page_of(request)

    def make() -> tuple[Changes, ListScene]:
        return Changes(None, principal(request).teams), ListScene(about, ids)

    key = (about.url.path, about.url.query, live_address.rights(request), ids)
    return EventStream(request, found.rooms.reader(key, make, live_address.after(request)), found.live.streams)


class ListScene:
    """Draws one address of a list, with the rows that were painted."""

    def __init__(self, request: Request, ids: frozenset[int]) -> None:
        self._request, self._ids = request, ids
        self._look = LOOKS[request.url.path]
        self._text = request.query_params.get("q", "")[: query.MAX_TEXT].strip()
        self._teams = principal(request).teams
        self._count_at = 0.0
        self._stale = True

    async def reach(self, seq: int) -> bool:
        """Wait until the view holds the log up to `seq`; return whether it does."""
        return bool(await api(self._request).reach(seq))

    async def draw(self, changed: frozenset[int] | None, seq: int) -> Drawn:
        """Draw the rows that changed, and the numbers when it is time. Raises `ViewUnavailable`."""
        pieces: dict[str, tuple[int, str]] = {}
        wanted = self._ids if changed is None else self._ids & changed
        self._stale |= bool(changed) or changed is None
        if wanted:
            pieces |= await self._rows(wanted)
        if self._stale and (began := monotonic()) >= self._count_at:
            pieces |= {name: (ALWAYS, text) for name, text in (await self._numbers()).items()}
            self._stale, self._count_at = False, monotonic() + max(COUNTED, REST * (monotonic() - began))
        return Drawn(seq, pieces, max(0.0, self._count_at - monotonic()) if self._stale else LONG)

    async def _rows(self, wanted: frozenset[int]) -> dict[str, tuple[int, str]]:
        where = Filter(ids=tuple(sorted(wanted)), teams=self._teams)
        found = await api(self._request).reads.tasks(where, size=len(wanted))
        gone = await self._deleted(wanted - {task.id for task in found.contents})
        every = replace(found, contents=[*found.contents, *gone])
        context = task_list.context(self._request, self._look, self._text, Found(every))
        row = pages.macro("rows.html", "row", **{"now": now(), **context})
        drawn: dict[str, tuple[int, str]] = {}
        for task, shown in zip(every.contents, context["rows"], strict=True):
            as_it_is = replace(shown, badge=DELETED, acts=()) if task.deleted else shown
            drawn[f"task-{task.id}"] = (task.seq, str(row(as_it_is)))
        return drawn

    async def _deleted(self, missing: frozenset[int]) -> list[TaskRow]:
        """Return those of the rows that no list has any more: they stay where they are until the page is another."""
        reads = api(self._request).reads
        found = [await reads.task(task_id, deleted=True) for task_id in sorted(missing)]
        return [one.task for one in found if one is not None and within(self._teams, one.task.labels)]

    async def _numbers(self) -> dict[str, str]:
        try:
            found = await find(self._request, self._look, self._text)
        except Problem:  # the view is not as far as the address wants it
            return {}
        if found.problem:
            return {}
        context = task_list.context(self._request, self._look, self._text, found)
        context |= {"new": self._new(found.page) if context["by_age"] and not context["first"] else ""}
        drawn = pages.pieces("tasks.html", leaving={"main"}, **{"now": now(), **context})
        title = html.unescape(drawn["title"])
        return {**drawn, "title": f"({context['new']}) {title}" if context["new"] else title}

    def _new(self, page: Page) -> str:
        """Return how many tasks came in front of those that are shown, in words; empty for none."""
        newest = max(self._ids, default=0)
        count = sum(task.id > newest for task in page.contents)
        return f"{count}+" if count >= SIZE else str(count or "")


ROUTES: tuple[tuple[str, str, Any], ...] = tuple(("GET", f"{live_address.PREFIX}{path}", live) for path in LOOKS)
