"""Times as people type them: 2h ago, a date, a date and a time.

Responsible for: the reader's time zone when none is given. Refuses to know: what the time is for.
"""

import re
from datetime import datetime, timedelta

from opsledger.cli.failure import UsageError

_AGO = re.compile(r"(\d{1,6})\s*(s|m|min|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(given: str | None, flag: str, now: datetime) -> str | None:
    """The time on the wire, with its offset; None for none. UsageError names the flag."""
    if given is None:
        return None
    try:
        if ago := _AGO.fullmatch(given.strip()):
            return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).isoformat()
        found = datetime.fromisoformat(given.strip())
    except (ValueError, OverflowError):
        raise UsageError(
            f"{flag} {given}: not a time", next_step="give 30m, 2h or 3d, a date, or 2026-11-20T02:00"
        ) from None
    return (found if found.tzinfo else found.astimezone()).isoformat()
