"""A task's page, live: the same pieces from the same templates, drawn from the log after each commit of the task.

The log is ahead of the view, so a piece never shows less than what was painted. Pieces are shared by all who see the
page at the same address with the same rights; the subtask that was chosen when it was painted stays chosen.
"""

import html
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console import live_address, pages, task_page
from services.api.console.live_room import LONG, Anew, Changes, Drawn
from services.api.console.task_shown import FOLLOW, Shown, of
from services.api.rest import query
from services.api.rest.live.response import EventStream
from services.api.rest.policy import needs, principal, visible
from services.api.rest.ports import api
from shared.task.refusals import TaskNotFound
from shared.task.state import SubtaskStatus, Task

WAITING: Final = 2.0
"""How often (s) a page is drawn anew while a subtask waits to be tried again: it says for how long."""


@needs(Permission.READ)
async def live(request: Request) -> Response:
    """Send the pieces of a task's page as they change."""
    found = api(request)
    task_id = query.task_id(request)
    task = await found.log.load(task_id) or await found.log.load(task_id, fresh=True)
    if task is None:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    visible(request, task)
    chosen = query.number(request, live_address.CHOSEN) or 0
    about = live_address.page_of(request)

    def make() -> tuple[Changes, TaskScene]:
        return Changes(task_id, principal(request).teams), TaskScene(about, task_id, chosen)

    key = (about.url.path, about.url.query, live_address.rights(request), chosen)
    return EventStream(request, found.rooms.reader(key, make, live_address.after(request)), found.live.streams)


class TaskScene:
    """Draws one address of a task's page."""

    def __init__(self, request: Request, task_id: int, chosen: int) -> None:
        self._request, self._task_id, self._chosen = request, task_id, chosen

    async def reach(self, seq: int) -> bool:  # noqa: ARG002  a list has to wait
        """Nothing to wait for: the log itself is read."""
        return True

    async def draw(self, changed: frozenset[int] | None, seq: int) -> Drawn:
        """Draw every piece. Raises `Anew` when another subtask is chosen now, `TaskNotFound`, `LogUnavailable`."""
        task = await api(self._request).log.load(self._task_id, at_least=seq if changed else 0, fresh=changed is None)
        if task is None:
            raise TaskNotFound(f"The task {self._task_id} does not exist.")
        found = self._shown(task)
        context = await task_page.pieces(found)
        leaving = {"main"} if context["with_log"] else {"main", "step"}
        drawn = pages.pieces("task.html", leaving=leaving, **{"now": found.now, **context})
        drawn |= {"title": html.unescape(drawn["title"]), "icon": pages.static(f"{context['badge'].tone}.svg")}
        waits = any(one.retry_at is not None and one.status is SubtaskStatus.READY for one in task.subtasks)
        named = {name: (task.seq, text) for name, text in drawn.items()}
        return Drawn(max(seq, task.seq), named, WAITING if waits else LONG)

    def _shown(self, task: Task) -> Shown:
        found = of(self._request, task)
        if (found.chosen.number if found.chosen is not None else 0) == self._chosen:
            return found
        pinned = task.find(self._chosen) if self._chosen else None
        if pinned is None or self._request.query_params.get("subtask") == FOLLOW:
            raise Anew
        return replace(found, chosen=pinned)


ROUTES: tuple[tuple[str, str, Any], ...] = (("GET", f"{live_address.PREFIX}/tasks/{{task_id:digits}}", live),)
