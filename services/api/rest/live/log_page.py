"""Pages of a subtask's log, forwards from a cursor and backwards from one or from the end. Bounded in work and memory.

A page that looks for rare lines in a long log ends after `BUDGET` bytes, with a cursor to go on from.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from services.api.rest.live.log_line import Cursor, Line, Wanted, count, lines_of
from shared.store.logs import CHUNK, LogStore

BUDGET: Final = 32 * 1024 * 1024
"""How many bytes of batches one page reads."""
SHOWN: Final = 4 * 1024 * 1024
"""How many characters of lines one page shows."""


@dataclass(frozen=True, slots=True)
class Page:
    """Lines in order. `cursor` is where to go on, `more` whether lines may be there already.

    `before` is where lines before the page's may be, None when there are none.
    """

    lines: list[tuple[Line, int | None]]
    cursor: Cursor
    more: bool
    before: Cursor | None

    def shown(self) -> dict[str, Any]:
        """Return the JSON form."""
        found: dict[str, Any] = {
            "lines": [line.shown(number) for line, number in self.lines],
            "cursor": str(self.cursor),
            "more": self.more,
        }
        if self.before is not None:
            found["before"] = str(self.before)
        return found


class Pages:
    """The log of one subtask."""

    def __init__(self, logs: LogStore, task_id: int, number: int, wanted: Wanted) -> None:
        self._logs = logs
        self._of = (task_id, number)
        self._wanted = wanted

    async def last(self) -> int:
        """Return the sequence of the last batch that is stored. Raises `LogsUnavailable`."""
        return await self._logs.last(*self._of)

    async def after(self, cursor: Cursor, size: int, *, upto: int = 0) -> Page:
        """Return at most `size` lines behind the cursor. Raises `LogsUnavailable`.

        `upto`: this batch is known to be stored.
        """
        found: list[tuple[Line, int | None]] = []
        first, read, room = cursor, 0, SHOWN
        while read < BUDGET:
            batches = await self._logs.after(*self._of, max(0, cursor.seq - 1), upto=upto)
            fresh = [one for one in batches if one.seq > cursor.seq or count(one.body) > cursor.place]
            for stored in fresh:
                read += len(stored.body)
                if stored.seq > cursor.seq and not self._wanted.may_be_in(stored.body):
                    cursor = _behind(cursor, stored.seq, count(stored.body))
                    continue
                for line in lines_of(stored):
                    if (line.seq, line.place) <= (cursor.seq, cursor.place):
                        continue
                    cursor = _behind(cursor, line.seq, line.place)
                    if self._wanted.fits(line):
                        found.append((line, cursor.number))
                        room -= len(line.text)
                        if len(found) == size or room < 0:
                            return Page(found, cursor, more=True, before=_earlier(found, first))
                await asyncio.sleep(0)
            if len(batches) < CHUNK:
                return Page(found, cursor, more=False, before=_earlier(found, first))
        return Page(found, cursor, more=True, before=_earlier(found, first))

    async def before(self, cursor: Cursor | None, size: int) -> Page:
        """Return the last `size` lines before the one the cursor stands behind, or of all. Raises `LogsUnavailable`."""
        edge, read, room = (await self.last() if cursor is None else cursor.seq) + 1, 0, SHOWN
        found: list[Line] = []  # the newest first
        end = cursor
        while True:
            batches = await self._logs.before(*self._of, edge)
            for stored in reversed(batches):
                read += len(stored.body)
                limit = cursor.place if cursor is not None and stored.seq == cursor.seq else None
                end = end or Cursor(stored.seq, count(stored.body), None)
                if not self._wanted.may_be_in(stored.body):
                    continue
                for line in reversed(list(lines_of(stored))):
                    if limit is not None and line.place >= limit:
                        continue
                    if len(found) == size or room < 0:
                        earlier = found[-1].cursor(None) if found else Cursor(line.seq, line.place + 1, None)
                        return _page(found, end, earlier, whole=cursor is None)
                    if self._wanted.fits(line):
                        found.append(line)
                        room -= len(line.text)
                await asyncio.sleep(0)
            if len(batches) < CHUNK:
                return _page(found, end, None, whole=cursor is None)
            edge = batches[0].seq
            if read >= BUDGET:
                return _page(found, end, Cursor(edge, 0, None), whole=cursor is None)


def _page(found: list[Line], end: Cursor | None, before: Cursor | None, *, whole: bool) -> Page:
    """Return a page; of the end of the `whole` log one goes on behind all there was, also behind lines left out."""
    lines: list[tuple[Line, int | None]] = [(line, None) for line in reversed(found)]
    if not whole and found:
        end = found[0].cursor(None)
    return Page(lines, end or Cursor(), more=not whole, before=before)


def _behind(cursor: Cursor, seq: int, place: int) -> Cursor:
    """Return the position behind a line, counting the lines between."""
    passed = place - (cursor.place if seq == cursor.seq else 0)
    return Cursor(seq, place, cursor.number + passed if cursor.number is not None else None)


def _earlier(found: list[tuple[Line, int | None]], first: Cursor) -> Cursor | None:
    """Return where lines before these may be."""
    if first.seq == 0 or not found:
        return None
    line, number = found[0]
    return line.cursor(number)
