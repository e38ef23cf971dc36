"""Generators of numbers, days and times, within what the column takes and the rule asks for."""

from datetime import date, datetime

from services.executor.mock import spaces
from services.executor.mock.spaces import Decimals, Floats, Integers, Pool, Space
from services.executor.mock.wanted import Wanted

FIRST_DAY, LAST_DAY = date(2020, 1, 1), date(2025, 12, 31)
"""Dates come from here when nobody says otherwise: a fixed span, since the same seed has to give the same rows."""
WIDEST = 10**15
"""Most units a number may span, so that floating point stays exact."""


def integer(wanted: Wanted, low: float = 1, high: float = 100_000) -> Space:
    """Whole numbers: from the rule, else from the defaults cut to what the column takes."""
    bottom, top = _bounds(wanted, low, high)
    if bottom > top:
        raise wanted.unfit(f"no whole number lies between {bottom} and {top}; change min and max.")
    return Integers(int(bottom), int(top))


def decimal(wanted: Wanted, low: float = 1, high: float = 10_000) -> Space:
    """Numbers with the digits after the point that the column keeps."""
    scale = wanted.column.limits.scale if wanted.column.kind == "decimal" else 2
    bottom, top = _bounds(wanted, low, high)
    units = round(bottom * 10**scale), round(top * 10**scale)
    if units[0] > units[1] or max(abs(units[0]), abs(units[1])) > WIDEST:
        raise wanted.unfit(f"numbers from {bottom:g} to {top:g} cannot be made; change min and max.")
    return Decimals(*units, scale) if scale else Integers(*units)


def real(wanted: Wanted, low: float = 0, high: float = 1_000) -> Space:
    """Floating point; in a text column two digits, whose length can be told beforehand."""
    if wanted.column.kind == "text":
        return decimal(wanted, low, high)
    bottom, top = _bounds(wanted, low, high)
    if bottom >= top:
        raise wanted.unfit(f"min must be below max, and it is {bottom:g} to {top:g}.")
    return Floats(bottom, top)


def days(wanted: Wanted, first: date = FIRST_DAY, last: date = LAST_DAY) -> Space:
    """Days."""
    return spaces.Days(*_span(wanted, first, last))


def moments(wanted: Wanted, first: date = FIRST_DAY, last: date = LAST_DAY) -> Space:
    """Days and seconds, in UTC where the column keeps a zone."""
    low = wanted.column.type.lower()
    zoned = "with time zone" in low or "timestamptz" in low
    return spaces.Moments(*_span(wanted, first, last), suffix="+00" if zoned else "")


def times(_: Wanted) -> Space:
    """Times of day."""
    return Pool(spaces.clock(), plain=True)


def _bounds(wanted: Wanted, low: float, high: float) -> tuple[float, float]:
    limits = wanted.column.limits
    bottom, top = _number(wanted, wanted.rule.min), _number(wanted, wanted.rule.max)
    floor, ceiling = limits.low, limits.high
    for said in (bottom, top):
        if said is not None and ((floor is not None and said < floor) or (ceiling is not None and said > ceiling)):
            raise wanted.unfit(f"{said:g} is outside of what it takes, {_shown(floor)} to {_shown(ceiling)}.")
    if bottom is None:
        bottom = low if top is None else min(low, top)
        if ceiling is not None and bottom > ceiling:
            bottom = ceiling - (high - low)
        bottom = bottom if floor is None else max(floor, bottom)
    if top is None:
        top = max(high, bottom + (high - low))
        top = top if ceiling is None else min(ceiling, top)
    return bottom, top


def _shown(bound: float | None) -> str:
    return "anything" if bound is None else f"{bound:g}"


def _number(wanted: Wanted, said: float | str | None) -> float | None:
    if said is None:
        return None
    try:
        return float(said)
    except ValueError:
        raise wanted.unfit(f"'{said}' is no number.") from None


def _span(wanted: Wanted, first: date, last: date) -> tuple[date, date]:
    found = []
    for said, otherwise in ((wanted.rule.min, first), (wanted.rule.max, last)):
        try:
            found.append(otherwise if said is None else datetime.fromisoformat(str(said)).date())
        except ValueError:
            raise wanted.unfit(f"'{said}' is no date; write 2025-12-31.") from None
    if found[0] > found[1] or (found[1] - found[0]).days > 200_000:
        raise wanted.unfit(f"{found[0]} to {found[1]} is no span of days.")
    return found[0], found[1]
