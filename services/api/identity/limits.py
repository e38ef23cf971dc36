"""How fast somebody may ask: a bucket of allowances for each name, refilled at a steady rate. Knows no HTTP.

Memory is bounded: who has a full bucket is forgotten, and met again as a stranger with a full one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic
from typing import Final

MAX_KEPT: Final = 10_000


@dataclass(slots=True)
class _Level:
    left: float
    at: float


class Pace:
    """At most `burst` at once and `rate` a second, for each name. A rate of 0 limits nobody."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = monotonic) -> None:
        self.rate, self.burst = rate, max(1.0, burst)
        self._clock = clock
        self._levels: dict[str, _Level] = {}

    def take(self, name: str) -> float:
        """Return what is left after this one; below zero it is refused, and nothing was taken."""
        at = self._clock()
        level = self._levels.get(name)
        if level is None:
            if len(self._levels) >= MAX_KEPT:
                self._forget(at)
            level = self._levels[name] = _Level(self.burst, at)
        else:
            level.left = min(self.burst, level.left + (at - level.at) * self.rate)
            level.at = at
        if level.left < 1.0:
            return level.left - 1.0
        level.left -= 1.0
        return level.left

    def give_back(self, name: str) -> None:
        """Undo one take."""
        if (level := self._levels.get(name)) is not None:
            level.left = min(self.burst, level.left + 1.0)

    def wait(self, left: float) -> int:
        """Return after how many whole seconds, at least one, somebody who was refused may try again."""
        return max(1, ceil(-left / self.rate))

    def reset(self, left: float) -> int:
        """Return after how many whole seconds the bucket is full again."""
        return ceil((self.burst - max(0.0, left)) / self.rate)

    def _forget(self, at: float) -> None:
        full = [n for n, level in self._levels.items() if level.left + (at - level.at) * self.rate >= self.burst]
        for name in full or list(self._levels)[: MAX_KEPT // 10]:
            del self._levels[name]


def network(address: str) -> str:
    """Return what stands for a client's address: an IPv6 client owns a whole /64."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Address(int(found) >> 64 << 64))
    return address
