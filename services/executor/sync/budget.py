"""A budget of memory that all copies of a process share: who wants more than is left waits for others to give back."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from services.executor.sync.store import MIB

TOTAL: Final = 192 * MIB


class Budget:
    """So many bytes, handed out in order of asking. Works on whichever loop asks; keeps none."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._left = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        """Hold so many bytes, at most all there are, for the length of the context."""
        size = min(size, self._total)
        await self._take(size)
        try:
            yield
        finally:
            self._left += size
            self._hand_out()

    async def _take(self, size: int) -> None:
        if not self._waiting and size <= self._left:
            self._left -= size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, turn)
        self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._left += size
            elif entry in self._waiting:
                self._waiting.remove(entry)
            self._hand_out()
            raise

    def _hand_out(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._left:
            size, turn = self._waiting.popleft()
            if turn.cancelled():
                continue
            self._left -= size
            turn.set_result(None)


memory: Final = Budget(TOTAL)
"""The process's own."""
