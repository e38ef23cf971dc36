"""Many alike become one: subtasks of one kind at the same depth, with the same kinds around them, if more than a few.

A graph of 5,000 nodes tells nobody anything; "1,000 of shard, 3 failed" does. What is opened is shown a hundred at a
time, the failed first, then what runs; what comes before and behind this hundred is a node each. Pure; draws nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from services.api.console.layers import depths
from shared.task.words import SubtaskStatus

FOLD: Final = 20
"""So many alike are still drawn one by one."""
NOTHING: Final[Mapping[int, int]] = MappingProxyType({})
OPEN: Final = 100
"""So many are shown of what was opened."""
ROUNDS: Final = 16
"""How far around a step is looked for a difference."""
FIRST: Final = {
    SubtaskStatus.FAILED: 0,
    SubtaskStatus.CANCELING: 1,
    SubtaskStatus.RUNNING: 2,
    SubtaskStatus.READY: 3,
    SubtaskStatus.PENDING: 4,
    SubtaskStatus.SUCCESSFUL: 5,
}
"""Which status speaks for many: the one that deserves attention most."""


@dataclass(frozen=True, slots=True)
class Step:
    """What folding needs to know of a subtask."""

    number: int
    name: str
    kind: str
    """The operation it runs."""
    status: SubtaskStatus
    upstreams: tuple[int, ...]
    downstreams: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the drawn graph: a subtask, or the many that `numbers` names; `id` is the first of them."""

    id: int
    name: str
    numbers: tuple[int, ...]
    counts: Mapping[SubtaskStatus, int]
    status: SubtaskStatus
    """Of many: the one that deserves attention most."""
    first: int
    """The number of one in this status."""
    leads: tuple[int, int] | None = None
    """What it opens: the id of a group, and the how manieth hundred of it; None: nothing to open."""

    @property
    def many(self) -> bool:
        """Whether it stands for several subtasks."""
        return len(self.numbers) > 1


def fold(steps: Sequence[Step], opened: Mapping[int, int] = NOTHING) -> tuple[list[Node], dict[int, list[int]]]:
    """Return the nodes to draw and each node's upstreams, by id.

    `opened`: ids of nodes to show one by one, and which hundred of them, counted from 1.
    """
    nodes: list[Node] = []
    for group in _alike(steps):
        if len(group) <= FOLD:
            nodes += [node_of([step]) for step in group]
        elif group[0].number not in opened:
            nodes.append(node_of(group, (group[0].number, 1)))
        else:
            nodes += _open(group, opened[group[0].number])
    nodes.sort(key=lambda node: node.id)
    return nodes, between(steps, nodes)


def _open(group: list[Step], page: int) -> list[Node]:
    """Return the group one by one, as far as this page of it goes."""
    own = group[0].number
    ordered = sorted(group, key=lambda step: (FIRST[step.status], step.number))
    page = max(1, min(page, -(-len(ordered) // OPEN)))
    start, end = (page - 1) * OPEN, page * OPEN
    nodes = [node_of([step]) for step in sorted(ordered[start:end], key=lambda step: step.number)]
    nodes += [node_of(ordered[:start], (own, page - 1))] if start else []
    return nodes + ([node_of(ordered[end:], (own, page + 1))] if ordered[end:] else [])


def between(steps: Iterable[Step], nodes: Iterable[Node]) -> dict[int, list[int]]:
    """Return each node's upstreams, given what each stands for; what follows itself is left out."""
    place = {number: node.id for node in nodes for number in node.numbers}
    of = {step.number: step for step in steps}
    return {
        node.id: sorted({place[one] for number in node.numbers for one in of[number].upstreams} - {node.id})
        for node in nodes
    }


def _alike(steps: Sequence[Step]) -> Iterable[list[Step]]:
    """Return the steps in groups: nobody could tell two of one group apart by what is around them.

    The depth is part of it, so an edge always leads from one group to another, and folding makes no loop.
    """
    depth = depths({step.number: step.upstreams for step in steps})
    colour: dict[int, int] = _numbered({step.number: (depth[step.number], step.kind) for step in steps})
    for _ in range(ROUNDS):
        finer = _numbered(
            {
                step.number: (
                    colour[step.number],
                    frozenset(colour[one] for one in step.upstreams),
                    frozenset(colour[one] for one in step.downstreams),
                )
                for step in steps
            }
        )
        if max(finer.values(), default=0) == max(colour.values(), default=0):
            break
        colour = finer
    groups: dict[int, list[Step]] = defaultdict(list)
    for step in steps:
        groups[colour[step.number]].append(step)
    return groups.values()


def _numbered(looks: Mapping[int, Hashable]) -> dict[int, int]:
    names: dict[Hashable, int] = {}
    return {number: names.setdefault(look, len(names)) for number, look in looks.items()}


def node_of(group: Sequence[Step], leads: tuple[int, int] | None = None) -> Node:
    """Return one node that stands for these steps."""
    counts = Counter(step.status for step in group)
    status = min(counts, key=FIRST.__getitem__)
    name = group[0].name if len(group) == 1 else _common([step.name for step in group])
    first = min(step.number for step in group if step.status is status)
    numbers = tuple(sorted(step.number for step in group))
    return Node(numbers[0], name, numbers, counts, status, first, leads)


def _common(names: Sequence[str]) -> str:
    """Return what the names begin with, without a number cut in the middle."""
    first, last = min(names), max(names)
    length = next((at for at, (one, two) in enumerate(zip(first, last, strict=False)) if one != two), len(first))
    return first[:length].rstrip(" -_.#:/0123456789(") or names[0]
