"""Values of any kind become values that both databases take and give back."""

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL

from services.api.projection.tables import INDEXED_TEXT, Instant
from services.api.projection.text import as_json, clean, finite, folded, indexed, integer, micros, utc

POSTGRESQL, SQLITE = (URL.create(name).get_dialect()() for name in ("postgresql+asyncpg", "sqlite"))
ZONES = st.timezones() | st.just(UTC) | st.just(timezone(timedelta(hours=14)))


@given(st.datetimes(timezones=ZONES, allow_imaginary=False))
def test_a_moment_survives_sqlite_to_the_microsecond(moment: datetime) -> None:
    """What goes in as microseconds comes out as the same moment in UTC."""
    back = Instant().process_result_value(micros(moment), SQLITE)

    assert back == utc(moment)
    assert back is not None
    assert back.tzinfo is UTC


@given(st.datetimes(timezones=ZONES, allow_imaginary=False), st.datetimes(timezones=ZONES, allow_imaginary=False))
def test_moments_sort_as_they_follow(one: datetime, other: datetime) -> None:
    """Microseconds sort like the moments they stand for."""
    first, second = utc(one), utc(other)
    assert first is not None
    assert second is not None
    assert (first < second) == ((micros(one) or 0) < (micros(other) or 0))


def test_a_moment_is_given_in_utc_by_either_database() -> None:
    """Drivers give other zones, or none at the calendar's edges."""
    there = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    found = Instant().process_result_value(there, POSTGRESQL)
    edge = Instant().process_result_value(datetime(1, 1, 1), POSTGRESQL)  # noqa: DTZ001  as the driver gives it

    assert found is not None
    assert (found, found.tzinfo) == (there, UTC)
    assert edge == datetime(1, 1, 1, tzinfo=UTC)


def test_odd_moments_are_made_fit() -> None:
    """Without a zone it is UTC; beyond the calendar it is its edge."""
    assert utc(datetime(2026, 1, 1)) == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001  the point of it
    assert utc(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))) == datetime.min.replace(tzinfo=UTC)
    assert utc(datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14)))) == datetime.max.replace(tzinfo=UTC)
    assert utc(None) is None
    assert micros(None) is None


@given(st.text())
def test_texts_are_cleaned_and_cut(text: str) -> None:
    """No NUL is left, nothing indexed is too long, and plain text is left alone."""
    assert "\0" not in clean(text)
    assert len(indexed(text)) <= INDEXED_TEXT
    assert len(folded(text * 50)) <= INDEXED_TEXT
    if "\0" not in text:
        assert clean(text) is text


@given(st.integers())
def test_integers_fit_into_64_bits(number: int) -> None:
    """Small ones are themselves, others the nearest."""
    assert abs(integer(number)) < 2**63
    if abs(number) < 2**63:
        assert integer(number) == number


def test_json_is_json_whatever_the_numbers() -> None:
    """What JSON does not have becomes null, NUL is escaped, empty values are short."""
    assert as_json({"a": float("inf"), "b": [float("nan")], "c": "\0"}) == '{"a":null,"b":[null],"c":"\\u0000"}'
    assert (as_json({}), as_json(()), as_json(0), as_json([])) == ("{}", "[]", "0", "[]")
    assert json.loads(as_json({"huge": 10**40})) == {"huge": 10**40}
    assert finite(float("nan")) is None
    assert finite(1.5) == 1.5
