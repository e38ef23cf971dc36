"""One client of a live page: the events it is sent. Knows no page and no HTTP."""

from collections.abc import Awaitable, Callable

from services.api.console.live_room import Room
from services.api.rest.live.frame import BEAT, RETRY, frame


class Reader:
    """One client's place in a room. `after`: the log position that its page shows."""

    def __init__(self, room: Room, after: int, leave: Callable[[], Awaitable[None]]) -> None:
        self._room, self._after, self._leave = room, after, leave
        self._turn: int | None = None
        self._opened = False
        self._ended = False

    async def open(self) -> None:
        """Begin; the room is there already."""

    async def next(self, seconds: float) -> bytes | None:
        """Return what there is to send, empty when nothing came in `seconds`, None when the page is over."""
        if not self._opened:
            self._opened = True
            return RETRY
        if self._ended:
            return None
        found = self._some()
        if not found:
            await self._room.wait(seconds)
            found = self._some()
        return found

    def beat(self) -> bytes:
        """Return what is sent when there was nothing for a while."""
        return BEAT

    async def close(self) -> None:
        """Leave the room."""
        await self._leave()

    def _some(self) -> bytes:
        room = self._room
        if room.over:
            self._ended = True
            return frame("reset", {"seq": room.seq}, room.seq)
        if self._turn is None:
            if not room.turn or room.seq < self._after:  # it may not have heard yet of what is painted
                return b""
            self._turn = room.turn
            return room.newer(0, self._after)
        since, self._turn = self._turn, room.turn
        return room.newer(since, 0)
