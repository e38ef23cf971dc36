"""A graph that stays too large when it is folded is drawn in part: its beginning, its end, and what is around one node.

Layers that are left out become one node, and so do the nodes that a layer has too many of; each says how many there
are. Nothing is lost: every step stands in exactly one node. Pure; draws nothing.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from services.api.console.folding import FIRST, OPEN, Node, Step, between, node_of
from services.api.console.layers import depths

LAYERS: Final = 40
"""So many layers are still drawn all."""
EDGE: Final = 4
"""Of more, so many from either end,"""
AROUND: Final = 12
"""and so many to either side of the chosen one's."""
TALL: Final = OPEN + 20
"""So many nodes a layer has at most; an opened group fits."""
MOST: Final = 600
"""So many nodes are drawn at most; layers far from the chosen one give way first."""


def bound(
    steps: Sequence[Step], nodes: Sequence[Node], upstreams: Mapping[int, Sequence[int]], chosen: int | None
) -> tuple[list[Node], dict[int, list[int]]]:
    """Return the nodes to draw and each one's upstreams, likewise; `chosen` is the number of a step, or None."""
    depth = depths(upstreams)
    layers: list[list[Node]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for node in nodes:
        layers[depth[node.id]].append(node)
    if len(layers) <= LAYERS and len(nodes) <= MOST and all(len(layer) <= TALL for layer in layers):
        return list(nodes), {node: list(above) for node, above in upstreams.items()}
    here = next((depth[node.id] for node in nodes if chosen in node.numbers), 0)
    of = {step.number: step for step in steps}
    kept = _kept([min(len(layer), TALL) for layer in layers], here)
    drawn: list[Node] = []
    for is_kept, run in groupby(range(len(layers)), key=kept.__contains__):
        for group in [[layer] for layer in run] if is_kept else [list(run)]:
            found = [node for layer in group for node in layers[layer]]
            drawn += _capped(found, of, chosen) if is_kept else [_merged(found, of)]
    drawn.sort(key=lambda node: node.id)
    return drawn, between(steps, drawn)


def _kept(sizes: Sequence[int], here: int) -> set[int]:
    """Return the layers to draw: those at the ends and around `here`, the nearest first, as long as there is room."""
    last = len(sizes) - 1
    if last < LAYERS:
        wanted = list(range(len(sizes)))
    else:
        wanted = [*range(EDGE), *range(last - EDGE + 1, last + 1)]
        wanted += [layer for layer in range(here - AROUND, here + AROUND + 1) if 0 <= layer <= last]
    kept: set[int] = set()
    room = MOST
    for layer in sorted(set(wanted), key=lambda layer: (abs(layer - here), layer)):
        if kept and sizes[layer] > room:
            break
        kept.add(layer)
        room -= sizes[layer]
    return kept


def _capped(layer: list[Node], of: Mapping[int, Step], chosen: int | None) -> list[Node]:
    """Return a layer's nodes, those that matter least as one when there are too many."""
    if len(layer) <= TALL:
        return layer
    ordered = sorted(layer, key=lambda node: (chosen not in node.numbers, FIRST[node.status], node.id))
    return [*ordered[: TALL - 1], _merged(ordered[TALL - 1 :], of)]


def _merged(nodes: Sequence[Node], of: Mapping[int, Step]) -> Node:
    return nodes[0] if len(nodes) == 1 else node_of([of[number] for node in nodes for number in node.numbers])
