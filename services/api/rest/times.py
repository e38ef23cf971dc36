"""Times in a query: ISO-8601 with a zone, or how long ago. What is neither is 400 and names the parameter (B17)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request

from services.api.rest.errors import bad_parameter

FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(3000, 1, 1, tzinfo=UTC)
AGO: Final = r"^[1-9][0-9]{0,5}[smhdw]$"
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LOST_PLUS: Final = re.compile(r" (?=\d\d(:?\d\d)?$)")
"""A plus that was not escaped arrives as a space."""


def moment(request: Request, name: str) -> datetime | None:
    """Return a time, or None when it is not given."""
    given = request.query_params.get(name)
    if not given:
        return None
    refused = bad_parameter(
        name, "is a time in ISO-8601 with its zone, such as 2026-01-31T08:00:00Z, from 1970 to 2999"
    )
    try:
        found = datetime.fromisoformat(_LOST_PLUS.sub("+", given))
        if found.tzinfo is None or not FIRST <= found < LAST:
            raise refused
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise refused from None


def ago(request: Request, name: str, now: datetime) -> datetime | None:
    """Return the time that lies so long ago: 90s, 30m, 2h, 7d or 4w; None when it is not given."""
    given = request.query_params.get(name)
    if not given:
        return None
    if re.fullmatch(AGO, given) is None:
        raise bad_parameter(name, "is how long ago, such as 30m, 2h or 7d")
    span = timedelta(**{_UNITS[given[-1]]: int(given[:-1])})
    return max(FIRST, now - min(span, now - FIRST))
