"""The timeline: a row for each subtask, a bar for each attempt, thin ones for waiting. Bounded by rows and bars a page.

Bars of a task that somebody looks at are kept, so that a live page costs what has happened since.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final
from weakref import WeakKeyDictionary

from services.api.console.badge import Badge
from services.api.console.gantt import Scale
from services.api.console.shown import badge_of
from services.api.console.span import iso, lasted
from services.api.console.task_shown import Shown
from services.api.console.timeline import Bar, Doing, Reading
from services.api.rest import query
from services.api.rest.ports import api
from shared.log.transact import TaskLog

ROWS: Final = 100
"""Subtasks on a page."""
BARS: Final = 60
"""Bars of one subtask, the newest."""
LEAST: Final = 0.4
"""How wide (percent) a bar is at least, so that it can be seen."""
CHUNK: Final = 512
PAUSE: Final = 32
"""After so many commits others get their turn."""
KEPT: Final = 100_000
_WORDS: Final = {Doing.WAIT: "waited", Doing.EXECUTE: "ran", Doing.UNDO: "was being undone"}


class Readings:
    """The bars of tasks that were looked at lately; one per log."""

    def __init__(self) -> None:
        self._found: OrderedDict[int, tuple[Reading, asyncio.Lock]] = OrderedDict()

    async def bars(self, log: TaskLog, task_id: int) -> list[Bar]:
        """Return the bars of a task by now. Raises `LogUnavailable`."""
        reading, lock = self._found.setdefault(task_id, (Reading(), asyncio.Lock()))
        self._found.move_to_end(task_id)
        async with lock:
            await read(log, reading, task_id)
            found = reading.bars()
        while len(self._found) > 1 and sum(one.weight for one, _ in self._found.values()) > KEPT:
            self._found.popitem(last=False)
        return found


_readings: WeakKeyDictionary[TaskLog, Readings] = WeakKeyDictionary()


async def read(log: TaskLog, reading: Reading, task_id: int, until: int | None = None) -> None:
    """Take the task's commits up to log position `until`, or all. Raises `LogUnavailable`."""
    while True:
        found = await log.history(task_id, reading.seq, limit=CHUNK)
        for place, stored in enumerate(found):
            if until is not None and stored.seq > until:
                return
            reading.take(stored)
            if place % PAUSE == PAUSE - 1:
                await asyncio.sleep(0)
        if len(found) < CHUNK:
            return


@dataclass(frozen=True, slots=True)
class Drawn:
    """A bar on the page, in percent of the width."""

    x: str
    width: str
    doing: str
    tone: str
    title: str
    href: str


@dataclass(frozen=True, slots=True)
class Row:
    """A subtask with its bars; `hidden` older ones are left out."""

    number: int
    name: str
    href: str
    badge: Badge
    took: str
    bars: list[Drawn]
    hidden: int


async def timeline(found: Shown) -> dict[str, Any]:
    """Return the chart of a page of subtasks: the whole task's time from left to right."""
    task, log = found.task, api(found.request).log
    if found.past:
        reading = Reading()
        await read(log, reading, task.id, task.seq)
        bars = reading.bars()
    else:
        bars = await _readings.setdefault(log, Readings()).bars(log, task.id)
    until = max([bar.end or bar.start for bar in bars], default=task.created_at) if found.past else found.now
    scale = Scale((bar.start, max(bar.start, bar.end or until)) for bar in bars)
    first = min(query.number(found.request, "cursor", 1, least=1) or 1, max(1, len(task.subtasks)))
    by_number = {number: list(own) for number, own in groupby(bars, lambda bar: bar.number)}
    shown = task.subtasks[first - 1 : first - 1 + ROWS]
    rows = []
    for subtask in shown:
        own = by_number.get(subtask.number, [])
        rows.append(
            Row(
                subtask.number,
                subtask.plan.name,
                found.address(view="graph", subtask=subtask.number, cursor=None),
                badge_of(subtask),
                _at_work(own, until),
                [_drawn(found, scale, bar, until) for bar in own[-BARS:]],
                max(0, len(own) - BARS),
            )
        )
    last = first + len(rows) - 1
    return {
        "rows": rows,
        "begin": scale.begin,
        "marks": [{"x": f"{mark.at:.2f}%", "text": mark.text} for mark in scale.marks()] if bars else [],
        "quiet": [
            {
                "x": f"{x:.2f}%",
                "width": f"{width:.2f}%",
                "text": lasted(scale.begin, scale.begin + span, until) if scale.begin else "",
            }
            for x, width, span in scale.quiet
        ],
        "shown": f"{first} to {last} of {len(task.subtasks)} subtasks" if len(task.subtasks) > ROWS else "",
        "before": found.address(cursor=max(1, first - ROWS)) if first > 1 else None,
        "behind": found.address(cursor=last + 1) if last < len(task.subtasks) else None,
    }


def _at_work(bars: list[Bar], until: datetime) -> str:
    """Return how long a subtask was at work in all its attempts, empty when it never was."""
    spans = [max(bar.end or until, bar.start) - bar.start for bar in bars if bar.doing is not Doing.WAIT]
    return lasted(until - sum(spans, timedelta()), until, until) if spans else ""


def _drawn(found: Shown, scale: Scale, bar: Bar, until: datetime) -> Drawn:
    end = max(bar.start, bar.end or until)
    left = scale.place(bar.start)
    width = max(LEAST, scale.place(end) - left)
    said = f"{_WORDS[bar.doing]} {lasted(bar.start, end, until)} from {iso(bar.start)}"
    if bar.doing is not Doing.WAIT:
        said = f"attempt {bar.attempt} {said} on {bar.executor}: {bar.badge.word}"
    attempt = None if bar.doing is Doing.WAIT else f"{bar.generation}-{bar.attempt}"
    return Drawn(
        f"{min(left, 100 - width):.2f}%",
        f"{width:.2f}%",
        bar.doing.value,
        bar.badge.tone if bar.end is not None else "busy",
        said,
        found.address(view="graph", subtask=bar.number, attempt=attempt, cursor=None),
    )
