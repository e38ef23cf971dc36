"""Where the view stands, and waiting until it stands further (`min_seq`). Knows neither log nor database."""

import asyncio


class Position:
    """A log sequence that moves on; it moves back only when the view is replaced."""

    def __init__(self) -> None:
        self.seq = 0
        self._moved = asyncio.Condition()
        self._wanted = asyncio.Event()
        self._waiting = 0

    async def move(self, seq: int) -> bool:
        """Set the position and wake who waits; return whether it changed."""
        if seq == self.seq:
            return False
        self.seq = seq
        async with self._moved:
            self._moved.notify_all()
        return True

    async def wait_for(self, seq: int, patience: float) -> bool:
        """Wait until the view holds the log up to `seq`, at most `patience` seconds; return whether it does."""
        if self.seq >= seq:
            return True
        self._waiting += 1
        self._wanted.set()
        try:
            async with asyncio.timeout(patience), self._moved:
                await self._moved.wait_for(lambda: self.seq >= seq)
        except TimeoutError:
            return self.seq >= seq
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()
        return True

    async def wanted(self, patience: float) -> bool:
        """Wait until somebody waits for a position, at most `patience` seconds; return whether somebody does."""
        try:
            async with asyncio.timeout(patience):
                await self._wanted.wait()
        except TimeoutError:
            return False
        return True
