"""Draws: which numbers of a space come next. Everything follows from the seed, whatever the size of the batches."""

from collections.abc import Sequence
from itertools import accumulate
from math import gcd
from random import Random
from typing import Protocol

RANKS = 10_000
"""So many numbers get a share of their own in a Zipf distribution."""
EXACT = 1 << 50
"""Below this a float draws every number."""


class Draw(Protocol):
    """A stream of numbers below some size."""

    def next(self, count: int) -> Sequence[int]:
        """Return the next `count` numbers."""


class Uniform:
    """Every number equally often."""

    def __init__(self, random: Random, size: int) -> None:
        self._random, self._size = random, size

    def next(self, count: int) -> Sequence[int]:
        """Draw."""
        size = self._size
        if size == 1:
            return [0] * count
        if size > EXACT:
            below = self._random.randrange
            return [below(size) for _ in range(count)]
        chance = self._random.random
        return [int(chance() * size) for _ in range(count)]


class Normal:
    """Around the middle; three standard deviations reach the ends."""

    def __init__(self, random: Random, size: int) -> None:
        self._random, self._size = random, size

    def next(self, count: int) -> Sequence[int]:
        """Draw; the few beyond the ends are the ends."""
        top, gauss = self._size - 1, self._random.gauss
        middle, spread = top / 2, max(top, 1) / 6
        return [min(top, max(0, round(gauss(middle, spread)))) for _ in range(count)]


class Weighted:
    """Each number in proportion to its weight."""

    def __init__(self, random: Random, weights: Sequence[float]) -> None:
        self._random, self._sums, self._numbers = random, list(accumulate(weights)), range(len(weights))

    def next(self, count: int) -> Sequence[int]:
        """Draw."""
        return self._random.choices(self._numbers, cum_weights=self._sums, k=count)


class Distinct:
    """Each number at most once, in an order that looks like chance, without remembering any of them.

    Steps of a width that has no divisor in common with the size visit every number before one comes again.
    """

    def __init__(self, random: Random, size: int) -> None:
        self._size, self._at = size, random.randrange(size)
        step = max(1, int(size * 0.6180339887) - random.randrange(max(1, size // 10)))
        while gcd(step, size) != 1:
            step += 1
        self._step = step

    def next(self, count: int) -> Sequence[int]:
        """Take so many steps. The caller sees to it that all of them together are at most `size`."""
        at, step, size = self._at, self._step, self._size
        self._at = (at + count * step) % size
        return [(at + place * step) % size for place in range(count)]


class Counting:
    """One after the other, from 0."""

    def __init__(self) -> None:
        self._next = 0

    def next(self, count: int) -> Sequence[int]:
        """Count on."""
        first = self._next
        self._next += count
        return range(first, first + count)


def zipf(random: Random, size: int) -> Weighted:
    """Return a draw where few numbers come often: the k-th in proportion to 1/k, over the first 10,000."""
    return Weighted(random, [1 / rank for rank in range(1, min(size, RANKS) + 1)])
