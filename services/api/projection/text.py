"""How values are made fit for a column: whatever the log holds, each database takes the result and gives it back.

The log may hold what a database refuses: NUL in a text, numbers beyond 64 bits, infinite floats, times without a zone
or beyond the calendar. Nothing of that may stop the projector (P10).
"""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from services.api.projection.tables import EPOCH, INDEXED_TEXT, MICROSECOND, SEARCHED_TEXT

When = Callable[[datetime | None], Any]
"""How a database's driver takes a moment."""

_BIGGEST = 2**63 - 1
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_FIRST, _LAST = (_EARLIEST - EPOCH) // MICROSECOND, (_LATEST - EPOCH) // MICROSECOND


def clean(text: str) -> str:
    """Return the text with NUL, which PostgreSQL cannot store, replaced."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def indexed(text: str) -> str:
    """Return the text as an index takes it: cleaned and cut."""
    return clean(text[:INDEXED_TEXT])


def folded(text: str) -> str:
    """Return the text as names are searched: whatever its case."""
    return indexed(text.casefold())


def searched(*values: Any) -> str:
    """Return the values as free text is looked for in them: keys, texts and numbers a line each, folded and cut."""
    found: list[str] = []
    room = SEARCHED_TEXT
    for word in _words(values):
        if room <= 0:
            break
        found.append(word[:room])
        room -= len(word) + 1
    return clean("\n".join(found).casefold()[:SEARCHED_TEXT])


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, int | float):
        if -_BIGGEST <= value <= _BIGGEST:  # a larger one has too many digits to be looked for, or none
            yield str(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _words(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _words(inner)


def as_json(value: Any) -> str:
    """Return JSON text; numbers that JSON does not have become null."""
    if not value:
        if value == {} and isinstance(value, dict):
            return "{}"
        if value == ():
            return "[]"
    return to_json(value, inf_nan_mode="null").decode()


def integer(value: int) -> int:
    """Return the number, or the nearest one of 64 bits."""
    return max(-_BIGGEST, min(_BIGGEST, value))


def finite(value: float) -> float | None:
    """Return the number, or None when it is infinite or none at all."""
    return value if math.isfinite(value) else None


def utc(moment: datetime | None) -> datetime | None:
    """Return the moment in UTC; one without a zone is taken for UTC, one beyond the calendar for its edge."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if moment.year == 1 else _LATEST


def micros(moment: datetime | None) -> int | None:
    """Return microseconds since 1970, within the calendar."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    span = moment - EPOCH  # quicker than to turn the moment into UTC first
    found = (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
    return _FIRST if found < _FIRST else min(found, _LAST)
