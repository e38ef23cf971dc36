"""What synchronisation tasks are to the API: their types, their months, and how their counts are called. Pure.

The work is the executors'; the counts come from the view (`projection/sync_reads.py`).
"""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Final

TYPE: Final = "object.sync"
REQUEST: Final = "object.sync.request"
SWEEP: Final = "object.sync.sweep"

FIVE_MINUTES: Final = timedelta(minutes=5)
ONE_HOUR: Final = timedelta(hours=1)
FINE: Final = timedelta(hours=24)
"""Up to this long a range is told by five minutes, a longer one by the hour."""
LONGEST: Final = timedelta(days=92)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a task did in some time: objects asked for, synced, failed and ignored, and bytes of those synced."""

    requested: int = 0
    synced: int = 0
    failed: int = 0
    ignored: int = 0
    bytes: int = 0

    def shown(self) -> dict[str, int]:
        """Return the JSON form."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def month_of(at: datetime) -> tuple[datetime, datetime]:
    """Return the calendar month (UTC) in which `at` lies: its first moment, and that of the next one."""
    first = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first + timedelta(days=32)).replace(day=1)


def month_named(text: str) -> tuple[datetime, datetime] | None:
    """Return the month that `YYYY-MM` names, None when it names none from 1970 to 2999."""
    try:
        found = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        return None
    return month_of(found) if len(text) == 7 and 1970 <= found.year < 3000 else None


def step_for(since: datetime, before: datetime) -> timedelta:
    """Return how fine a range is told."""
    return FIVE_MINUTES if before - since <= FINE else ONE_HOUR
