"""Who blocks the event loop: on an executor all other attempts would stand still meanwhile.

A machine under heavy load can be late by itself, so a stall is worth a word and never fails anything.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

TICK = 0.05
WORTH_A_WORD = 0.5
"""From how many seconds on."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The loop stood still for `seconds` while one of these steps ran."""

    seconds: float
    keys: tuple[str, ...]


class Watch:
    """Notices stalls. `running` tells which steps run now; `begun` is told of each."""

    def __init__(self, running: Callable[[], Iterable[str]]) -> None:
        self.stalls: list[Stall] = []
        self._running = running
        self._begun: set[str] = set()

    def begun(self, key: str) -> None:
        """A step begins; it may block and end between two looks."""
        self._begun.add(key)

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            began = monotonic()
            await asyncio.sleep(TICK)
            late = monotonic() - began - TICK
            if late >= WORTH_A_WORD and self._begun:
                self.stalls.append(Stall(round(late, 2), tuple(sorted(self._begun))))
            self._begun = set(self._running())
