"""Spaces of values: each is a numbered set of different values, and gives those with the numbers it is asked for.

Uniqueness, distributions and composite keys are a matter of which numbers are asked for (`draw.py`); spaces know
neither. They are asked for a batch at a time, since a call for each cell would cost more than the cell.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any, Protocol

SECONDS_A_DAY = 86_400
SYMBOLS = {"#": digits, "@": ascii_uppercase, "?": ascii_lowercase, "*": ascii_uppercase + digits}


class Space(Protocol):
    """`size` different values. `plain`: none of them holds a character that a text format must escape."""

    @property
    def size(self) -> int:
        """How many different values there are."""

    @property
    def plain(self) -> bool:
        """Whether their texts never need escaping."""

    def take(self, numbers: Sequence[int]) -> list[Any]:
        """Return the values with these numbers, each from 0 to `size` - 1."""


class Pool:
    """Values from a list; what stands in it twice counts once."""

    def __init__(self, values: Iterable[Any], *, plain: bool = False) -> None:
        self.values = list({(type(value), value): value for value in values}.values())
        self.size = len(self.values)
        self.plain = plain

    def take(self, numbers: Sequence[int]) -> list[Any]:
        """Look them up."""
        values = self.values
        return [values[number] for number in numbers]


class Listed(Pool):
    """Values from a list as they stand there, twins included: columns of one composite key go side by side."""

    def __init__(self, values: Iterable[Any]) -> None:
        super().__init__(())
        self.values = list(values)
        self.size = len(self.values)


class Integers:
    """Whole numbers from `low` to `high`, both included."""

    plain = True

    def __init__(self, low: int, high: int) -> None:
        self.low, self.size = low, max(0, high - low + 1)

    def take(self, numbers: Sequence[int]) -> list[int]:
        """Count from the lowest."""
        low = self.low
        return [low + number for number in numbers] if low else list(numbers)


class Decimals:
    """Numbers with `scale` digits after the point, from `low` to `high` in units of the last digit; as text."""

    plain = True

    def __init__(self, low: int, high: int, scale: int) -> None:
        self.low, self.size = low, max(0, high - low + 1)
        self._over, self._form = 10**scale, f"%.{scale}f"

    def take(self, numbers: Sequence[int]) -> list[str]:
        """Exact up to 15 digits, the most that the builder lets through."""
        low, over, form = self.low, self._over, self._form
        return [form % ((low + number) / over) for number in numbers]


class Floats:
    """A million steps from `low` to `high`."""

    plain = True
    size = 1_000_001

    def __init__(self, low: float, high: float) -> None:
        self._low, self._step = low, (high - low) / 1_000_000

    def take(self, numbers: Sequence[int]) -> list[float]:
        """Six digits are enough for anybody's test data."""
        low, step = self._low, self._step
        return [round(low + number * step, 6) for number in numbers]


class Days:
    """Days as ISO text."""

    plain = True

    def __init__(self, first: date, last: date) -> None:
        self.size = max(0, (last - first).days + 1)
        self._texts = [(first + timedelta(days=day)).isoformat() for day in range(self.size)]

    def take(self, numbers: Sequence[int]) -> list[str]:
        """Look them up."""
        texts = self._texts
        return [texts[number] for number in numbers]


class Moments:
    """Seconds between two days as ISO text, with `suffix` for the zone where the column has one."""

    plain = True

    def __init__(self, first: date, last: date, suffix: str = "") -> None:
        days = Days(first, last)
        self._days = days.take(range(days.size))
        self._clock = [f" {time}{suffix}" for time in clock()] if suffix else [f" {time}" for time in clock()]
        self.size = days.size * SECONDS_A_DAY

    def take(self, numbers: Sequence[int]) -> list[str]:
        """Put day and time together."""
        days, times = self._days, self._clock
        return [days[number // SECONDS_A_DAY] + times[number % SECONDS_A_DAY] for number in numbers]


class Uuids:
    """Version 4 as far as anybody can see, from 122 bits."""

    plain = True
    size = 1 << 122

    def take(self, numbers: Sequence[int]) -> list[str]:
        """Spread the bits around the version and the variant."""
        texts = [f"{number:031x}" for number in numbers]
        return [f"{t[1:9]}-{t[9:13]}-4{t[13:16]}-{'89ab'[int(t[0], 16) % 4]}{t[16:19]}-{t[19:]}" for t in texts]


class Tokens:
    """Hexadecimal texts of `length` digits."""

    plain = True

    def __init__(self, length: int) -> None:
        self._form = f"%0{length}x"
        self.size = 1 << (4 * length)

    def take(self, numbers: Sequence[int]) -> list[str]:
        """Write them out."""
        form = self._form
        return [form % number for number in numbers]


class Blobs:
    """Bytes of one length."""

    plain = True

    def __init__(self, length: int) -> None:
        self._length = length
        self.size = 1 << (8 * length)

    def take(self, numbers: Sequence[int]) -> list[bytes]:
        """Write them out."""
        length = self._length
        return [number.to_bytes(length, "big") for number in numbers]


class Compound:
    """Texts put together from pools: `%s` in `form` stands for one pool after the other."""

    def __init__(self, form: str, pools: Sequence[Sequence[str]]) -> None:
        self._form, self._pools = form, [list(dict.fromkeys(pool)) for pool in pools]
        everything = form + "".join("".join(pool) for pool in self._pools)
        self.plain = everything.isprintable() and "\\" not in everything
        self.size = 1
        for pool in self._pools:
            self.size *= len(pool)

    @property
    def longest(self) -> int:
        """Characters of the longest text."""
        return len(self._form % (("",) * len(self._pools))) + sum(max(map(len, pool)) for pool in self._pools)

    def within(self, share: int) -> "Compound | None":
        """Return what is left when no part is longer than `share` characters, or None."""
        pools = [[text for text in pool if len(text) <= share] for pool in self._pools]
        return type(self)(self._form, pools) if all(pools) else None

    def take(self, numbers: Sequence[int]) -> list[str]:
        """Split each number over the pools, the first pool turning fastest."""
        parts: list[list[str]] = []
        for pool in self._pools:
            size = len(pool)
            parts.append([pool[number % size] for number in numbers])
            numbers = [number // size for number in numbers]
        form = self._form
        return [form % part for part in zip(*parts, strict=True)]


def pattern(text: str) -> Compound:
    """Return the texts that fit a pattern: `#` a digit, `@` a capital letter, `?` a small letter, `*` any of these."""
    form = "".join("%s" if sign in SYMBOLS else sign.replace("%", "%%") for sign in text)
    pools: list[list[str]] = [list(SYMBOLS[sign]) for sign in text if sign in SYMBOLS]
    pools.reverse()  # the last place turns fastest, as in counting
    return _Reversed(form, pools)


class _Reversed(Compound):
    def take(self, numbers: Sequence[int]) -> list[str]:
        parts: list[list[str]] = []
        for pool in self._pools:
            size = len(pool)
            parts.append([pool[number % size] for number in numbers])
            numbers = [number // size for number in numbers]
        form = self._form
        if not parts:
            return [form % ()] * len(numbers)
        parts.reverse()
        return [form % part for part in zip(*parts, strict=True)]


@lru_cache(maxsize=1)
def clock() -> tuple[str, ...]:
    """Return every second of a day."""
    sixty = [f"{number:02}" for number in range(60)]
    return tuple(f"{hour}:{minute}:{second}" for hour in sixty[:24] for minute in sixty for second in sixty)
