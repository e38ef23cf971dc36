"""Many alike become one: subtasks of one kind at the same depth, with the same kinds around them, if more than a few.

A graph of 5,000 nodes tells nobody anything; "1,000 of shard, 3 failed" does. What is opened is shown a hundred at a
time, the failed first, then what runs. Pure; draws nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.api.console.layers import depths
from shared.task.words import SubtaskStatus

FOLD: Final = 20
"""So many alike are still drawn one by one."""
OPEN: Final = 100
"""So many are shown of what was opened."""
ROUNDS: Final = 16
"""How far around a step is looked for a difference."""
_FIRST: Final = {
    SubtaskStatus.FAILED: 0,
    SubtaskStatus.CANCELING: 1,
    SubtaskStatus.RUNNING: 2,
    SubtaskStatus.READY: 3,
    SubtaskStatus.PENDING: 4,
    SubtaskStatus.SUCCESSFUL: 5,
}


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
    rest: bool = False
    """It stands for what an opened node leaves out."""

    @property
    def many(self) -> bool:
        """Whether it stands for several subtasks."""
        return len(self.numbers) > 1


def fold(steps: Sequence[Step], opened: Collection[int] = ()) -> tuple[list[Node], dict[int, list[int]]]:
    """Return the nodes to draw and each node's upstreams, by id. `opened`: ids of nodes to show one by one."""
    nodes: list[Node] = []
    for group in _alike(steps):
        if len(group) <= FOLD:
            nodes += [_node([step]) for step in group]
        elif group[0].number not in opened:
            nodes.append(_node(group))
        else:
            kept = {step.number for step in sorted(group, key=lambda step: (_FIRST[step.status], step.number))[:OPEN]}
            nodes += [_node([step]) for step in group if step.number in kept]
            left = [step for step in group if step.number not in kept]
            nodes += [_node(left, rest=True)] if left else []
    nodes.sort(key=lambda node: node.id)
    place = {number: node.id for node in nodes for number in node.numbers}
    of = {step.number: step for step in steps}
    upstreams = {
        node.id: sorted({place[one] for number in node.numbers for one in of[number].upstreams}) for node in nodes
    }
    return nodes, upstreams


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


def _node(group: Sequence[Step], *, rest: bool = False) -> Node:
    counts = Counter(step.status for step in group)
    status = min(counts, key=_FIRST.__getitem__)
    name = group[0].name if len(group) == 1 else _common([step.name for step in group])
    first = next(step.number for step in group if step.status is status)
    return Node(group[0].number, name, tuple(step.number for step in group), counts, status, first, rest)


def _common(names: Sequence[str]) -> str:
    """Return what the names begin with, without a number cut in the middle."""
    first, last = min(names), max(names)
    length = next((at for at, (one, two) in enumerate(zip(first, last, strict=False)) if one != two), len(first))
    return first[:length].rstrip(" -_.#:/0123456789(") or names[0]
