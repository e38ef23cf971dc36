"""From one reading of the log to everybody who listens: each commit is encoded once, its bytes are shared.

A listener holds a bounded queue. One that is too slow loses its queue and has to catch up from the log, so a slow
client costs no memory and misses nothing. Knows no log and no connection; all of it runs in one event loop.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.api.access import Teams, within
from services.api.rest.live.frame import frame

MOST = 1000
"""How many commits wait for one listener."""
MOST_BYTES = 1024 * 1024
"""How much of them."""


class Item:
    """One commit of the log; `data` makes what is shown of it, called when somebody wants to see it first."""

    __slots__ = ("_data", "_frame", "labels", "seq", "task_id", "weight")

    def __init__(
        self, seq: int, task_id: int, labels: Mapping[str, str], weight: int, data: Callable[[], Sequence[Any]]
    ) -> None:
        self.seq, self.task_id, self.labels = seq, task_id, labels
        self.weight = weight
        """Roughly how many bytes it takes."""
        self._data: Callable[[], Sequence[Any]] | None = data
        self._frame = b""

    @property
    def frame(self) -> bytes:
        """The event as it is sent."""
        if self._data is not None:
            shown = {"task": self.task_id, "seq": self.seq, "decisions": self._data()}
            self._frame, self._data = frame("commit", shown, self.seq), None
        return self._frame


class Listener:
    """One who listens: to one task, or to all that somebody of these teams sees."""

    def __init__(self, task_id: int | None, teams: Teams, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.task_id, self.teams = task_id, teams
        self.since = 0
        """Every commit behind this position was given to it; what lies before must come from elsewhere."""
        self.lost = False
        """It was too slow: what was given to it is gone."""
        self._most, self._most_bytes = most, most_bytes
        self._waiting: list[Item] = []
        self._weight = 0
        self._stirred = asyncio.Event()

    def sees(self, item: Item) -> bool:
        """Whether the item is for it."""
        return self.task_id in {None, item.task_id} and within(self.teams, item.labels)

    def give(self, item: Item) -> None:
        """Take one item over; returns at once."""
        if self.lost:
            return
        self._waiting.append(item)
        self._weight += item.weight
        if len(self._waiting) > self._most or self._weight > self._most_bytes:
            self._waiting.clear()
            self.lost = True
        self._stirred.set()

    def take(self) -> list[Item]:
        """Return what was given since the last time."""
        found, self._waiting = self._waiting, []
        self._weight = 0
        self._stirred.clear()
        return found

    def begin(self, since: int) -> None:
        """Begin anew: what lies up to `since` comes from elsewhere."""
        self.take()
        self.since, self.lost = since, False

    def stir(self) -> None:
        """Wake it although there is nothing new."""
        self._stirred.set()

    async def wait(self, seconds: float) -> None:
        """Wait until something was given, at most so long."""
        if not self._stirred.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._stirred.wait()
            except TimeoutError:
                return


class Fan:
    """Everybody who listens."""

    def __init__(self) -> None:
        self._to_all: set[Listener] = set()
        self._to_task: dict[int, set[Listener]] = {}

    def __len__(self) -> int:
        return len(self._to_all) + sum(map(len, self._to_task.values()))

    def add(self, listener: Listener) -> None:
        """Let it listen from now on."""
        self._place(listener).add(listener)

    def remove(self, listener: Listener) -> None:
        """Let it listen no more."""
        self._place(listener).discard(listener)
        if listener.task_id is not None and not self._to_task.get(listener.task_id):
            self._to_task.pop(listener.task_id, None)

    def give(self, item: Item) -> None:
        """Hand an item to all it is for."""
        for group in (self._to_all, self._to_task.get(item.task_id, ())):
            for listener in group:
                if within(listener.teams, item.labels):
                    listener.give(item)

    def stir(self) -> None:
        """Wake everybody."""
        for group in (self._to_all, *self._to_task.values()):
            for listener in group:
                listener.stir()

    def _place(self, listener: Listener) -> set[Listener]:
        if listener.task_id is None:
            return self._to_all
        return self._to_task.setdefault(listener.task_id, set())
