"""Where live pages are drawn: a few at a time, so that however many are open leave the process time for all else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic, process_time
from typing import Final

WIDTH: Final = 4
"""How many are drawn at once: one waits for the view while another is drawn."""
REST: Final = 1.0
"""After each there is a rest this many times as long: all together take half a core at most."""
LONGEST: Final = 1.0
"""What (s) one counts as at most."""


class Lane:
    """One per process. What counts is processor time, so a busy machine does not make pages wait twice."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(WIDTH)
        self._ready = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn, and make those who follow wait for as long as it took and rests."""
        async with self._places:
            await asyncio.sleep(max(0.0, self._ready - monotonic()))
            began, spent = monotonic(), process_time()
            try:
                yield
            finally:
                taken = min(process_time() - spent, LONGEST)
                self._ready = max(self._ready, began) + (1 + REST) * taken
