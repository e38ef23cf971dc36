"""A log's new lines as rows for the pane that shows it: `/live/log`, server-sent events.

What is sent is what is stored, drawn as the page draws it; an event's id says which line and how much of what stands
between lines was drawn, so any process goes on where another one stopped: no line is missed or comes twice. The stream
stays while the subtask rests: somebody may retry it.
"""

import asyncio
from time import monotonic
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console import pages as templates
from services.api.console.http import address
from services.api.console.log_asked import PLACE, Asked, asked
from services.api.console.log_drawn import Drawn, Look, rows
from services.api.console.log_frame import Frame, Mark
from services.api.console.log_history import history_of
from services.api.rest import query
from services.api.rest.errors import bad_parameter
from services.api.rest.live.frame import RETRY, frame
from services.api.rest.live.log_follow import RESTING
from services.api.rest.live.log_line import Cursor, Wanted
from services.api.rest.live.log_page import Pages
from services.api.rest.live.log_source import LOOK, LogSource
from services.api.rest.live.response import EventStream
from services.api.rest.log_text import Key
from services.api.rest.policy import needs, visible
from services.api.rest.ports import Api, api
from shared.task.ids import MAX_TASK_ID
from shared.task.refusals import SubtaskNotFound, TaskNotFound

SIZE: Final = 500
"""How many lines one event has."""
PACE: Final = 0.2
"""How long (s) one event is the only one: bounds what a flood costs here and in the browser."""
FLOOD: Final = 6
"""After so many full events in a row the rest is left to the pages, and the stream goes on at the end."""
REST: Final = 5.0
"""How often (s) the store is looked at when nothing was heard and the subtask rests."""
LEFT_OUT: Final = "Lines are left out here: they come faster than they can be shown. They are among the earlier ones."


@needs(Permission.READ)
async def log(request: Request) -> Response:
    """Send the lines behind `after` as they come."""
    task_id, number = (
        query.number(request, "task", least=1, most=MAX_TASK_ID),
        query.number(request, "subtask", least=1),
    )
    if task_id is None or number is None:
        raise bad_parameter("task and subtask", "are both needed")
    found = api(request)
    task = await found.log.load(task_id, fresh=True)
    if task is None:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    visible(request, task, task_id)
    if task.find(number) is None:
        raise SubtaskNotFound(f"Task {task_id} has no subtask {number}.")
    between = Frame(history_of(found.log, task_id, number))
    await between.extend()
    what = asked(request, between.abouts)
    between.choose(what.wanted.runs)
    base = address(request, f"/tasks/{task_id}", **dict.fromkeys(("task", "after", *PLACE)))
    cursor, drawn = _stood(request)
    source = Lines(found, between, what, task_id, number, Look(base, what.tz, what.find), cursor, drawn)
    return EventStream(request, source, found.live.streams)


def _stood(request: Request) -> tuple[Cursor, int]:
    """Return where the reader stands: what the browser heard last, else what the page says."""
    given = request.headers.get("last-event-id", "").strip() or request.query_params.get("after", "")
    position, _, drawn = given.partition("~")
    cursor = Cursor.of(position) if given else Cursor()
    if cursor is None or (drawn and not (drawn.isascii() and drawn.isdigit() and len(drawn) < 9)):
        raise bad_parameter("after", "is what a page of the log or an event gave")
    return cursor, int(drawn or 0)


class Lines(LogSource):
    """The rows behind a place, as they come."""

    def __init__(
        self,
        found: Api,
        between: Frame,
        what: Asked,
        task_id: int,
        number: int,
        look: Look,
        cursor: Cursor,
        drawn: int,
    ) -> None:
        super().__init__(found.logs, task_id, number)
        self._log = found.log
        self._pages = Pages(found.logs, task_id, number, what.wanted)
        self._frame, self._look = between, look
        self._cursor, self._drawn = cursor, drawn
        self._before: Key | None = None
        self._state: tuple[Any, ...] = ()
        self._stated = self._due = self._paced = 0.0
        self._full = 0
        self._begun = self._resting = False

    async def _more(self, seconds: float) -> bytes:
        if not self._begun:
            await self._begin()
            return RETRY
        return await self._new() if await self._time(seconds) else b""

    async def _begin(self) -> None:
        """Find out which run the reader's last line was of."""
        if self._cursor.place:
            behind = Cursor(self._cursor.seq, self._cursor.place - 1, None)
            last = (await Pages(self._logs, self._task_id, self._number, Wanted()).after(behind, 1)).lines
            if last and last[0][0].seq == self._cursor.seq:
                self._before = last[0][0].run
        if self._before is None and 0 < self._drawn <= 2 * len(self._frame.parts):
            self._before = self._frame.parts[(self._drawn - 1) // 2].key
        self._begun = True

    async def _time(self, seconds: float) -> bool:
        """Wait at most `seconds` until it is time to look: something was heard, or nothing for long."""
        began = monotonic()
        if self._paced > began:
            await asyncio.sleep(min(seconds, self._paced - began))
        if self._full:
            return True
        left = self._due - monotonic()
        if left > 0 and not self._heard.is_set():
            return await self._hear(max(0.01, min(seconds, left))) or monotonic() >= self._due
        return True

    async def _new(self) -> bytes:
        """Look at the store."""
        self._heard.clear()
        await self._follow()
        page = await self._pages.after(self._cursor, SIZE, upto=await self._pages.last())
        self._full = self._full + 1 if page.more else 0
        shown: list[Drawn] = []
        if self._full > FLOOD:
            page = await self._pages.before(None, SIZE)
            shown, self._full = [self._look.mark(Mark("", LEFT_OUT))], 0
        lines = [line for line, _ in page.lines]
        late = await self._frame.meet(lines)
        drawn, self._drawn, self._before = rows(self._look, self._frame, lines, self._drawn, self._before)
        shown += drawn
        if not page.more and not late:
            marks, self._drawn = self._frame.rest(self._drawn)
            shown += [self._look.mark(mark) for mark in marks]
        self._cursor = page.cursor
        now = monotonic()
        self._due = now + (REST if self._resting else LOOK)
        if not shown:
            return b""
        self._paced = now + PACE
        place = f"{self._cursor}~{self._drawn}"
        html = templates.render("log_rows.html", rows=shown)
        return frame("lines", {"html": html, "cursor": place}, place)

    async def _follow(self) -> None:
        """Look, once in a while, whether the subtask has begun or ended a run: before its lines are read."""
        if monotonic() < self._stated + LOOK:
            return
        task = await self._log.load(self._task_id, fresh=True)
        self._stated = monotonic()
        subtask = task.find(self._number) if task is not None else None
        if task is None or subtask is None:
            return
        state = (subtask.status, subtask.operation, subtask.generation, subtask.attempt, subtask.run_time)
        self._resting = subtask.status in RESTING or task.ended
        if state != self._state:
            await self._frame.extend()
            self._state = state


ROUTES: Final = (("GET", "/live/log", log),)
