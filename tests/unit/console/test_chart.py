"""Bars: where they stand, how high they are, and that nothing which happened is invisible."""

from datetime import UTC, datetime, timedelta

from services.api.console.chart import HEIGHT, LEAST, WIDTH, chart

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
TONES = {"synced": "good", "failed": "bad"}
HOUR = timedelta(hours=1)


def at(hours: float) -> int:
    """A moment so many hours after the beginning."""
    return int((SINCE + timedelta(hours=hours)).timestamp())


def test_bars_stand_where_their_time_is() -> None:
    """The first step at the left edge, the last one ends at the right."""
    found = chart({"synced": [(at(0), 5), (at(23), 5)]}, TONES, SINCE, SINCE + timedelta(hours=24), HOUR)

    first, last = (column.bars[0] for column in found.columns)
    assert (first.x, round(last.x + last.width)) == (0, WIDTH - 1)
    assert found.most == 5


def test_parts_stack_in_the_order_of_the_tones() -> None:
    """What was synced below, what failed above; together as high as the sum says."""
    found = chart({"failed": [(at(1), 30)], "synced": [(at(1), 90)]}, TONES, SINCE, SINCE + HOUR * 2, HOUR)

    below, above = found.columns[0].bars
    assert (below.tone, above.tone) == ("good", "bad")
    assert below.y + below.height == HEIGHT
    assert above.y + above.height == below.y
    assert below.height == 3 * above.height
    assert found.columns[0].title == "2026-03-01 01:00 UTC: 30 failed, 90 synced"


def test_one_beside_a_million_is_seen() -> None:
    """And no bar leaves the drawing."""
    found = chart(
        {"synced": [(at(0), 1_000_000)], "failed": [(at(0), 1), (at(1), 1)]}, TONES, SINCE, SINCE + HOUR, HOUR
    )

    assert [bar.height for column in found.columns for bar in column.bars if bar.tone == "bad"] == [LEAST, LEAST]
    assert all(bar.y >= 0 and bar.y + bar.height <= HEIGHT for column in found.columns for bar in column.bars)


def test_nothing_is_drawn_of_nothing() -> None:
    """Kinds that nobody asked for, and zeros, are no bars."""
    found = chart({"bytes": [(at(0), 9)], "synced": [(at(0), 0)]}, TONES, SINCE, SINCE + HOUR, HOUR)

    assert (found.columns, found.most) == ((), 0)


def test_ticks_are_times_of_a_day_or_days() -> None:
    """From the beginning to the end."""
    day = chart({}, TONES, SINCE, SINCE + timedelta(days=1), HOUR).ticks
    month = chart({}, TONES, SINCE, SINCE + timedelta(days=30), HOUR).ticks

    assert (day[0], day[-1], month[0], month[-1]) == ("00:00", "00:00", "03-01", "03-31")
