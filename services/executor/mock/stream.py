"""Streams: columns whose values are drawn together, a batch at a time. Refuses to know why they belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from services.executor.mock.draw import Draw
from services.executor.mock.spaces import Space


class Nulls:
    """Which rows have no value."""

    def __init__(self, random: Random, ratio: float) -> None:
        self._random, self._ratio = random, ratio

    def mask(self, count: int) -> list[bool]:
        """Return True for each of the next rows that has none."""
        chance, ratio = self._random.random, self._ratio
        return [chance() < ratio for _ in range(count)]


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a stream: its share of the stream's numbers is `number // over % space.size`."""

    column: str
    space: Space
    over: int = 1
    nulls: Nulls | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """Columns that share one draw."""

    fields: tuple[Field, ...]
    draw: Draw
    size: int

    def next(self, count: int) -> list[list[Any]]:
        """Return the next `count` values of each column."""
        numbers = self.draw.next(count)
        masks: dict[int, list[bool]] = {}
        return [self._values(field, numbers, count, masks) for field in self.fields]

    def _values(self, field: Field, numbers: Sequence[int], count: int, masks: dict[int, list[bool]]) -> list[Any]:
        size, over = field.space.size, field.over
        if self.size != size:
            numbers = [number // over % size for number in numbers]
        values = field.space.take(numbers)
        if field.nulls is None:
            return values
        mask = masks.get(id(field.nulls)) or masks.setdefault(id(field.nulls), field.nulls.mask(count))
        return [None if none else value for none, value in zip(mask, values, strict=True)]


class Nothing:
    """The space of a column that stays NULL."""

    size = 1
    plain = True

    def take(self, numbers: Sequence[int]) -> list[None]:
        """Return nothing, so many times."""
        return [None] * len(numbers)
