"""Calendar months in UTC, and how fine a range is told."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.api.synchronisation import FIVE_MINUTES, ONE_HOUR, month_named, month_of, step_for


@pytest.mark.parametrize(
    ("at", "first", "following"),
    [
        (datetime(2026, 3, 31, 23, 59, 59, 999_999, UTC), (2026, 3), (2026, 4)),
        (datetime(2026, 12, 1, tzinfo=UTC), (2026, 12), (2027, 1)),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), (2028, 2), (2028, 3)),
        (datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), (2026, 2), (2026, 3)),
        (datetime(2026, 1, 31, tzinfo=UTC), (2026, 1), (2026, 2)),
    ],
)
def test_a_month_is_the_calendars_in_utc(at: datetime, first: tuple[int, int], following: tuple[int, int]) -> None:
    """Whatever zone a time is told in; from its first moment up to the next one's."""
    assert month_of(at) == (datetime(*first, 1, tzinfo=UTC), datetime(*following, 1, tzinfo=UTC))


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-00", "2026-1", "1969-12", "3000-01", "2026-01-01", "x"])
def test_what_names_no_month(text: str) -> None:
    """Four digits, a dash, two digits, from 1970 on."""
    assert month_named(text) is None


def test_a_named_month() -> None:
    """As `month_of` gives it."""
    assert month_named("2026-02") == (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))


def test_a_day_is_told_by_five_minutes() -> None:
    """More by the hour."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    assert step_for(at, at + timedelta(hours=24)) == FIVE_MINUTES
    assert step_for(at, at + timedelta(hours=24, microseconds=1)) == ONE_HOUR
