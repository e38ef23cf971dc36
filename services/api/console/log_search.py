"""Looking through a log for the next line that fits, before or behind a place. Bounded: a long search goes on by hand.

The pages of REST do the reading; each reads 32 MiB at most.
"""

from dataclasses import dataclass
from typing import Final

from services.api.rest.live.log_line import Cursor, Line
from services.api.rest.live.log_page import Pages

ROUNDS: Final = 4
"""How many pages of REST one search reads: 128 MiB."""


@dataclass(frozen=True, slots=True)
class Sought:
    """The line, or where to go on from when the search was cut off, or neither: there is none."""

    line: Line | None = None
    resume: Cursor | None = None


async def forwards(pages: Pages, place: Cursor | None) -> Sought:
    """Return the first line that fits behind `place`, or from the beginning. Raises `LogsUnavailable`."""
    cursor, upto = place or Cursor(), await pages.last()
    for _ in range(ROUNDS):
        page = await pages.after(cursor, 1, upto=upto)
        if page.lines:
            return Sought(page.lines[0][0])
        if not page.more:
            return Sought()
        cursor = page.cursor
    return Sought(resume=cursor)


async def backwards(pages: Pages, place: Cursor | None) -> Sought:
    """Return the last line that fits before `place`, or of all. Raises `LogsUnavailable`."""
    cursor = place
    for _ in range(ROUNDS):
        page = await pages.before(cursor, 1)
        if page.lines:
            return Sought(page.lines[-1][0])
        if page.before is None:
            return Sought()
        cursor = page.before
    return Sought(resume=cursor)
