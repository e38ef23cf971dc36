"""A task's graph as shapes for an SVG: boxes with a sign, a name and a note, and curves between them. Draws no markup.

Sizes are in CSS pixels. A name that does not fit is cut with an ellipsis, so that no label touches the edge of its box;
the whole name is its title. A rollback is drawn as what it is: the edges it goes along backwards are marked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from services.api.console.badge import SKIPPED, Badge
from services.api.console.bounding import bound
from services.api.console.folding import FIRST, NOTHING, Node, Step, fold
from services.api.console.layers import Layout, Spot, lay_out
from services.api.console.lettering import fitted, width
from services.api.console.rows import between_rows, in_rows

WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 148, 44, 40, 20, 4
"""Of a box at least, and between boxes; the margin leaves room for the line around them."""
WIDEST = 232
"""Of a box whose name asks for it, if there is room."""
BESIDE, ROOM = 560, 1320
"""A picture that is not wider can have something beside it; boxes do not grow beyond the one or the other."""
TALL, CLOSE = 12, 8
"""Of more than so many boxes in a layer this is all the room between two."""
LEFT, RIGHT = 27, 6
"""Where a label begins, and how much it leaves free at its end."""
NAME, NOTE = 12, 11
"""How high letters are."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node's place and what stands in it. `many`: how many subtasks, drawn as a stack; `first` needs attention most.

    `leads`: what a click opens, as `folding.Node` says; `look`: how it is drawn besides its tone.
    """

    id: int
    x: float
    y: float
    badge: Badge
    title: str
    name: str
    note: str
    many: int
    first: int
    leads: tuple[int, int] | None
    chosen: bool
    look: str


@dataclass(frozen=True, slots=True)
class Curve:
    """An edge's path. `look`: `back` for one that a rollback goes along."""

    path: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it. `left_out`: how many subtasks have no box of their own, and are in none that can be opened."""

    width: int
    height: int
    boxes: list[Box]
    curves: list[Curve]
    left_out: int = 0
    across: int = WIDTH
    """How wide a box is."""


def draw(
    steps: Sequence[Step],
    badges: Mapping[int, Badge],
    notes: Mapping[int, str],
    opened: Mapping[int, int] = NOTHING,
    *,
    chosen: int | None = None,
    backward: bool = False,
    room: int = ROOM,
) -> Picture:
    """Return the picture of these steps; badge and note by number, of many those of the one that needs attention.

    `room`: how wide (px) boxes may make it for the sake of their names.
    """
    nodes, upstreams = bound(steps, *fold(steps, opened), chosen)
    rows = in_rows(upstreams)
    layout = lay_out(between_rows(rows, upstreams))
    place = _Places(layout, {node: len(row) for node, row in rows.items()}, max(map(_asked, nodes), default=0), room)
    named = {node.id: node for node in nodes}
    boxes = [
        _box(named[one], *place.of(first, column), place.across, badges, notes, chosen)
        for first, row in rows.items()
        for column, one in enumerate(row)
    ]
    curves = [Curve(place.path(edge), "back" if backward else "") for edge in layout.edges]
    left_out = sum(box.many for box in boxes if box.many > 1 and box.leads is None)
    return Picture(place.width, place.height, sorted(boxes, key=lambda box: box.id), curves, left_out, place.across)


class _Places:
    """Where the rows of a layout stand; a layer is as wide as its longest row, a box as the longest name if it can."""

    def __init__(self, layout: Layout[int], lengths: Mapping[int, int], asked: float, room: int) -> None:
        self._layout, self._lengths = layout, lengths
        longest = [1] * layout.layers
        for node, spot in layout.spots.items():
            longest[spot.layer] = max(longest[spot.layer], lengths[node])
        self.across = _across(longest, asked, room)
        self._wide = [self._row(length) for length in longest]
        self._left = [MARGIN + sum(self._wide[:layer]) + layer * ACROSS for layer in range(layout.layers)]
        self._down = DOWN if layout.tallest <= TALL else CLOSE
        self._middle = (layout.tallest - 1) / 2
        self.width = 2 * MARGIN + sum(self._wide) + max(0, layout.layers - 1) * ACROSS
        self.height = 2 * MARGIN + layout.tallest * (HEIGHT + self._down) - self._down

    def of(self, first: int, column: int) -> tuple[float, float]:
        """Return the upper left corner of a box: the row's first node, and the place in the row."""
        spot = self._layout.spots[first]
        return self._left[spot.layer] + column * (self.across + CLOSE), self._top(spot)

    def path(self, edge: tuple[int, int]) -> str:
        """Return a curve from the end of the first row to the last one, through the places kept free for it."""
        way = self._layout.edges[edge]
        level = self._top(way[0]) + HEIGHT / 2
        here = self._left[way[0].layer] + self._row(self._lengths[edge[0]])
        parts = [f"M{here:g} {level:g}"]
        for last, spot in pairwise(way):
            end = self._left[last.layer] + self._wide[last.layer]
            if end > here:
                parts.append(f"H{end:g}")
            x, y = self._left[spot.layer], self._top(spot) + HEIGHT / 2
            middle = (end + x) / 2
            parts.append(f"C{middle:g} {level:g} {middle:g} {y:g} {x:g} {y:g}")
            here, level = x, y
        return "".join(parts)

    def _top(self, spot: Spot) -> float:
        return MARGIN + (spot.height + self._middle) * (HEIGHT + self._down)

    def _row(self, length: int) -> int:
        return length * (self.across + CLOSE) - CLOSE


def _across(longest: Sequence[int], asked: float, room: int) -> int:
    """Return how wide a box is: what its name asks for, as far as the picture's width allows."""
    boxes = sum(longest)
    gaps = 2 * MARGIN + max(0, len(longest) - 1) * ACROSS + (boxes - len(longest)) * CLOSE
    limit = BESIDE if gaps + boxes * WIDTH <= BESIDE else room
    return max(WIDTH, min(WIDEST, ceil(asked), (limit - gaps) // max(1, boxes)))


def _asked(node: Node) -> float:
    return width(_name(node), NAME) + LEFT + RIGHT


def _name(node: Node) -> str:
    many = len(node.numbers)
    if many == 1:
        return node.name
    return f"{many:,} × {node.name}" if node.leads is not None else f"{many:,} more"  # noqa: RUF001  a sign


def _box(
    node: Node,
    x: float,
    y: float,
    across: int,
    badges: Mapping[int, Badge],
    notes: Mapping[int, str],
    chosen: int | None,
) -> Box:
    many, badge, name = len(node.numbers), badges[node.first], _name(node)
    if many == 1:
        title, note = name, notes.get(node.id, "")
    else:
        ordered = sorted(node.counts, key=FIRST.__getitem__)
        note = ", ".join(f"{node.counts[status]:,} {status.value.lower()}" for status in ordered)
        title = f"{name}: {note}"
    look = "skipped" if badge is SKIPPED else ""
    room = across - LEFT - RIGHT
    cut = fitted(name, room, NAME), fitted(note, room, NOTE)
    return Box(node.id, x, y, badge, title, *cut, many, node.first, node.leads, chosen in node.numbers, look)
