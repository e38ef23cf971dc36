"""A task's graph as shapes for an SVG: boxes with a sign, a name and a note, and curves between them. Draws no markup.

Sizes are in CSS pixels. A name that does not fit is cut with an ellipsis, so that no label touches the edge of its box;
the whole name is its title.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final
from unicodedata import east_asian_width

from services.api.console.badge import Badge
from services.api.console.folding import Node, Step, fold
from services.api.console.layers import Spot, lay_out

WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 152, 44, 48, 20, 4
"""Of a box, and between boxes; the margin leaves room for the line around them."""
FITS: Final = 17
"""How many letters fit beside the sign: 12 pixels high, 6.7 wide on average."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node's place and what stands in it. `many`: how many subtasks, drawn as a stack."""

    id: int
    x: float
    y: float
    badge: Badge
    title: str
    name: str
    note: str
    many: int


@dataclass(frozen=True, slots=True)
class Curve:
    """An edge's path."""

    path: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it."""

    width: int
    height: int
    boxes: list[Box]
    curves: list[Curve]


def draw(
    steps: Sequence[Step], badges: Mapping[int, Badge], notes: Mapping[int, str], opened: Collection[int] = ()
) -> Picture:
    """Return the picture of these steps; badge and note by number, of many those of the one that needs attention."""
    nodes, upstreams = fold(steps, opened)
    layout = lay_out(upstreams)
    middle = (layout.tallest - 1) / 2

    def at(spot: Spot) -> tuple[float, float]:
        return MARGIN + spot.layer * (WIDTH + ACROSS), MARGIN + (spot.height + middle) * (HEIGHT + DOWN)

    boxes = [_box(node, *at(layout.spots[node.id]), badges, notes) for node in nodes]
    curves = [Curve(_path([at(spot) for spot in way])) for way in layout.edges.values()]
    width = 2 * MARGIN + layout.layers * (WIDTH + ACROSS) - ACROSS
    return Picture(width, 2 * MARGIN + layout.tallest * (HEIGHT + DOWN) - DOWN, boxes, curves)


def _box(node: Node, x: float, y: float, badges: Mapping[int, Badge], notes: Mapping[int, str]) -> Box:
    many = len(node.numbers)
    if many == 1:
        return Box(node.id, x, y, badges[node.id], node.name, cut(node.name), notes.get(node.id, ""), 1)
    counts = ", ".join(f"{number} {status.value.lower()}" for status, number in node.counts.items())
    badge = badges[node.first]
    title = f"{many} x {node.name}: {counts}"
    return Box(node.id, x, y, badge, title, cut(f"{many} x {node.name}"), cut(counts, 22), many)


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Return a curve from the first box to the last, straight through the places kept free for it."""
    (x, y), half = points[0], HEIGHT / 2
    parts = [f"M{x + WIDTH:g} {y + half:g}"]
    here, level = x + WIDTH, y + half
    for place, (x, y) in enumerate(points[1:], start=1):
        middle = (here + x) / 2
        parts.append(f"C{middle:g} {level:g} {middle:g} {y + half:g} {x:g} {y + half:g}")
        here, level = x, y + half
        if place < len(points) - 1:
            here += WIDTH
            parts.append(f"H{here:g}")
    return "".join(parts)


def cut(text: str, fits: int = FITS) -> str:
    """Return the text, or as much of it as fits, with an ellipsis; wide letters count twice."""
    widths = list(accumulate(2 if east_asian_width(letter) in "WF" else 1 for letter in text))
    if not widths or widths[-1] <= fits:
        return text
    return text[: bisect_right(widths, fits - 1)].rstrip() + "…"
