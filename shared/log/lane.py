"""Lanes: what a process knows of each task and who waits to decide on it, as many as memory allows.

Knows nothing of storage. A lane that is busy, or that somebody waits in, is never dropped: two lanes of one task in
one process would race each other.
"""

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from shared.log.port import Decide, Note, Transacted
from shared.task.state import Task

MAX_GROUP = 64
"""How many decisions go into one commit at most."""


@dataclass(slots=True, eq=False)
class Ask:
    """One caller of `transact`. `deadline` is monotonic."""

    decide: Decide
    note: Note
    at_least: int
    fresh: bool
    deadline: float
    answer: asyncio.Future[Transacted]


@dataclass(slots=True, eq=False)
class Lane:
    """One task: its state at sequence `seq`, and who waits."""

    task_id: int
    task: Task | None = None
    seq: int = 0
    loaded: bool = False
    busy: bool = False
    waiting: deque[Ask] = field(default_factory=deque)
    weighed: int = 0
    """What this lane counts for in the cache's bound."""

    @property
    def weight(self) -> int:
        """Roughly how much it holds, in subtasks."""
        return 5 + (len(self.task.subtasks) + len(self.task.keys) if self.task is not None else 0)

    def group(self) -> list[Ask]:
        """Take the asks of the next commit. A key's second use waits for the first one's answer to be known."""
        group: list[Ask] = []
        keys: set[str] = set()
        while self.waiting and len(group) < MAX_GROUP:
            key = self.waiting[0].note.key
            if key is not None and key in keys:
                break
            if key is not None:
                keys.add(key)
            group.append(self.waiting.popleft())
        return group


class Lanes:
    """All lanes of a process; the least recently used go when they weigh more than `limit` together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lanes: OrderedDict[int, Lane] = OrderedDict()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def of(self, task_id: int) -> Lane:
        """Return the task's lane, the most recently used one from now on."""
        lane = self._lanes.get(task_id)
        if lane is None:
            lane = self._lanes[task_id] = Lane(task_id)
            self.weigh(lane)
        else:
            self._lanes.move_to_end(task_id)
        return lane

    def find(self, task_id: int) -> Lane | None:
        """Return the task's lane if there is one."""
        return self._lanes.get(task_id)

    def weigh(self, lane: Lane) -> None:
        """Count what the lane holds now, and make room when all lanes hold too much."""
        if self._lanes.get(lane.task_id) is not lane:
            return
        weight = lane.weight
        self.weight += weight - lane.weighed
        lane.weighed = weight
        if self.weight > self._limit:
            self._evict(lane)

    def forget(self) -> None:
        """Count every state as unknown."""
        for lane in self._lanes.values():
            lane.loaded = False

    def _evict(self, kept: Lane) -> None:
        target = self._limit * 3 // 4
        for lane in list(self._lanes.values()):
            if self.weight <= target:
                return
            if not (lane is kept or lane.busy or lane.waiting):
                del self._lanes[lane.task_id]
                self.weight -= lane.weighed
