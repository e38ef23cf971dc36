"""Open streams of this process: how many each principal has, and their end when the process stops.

The code of 429 is 0, as in OCP (specification §2.4).
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.api.rest.errors import Problem

RETRY_AFTER = "5"


class Streams:
    """One per process. `per_principal`: how many streams one principal may have open at once here."""

    def __init__(self, per_principal: int) -> None:
        self._limit = per_principal
        self._open: Counter[str] = Counter()
        self._ends: set[asyncio.Future[None]] = set()
        self._ended = False
        self.refused = 0

    def __len__(self) -> int:
        return len(self._ends)

    @contextmanager
    def place(self, name: str) -> Iterator[asyncio.Future[None]]:
        """Count a stream as open; the future is done when it shall end. Raises 429, and 503 when we are leaving."""
        if self._ended:
            raise Problem(503, 1006, "This process is stopping.", headers={"Retry-After": "1"})
        if self._open[name] >= self._limit:
            self.refused += 1
            message = f"{name} has {self._limit} streams open here, which is all there may be."
            raise Problem(429, 0, message, target={"limit": self._limit}, headers={"Retry-After": RETRY_AFTER})
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open[name] += 1
        self._ends.add(end)
        try:
            yield end
        finally:
            self._ends.discard(end)
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]

    def end(self) -> None:
        """End every stream in order: clients come back, to another replica."""
        self._ended = True
        for end in self._ends:
            if not end.done():
                end.set_result(None)
