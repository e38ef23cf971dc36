"""Time on the workbench: the wall's, or one that jumps to whatever is waited for."""

import asyncio
from datetime import datetime, timedelta
from typing import Protocol

from shared.runtime import clock as wall


class Clock(Protocol):
    """What decisions are dated with, and what automatic retries wait for."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""

    def pause(self, due: float | None) -> float | None:
        """Return for how many real seconds to wait at most while something else runs; None has no bound."""

    async def reach(self, due: float) -> bool:
        """Wait for `due` (seconds since the epoch), or a part of that; False when only somebody else can bring it."""


NAP = 0.2


class WallClock:
    """The real time."""

    def now(self) -> datetime:
        """Return the present time."""
        return wall.now()

    def pause(self, due: float | None) -> float | None:
        """Wait no longer than until something is due."""
        return None if due is None else max(0.0, due - self.now().timestamp())

    async def reach(self, due: float) -> bool:
        """Sleep until then, but not long: meanwhile somebody may cancel what is waited for."""
        await asyncio.sleep(min(NAP, self.pause(due) or 0.0))
        return True


class FakeClock:
    """A clock that costs no time: when nothing runs, it jumps to what is waited for.

    One that was made `still` does not jump; `advance` moves it.
    """

    def __init__(self, *, still: bool = False) -> None:
        self.still = still
        self._began = self._at = wall.now()

    @property
    def elapsed(self) -> float:
        """How many seconds have passed on this clock."""
        return (self._at - self._began).total_seconds()

    def now(self) -> datetime:
        """Return the time that was reached."""
        return self._at

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds."""
        self._at += timedelta(seconds=seconds)

    def pause(self, due: float | None) -> float | None:  # noqa: ARG002 - one of two clocks
        """Wait for what runs: this clock does not move by itself meanwhile."""
        return None

    async def reach(self, due: float) -> bool:
        """Jump, unless it stands still."""
        if self.still:
            return False
        # A microsecond more: what is due at a time that a float cannot hold exactly must be due then.
        self.advance(max(0.0, due - self._at.timestamp()) + 1e-6)
        return True
