"""A Gantt chart's geometry: where a moment lies, in percent of the width, and which moments get a mark. Pure.

Stretches in which nothing waited or ran are drawn short when they would leave no room for the rest: a task that was
retried the next morning shows both its runs.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

WIDTH: Final = 100.0
QUIET: Final = 3.0
"""How wide (percent) a stretch without any bar is drawn."""
MOST_QUIET: Final = 8
"""How many such stretches are drawn short, the longest of them."""
NOTABLE: Final = 0.15
"""A stretch is drawn short if it is longer than this share of all the rest."""
APART: Final = 8.0
"""Marks stand at least so far apart (percent)."""
MARKS: Final = 9
_STEPS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
    7200, 10800, 21600, 43200, 86400, 172800, 604800,
)  # fmt: skip
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class _Piece:
    """From `start` to `end` (seconds since the beginning) lies between `left` and `right` (percent)."""

    start: float
    end: float
    left: float
    right: float
    quiet: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the axis: `at` percent of the width, `text` how long after the beginning."""

    at: float
    text: str


class Scale:
    """Places moments. `quiet` has the stretches that are drawn short: left edge, width, and how long they last."""

    def __init__(self, spans: Iterable[Span]) -> None:
        found = sorted(spans)
        self.begin = found[0][0] if found else None
        joined = _joined([(self._since(a), self._since(b)) for a, b in found])
        self._pieces = _pieces(joined)
        self._starts = [piece.start for piece in self._pieces]

    @property
    def quiet(self) -> list[tuple[float, float, timedelta]]:
        """Where nothing happened."""
        return [
            (piece.left, piece.right - piece.left, timedelta(seconds=piece.end - piece.start))
            for piece in self._pieces
            if piece.quiet
        ]

    def place(self, at: datetime) -> float:
        """Return where a moment lies, in percent of the width."""
        return self._at(self._since(at))

    def marks(self) -> list[Mark]:
        """Return round moments to label, none of them too close to another one."""
        busy = sum(piece.end - piece.start for piece in self._pieces if not piece.quiet)
        step = next((one for one in _STEPS if busy / one <= MARKS), max(_STEPS[-1], busy / MARKS))
        found = [Mark(0.0, "0")]
        for piece in self._pieces:
            if piece.quiet:
                continue
            count = int(piece.start // step) + 1
            while count * step <= piece.end and len(found) <= 2 * MARKS:
                left = self._at(count * step)
                if left - found[-1].at >= APART and left <= WIDTH - APART:
                    found.append(Mark(left, elapsed(count * step)))
                count += 1
        return found

    def _since(self, at: datetime) -> float:
        return (at - self.begin).total_seconds() if self.begin is not None else 0.0

    def _at(self, seconds: float) -> float:
        if not self._pieces:
            return 0.0
        piece = self._pieces[max(0, bisect_right(self._starts, seconds) - 1)]
        length = piece.end - piece.start
        share = min(1.0, max(0.0, (seconds - piece.start) / length)) if length else 0.0
        return piece.left + share * (piece.right - piece.left)


def elapsed(seconds: float) -> str:
    """Return a round span: `20 ms`, `1.5 s`, `5 min`, `1 h 30 min`, `2 d`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.10g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{count} {word}" for count, word in parts if count)


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, max(start, end)))
    return found


def _pieces(spans: Sequence[tuple[float, float]]) -> list[_Piece]:
    if not spans:
        return []
    gaps = sorted(((b[0] - a[1], place) for place, (a, b) in enumerate(pairwise(spans))), reverse=True)
    busy = sum(end - start for start, end in spans)
    short: set[int] = set()
    open_gaps = sum(length for length, _ in gaps)
    for length, place in gaps[:MOST_QUIET]:
        if length > NOTABLE * (busy + open_gaps - length):
            short.add(place)
            open_gaps -= length
    linear = busy + open_gaps
    per_second = (WIDTH - QUIET * len(short)) / linear if linear else 0.0
    found: list[_Piece] = []
    start, left = spans[0][0], 0.0
    for place, (_, end) in enumerate(spans):
        if place not in short and place + 1 < len(spans):
            continue
        right = left + (end - start) * per_second
        found.append(_Piece(start, end, left, right, quiet=False))
        if place in short:
            found.append(_Piece(end, spans[place + 1][0], right, right + QUIET, quiet=True))
            start, left = spans[place + 1][0], right + QUIET
    return found
