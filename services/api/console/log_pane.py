"""The log of the chosen subtask as a pane of its task's page. Everything that is chosen stands in the address.

Nothing here needs a script: with one, what is new comes behind the last line (`live_log.py`).
"""

from dataclasses import replace
from datetime import UTC
from typing import Any, Final

from services.api.console.http import address
from services.api.console.log_asked import PLACE, Asked, asked
from services.api.console.log_bar import bar
from services.api.console.log_drawn import Look, rows
from services.api.console.log_frame import Frame
from services.api.console.log_history import History, history_of
from services.api.console.log_read import View, read
from services.api.console.task_shown import Shown
from services.api.rest.live import at
from services.api.rest.live.log_line import Cursor
from services.api.rest.ports import api
from shared.store.logs import LogsUnavailable

STREAM: Final = "/live/log"


async def context(found: Shown) -> dict[str, Any]:
    """Return what the pane's template needs. Raises 400 and `LogUnavailable`."""
    if found.chosen is None:
        return {"log": None}
    number, parts = found.chosen.number, api(found.request)
    history = history_of(parts.log, found.task.id, number)
    if found.past:
        history = History(parts.log, found.task.id, number, at.moment_of(found.request))
    frame = Frame(history)
    await frame.extend()
    what = asked(found.request, frame.abouts)
    if history.until is not None:
        until = history.until.astimezone(UTC).isoformat(timespec="milliseconds")
        what = replace(what, wanted=replace(what.wanted, until=until))
    frame.choose(what.wanted.runs)
    try:
        frame.expired((await parts.logs.kept()).since)
        view = await read(parts.logs, found.task.id, number, what)
        late = await frame.meet(view.lines)
    except LogsUnavailable as problem:
        broken = f"The log cannot be read now: {problem}. It is not lost; reload the page in a moment."
        return {"log": {**bar(found, number, what, frame, what.line), **_NOTHING, "broken": broken}}
    return {"log": {**bar(found, number, what, frame, view.here), **_body(found, number, what, frame, view, late=late)}}


_NOTHING: Final[dict[str, Any]] = {
    "rows": [],
    "count": 0,
    "at_end": False,
    "earlier": "",
    "later": "",
    "follow": "",
    "said": "",
    "resume": "",
    "end": "",
    "stands": False,
}


def _body(found: Shown, number: int, what: Asked, frame: Frame, view: View, *, late: bool) -> dict[str, Any]:
    """Return the lines and the ways on from here."""
    look = Look(found.address(**{**dict.fromkeys(PLACE), "subtask": number}), what.tz, what.find, view.here)
    drawn = 0 if view.whole or not view.lines else frame.begin(view.lines[0].run)
    shown, drawn, _ = rows(look, frame, view.lines, drawn)
    at_end = view.later is None
    if at_end and not late:
        marks, drawn = frame.rest(drawn)
        shown += [look.mark(mark) for mark in marks]

    def way(**place: Any) -> str:  # a place is one of this subtask's log, whichever is shown by itself later
        return found.address(**{**dict.fromkeys(PLACE), "subtask": number, **place})

    return {
        "rows": shown,
        "count": len(view.lines),
        "at_end": at_end,
        "stands": view.here is not None or bool(what.later),
        "end": found.address(**dict.fromkeys(PLACE)),
        "earlier": way(earlier=view.earlier) if view.earlier is not None else "",
        "later": way(later=view.later) if view.later is not None else "",
        "follow": _follow(found, number, view.cursor, drawn) if at_end and not found.past else "",
        "said": view.said,
        "resume": way(line=view.resume, go=what.go) if view.resume is not None else "",
        "broken": "",
    }


def _follow(found: Shown, number: int, cursor: Cursor, drawn: int) -> str:
    gone = dict.fromkeys(PLACE)
    about = {"task": found.task.id, "subtask": number, "after": f"{cursor}~{drawn}"}
    return address(found.request, STREAM, **{**gone, **about})
