"""A small chart of what happened when: stacked bars as numbers for an SVG. Pure; knows no page and no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

WIDTH: Final = 960
HEIGHT: Final = 120
"""Of the drawing, in the units of its view box."""
LEAST: Final = 1.5
"""How high (units) the smallest part is: what happened once is seen beside what happened a million times."""
TICKS: Final = 6

Series = Mapping[str, Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a bar."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class Column:
    """One step in time: its parts, and all of it in words."""

    bars: tuple[Bar, ...]
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The drawing. `ticks` stand below it, evenly from its beginning to its end; `most` is the highest bar's number."""

    columns: tuple[Column, ...]
    ticks: tuple[str, ...]
    most: int


def chart(series: Series, tones: Mapping[str, str], since: datetime, before: datetime, step: timedelta) -> Chart:
    """Return the drawing of these kinds, the first of `tones` at the bottom; `tones` also gives the order.

    Points are (seconds since 1970, how much); times where nothing happened have none.
    """
    sums: dict[int, dict[str, int]] = {}
    for kind, points in series.items():
        for at, number in points:
            if kind in tones and number > 0:
                sums.setdefault(at, {})[kind] = sums.get(at, {}).get(kind, 0) + number
    seconds = step.total_seconds()
    first = since.timestamp() // seconds * seconds
    wide = WIDTH * seconds / max(seconds, before.timestamp() - first)
    most = max((sum(found.values()) for found in sums.values()), default=0)
    columns = tuple(
        _column(at, found, tones, (at - first) / seconds * wide, wide, most) for at, found in sorted(sums.items())
    )
    return Chart(columns, _ticks(first, before.timestamp()), most)


def _column(at: int, found: dict[str, int], tones: Mapping[str, str], x: float, wide: float, most: int) -> Column:
    bars: list[Bar] = []
    top = float(HEIGHT)
    gap = 1.0 if wide > 4 else 0.0
    for kind, tone in tones.items():
        if number := found.get(kind, 0):
            high = min(top, max(LEAST, (HEIGHT - 4) * number / most))
            top -= high
            bars.append(Bar(round(x, 2), round(top, 2), round(max(wide - gap, 0.8), 2), round(high, 2), tone))
    told = ", ".join(f"{number:,} {kind}" for kind, number in found.items())
    return Column(tuple(bars), f"{datetime.fromtimestamp(at, tz=UTC):%Y-%m-%d %H:%M} UTC: {told}")


def _ticks(first: float, last: float) -> tuple[str, ...]:
    form = "%H:%M" if last - first <= 2 * 86_400 else "%m-%d"
    span = (last - first) / (TICKS - 1)
    return tuple(format(datetime.fromtimestamp(first + span * place, tz=UTC), form) for place in range(TICKS))
