"""The pages that are looked at on this process, each once, whoever looks. Knows no page and no HTTP."""

import asyncio
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass

from services.api.console.live_lane import Lane
from services.api.console.live_reader import Reader
from services.api.console.live_room import Changes, Room, Scene
from services.api.rest.live.tail import Tail


@dataclass(slots=True)
class _Open:
    room: Room
    job: asyncio.Task[None]
    readers: int = 0


class Rooms:
    """One per process. What nobody looks at any more is not drawn any more."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        self._lane = Lane()
        self._open: dict[Hashable, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def reader(self, key: Hashable, make: Callable[[], tuple[Changes, Scene]], after: int) -> Reader:
        """Return a reader of the page with this key, which `make` opens when nobody looks at it yet.

        Whoever gets one closes it. `after`: the log position that the client's page shows.
        """
        found = self._open.get(key)
        if found is None or found.room.over:
            room = Room(self._tail, self._lane, *make())
            found = self._open[key] = _Open(room, asyncio.create_task(room.run(), name="live page"))
        found.readers += 1
        return Reader(found.room, after, lambda: self._leave(key, found))

    async def _leave(self, key: Hashable, mine: _Open) -> None:
        mine.readers -= 1
        if mine.readers:
            return
        if self._open.get(key) is mine:
            del self._open[key]
        mine.job.cancel()
        with suppress(asyncio.CancelledError):
            await mine.job
