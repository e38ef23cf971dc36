"""Where the nodes of a graph stand when it is read from left to right: in layers, with few crossings. Draws nothing.

A node's layer is the longest way to it. An edge over several layers gets a place of its own in each, so that it never
runs behind a node. Within a layer nodes are ordered by the middle of their neighbours, swept to and fro a few times.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Generic, TypeVar

SWEEPS: Final = 8
"""How often the layers are ordered anew, half of them in each direction."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place: the layer, and the height in it, in nodes; layers are centred on 0, so heights may be negative."""

    layer: int
    height: float


@dataclass(frozen=True, slots=True)
class Layout(Generic[K]):
    """Where nodes stand, and by which places each edge goes, its ends included."""

    spots: Mapping[K, Spot]
    edges: Mapping[tuple[K, K], tuple[Spot, ...]]
    layers: int
    tallest: int
    """How many places the fullest layer has."""


def lay_out(upstreams: Mapping[K, Sequence[K]]) -> Layout[K]:
    """Return the layout of a graph without loops, given each node's upstreams."""
    depth = depths(upstreams)
    count = 1 + max(depth.values(), default=-1)
    layers: list[list[int]] = [[] for _ in range(count)]
    own: dict[K, int] = {}
    for node, at in depth.items():
        own[node] = len(own)
        layers[at].append(own[node])
    up: dict[int, list[int]] = {place: [] for place in own.values()}
    down: dict[int, list[int]] = {place: [] for place in own.values()}
    ways: dict[tuple[K, K], list[int]] = {}
    for node, above in upstreams.items():
        for one in above:
            way = [own[one]]
            for layer in range(depth[one] + 1, depth[node]):
                place = len(up)
                up[place], down[place] = [], []
                layers[layer].append(place)
                way.append(place)
            way.append(own[node])
            for first, second in pairwise(way):
                down[first].append(second)
                up[second].append(first)
            ways[one, node] = way
    _untangle(layers, up, down)
    spots = {
        place: Spot(layer, float(height))
        for layer, places in enumerate(layers)
        for place, height in zip(places, _heights(len(places)), strict=True)
    }
    return Layout(
        {node: spots[place] for node, place in own.items()},
        {edge: tuple(spots[place] for place in way) for edge, way in ways.items()},
        count,
        max((len(places) for places in layers), default=0),
    )


def depths(upstreams: Mapping[K, Sequence[K]]) -> dict[K, int]:
    """Return the longest way to each node. Nodes may come in any order; depth is not bounded by the call stack."""
    downstreams: dict[K, list[K]] = {node: [] for node in upstreams}
    missing = {node: len(above) for node, above in upstreams.items()}
    for node, above in upstreams.items():
        for one in above:
            downstreams[one].append(node)
    depth = {node: 0 for node, number in missing.items() if not number}
    waiting = list(depth)
    for node in waiting:
        for below in downstreams[node]:
            depth[below] = max(depth.get(below, 0), depth[node] + 1)
            missing[below] -= 1
            if not missing[below]:
                waiting.append(below)
    if len(waiting) != len(upstreams):
        raise ValueError("the graph has a loop")
    return {node: depth[node] for node in upstreams}


def _untangle(layers: list[list[int]], up: Mapping[int, list[int]], down: Mapping[int, list[int]]) -> None:
    """Order the places of each layer by the middle of their neighbours, from the left, then from the right."""
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        neighbours = up if forward else down
        order = range(1, len(layers)) if forward else range(len(layers) - 2, -1, -1)
        for layer in order:
            beside = layers[layer - 1 if forward else layer + 1]
            rank = dict(zip(beside, _heights(len(beside)), strict=True))
            now = dict(zip(layers[layer], _heights(len(layers[layer])), strict=True))
            layers[layer].sort(key=lambda place: _middle([rank[one] for one in neighbours[place]], now[place]))


def _middle(heights: Sequence[float], otherwise: float) -> float:
    return sum(heights) / len(heights) if heights else otherwise


def _heights(count: int) -> list[float]:
    return [place - (count - 1) / 2 for place in range(count)]
