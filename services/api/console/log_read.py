"""Which lines of a log a page shows: the end, those beside a place, those around a line or a hit. Bounded by its size.

The lines are those of REST's pages; knows nothing of how they are drawn.
"""

from dataclasses import dataclass, replace
from typing import Final

from services.api.console import log_search
from services.api.console.log_asked import Asked
from services.api.console.log_search import Sought
from services.api.rest.live.log_line import LEVELS, Cursor, Line, Wanted
from services.api.rest.live.log_page import Page, Pages
from shared.store.logs import LogStore

SIZE: Final = 400
"""How many lines a page has."""


@dataclass(frozen=True, slots=True)
class View:
    """What is on the page: its lines, where lines before and behind them are, and whether the log ends with it."""

    lines: list[Line]
    cursor: Cursor
    earlier: Cursor | None
    later: Cursor | None
    whole: bool = False
    """It begins with the first line."""
    here: Cursor | None = None
    said: str = ""
    resume: Cursor | None = None


async def read(logs: LogStore, task_id: int, number: int, what: Asked) -> View:
    """Return what is to be shown. Raises `LogsUnavailable`."""
    pages = Pages(logs, task_id, number, what.wanted)
    if what.go == "error" or (what.go and what.find):
        found, said = await _search(Pages(logs, task_id, number, _sought(what)), what)
        if found.line is not None:
            return replace(await _around(pages, found.line.cursor(None)), said=said)
        place = what.line
        view = await _around(pages, place) if place is not None else await _end(pages)
        return replace(view, said=said, resume=found.resume)
    if what.line is not None:
        return await _around(pages, what.line)
    if what.earlier is not None:
        page = await pages.before(what.earlier, SIZE)
        return View(_lines(page), page.cursor, page.before, page.cursor, whole=page.before is None)
    if what.later is not None:
        page = await pages.after(what.later, SIZE, upto=await pages.last())
        earlier = page.lines[0][0].cursor(None) if page.lines else what.later
        return View(_lines(page), page.cursor, earlier, page.cursor if page.more else None)
    return await _end(pages)


def _sought(what: Asked) -> Wanted:
    if what.go == "error":
        return replace(what.wanted, levels=LEVELS["ERROR"])
    return replace(what.wanted, find=what.find or None)


async def _end(pages: Pages) -> View:
    page = await pages.before(None, SIZE)
    return View(_lines(page), page.cursor, page.before, None, whole=page.before is None)


async def _around(pages: Pages, here: Cursor) -> View:
    """Return the lines around one; the end of the log when there is no such line."""
    behind = await pages.after(Cursor(here.seq, max(0, here.place - 1), None), SIZE // 2, upto=await pages.last())
    if not behind.lines:
        view = await _end(pages)
        return replace(view, said="That line is not there any more, or not among these lines.")
    before = await pages.before(Cursor(here.seq, max(1, here.place), None), SIZE // 2)
    lines = [*_lines(before), *_lines(behind)]
    later = behind.cursor if behind.more else None
    return View(lines, behind.cursor, before.before, later, whole=before.before is None, here=here)


async def _search(pages: Pages, what: Asked) -> tuple[Sought, str]:
    """Return the next hit from where the reader is, round the log's end if need be, and what there is to say of it."""
    up = what.go == "prev"
    seek = log_search.backwards if up else log_search.forwards
    found = await seek(pages, what.line)
    said = ""
    if what.line is not None and found == Sought():
        found = await seek(pages, None)
        said = "No more before that line; this is the last." if up else "No more behind that line; this is the first."
    if found.resume is not None:
        return found, "Nothing found so far; the log is long."
    if found.line is None:
        return found, f"There is no {'line of level ERROR' if what.go == 'error' else f'“{what.find}”'} in this log."
    return found, said


def _lines(page: Page) -> list[Line]:
    return [line for line, _ in page.lines]
