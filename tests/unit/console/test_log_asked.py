"""What the address of a log may say."""

from datetime import UTC, datetime

import pytest
from starlette.requests import Request

from services.api.console.log_asked import asked
from services.api.rest.errors import Problem

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def ask(query: str) -> Request:
    """A request with this query."""
    return Request({"type": "http", "query_string": query.encode(), "headers": [], "path": "/tasks/1"})


@pytest.mark.parametrize(
    ("zone", "noon"),
    [
        ("", "12:00+0000"),
        ("zone=utc", "12:00+0000"),
        ("zone=%2B02:00", "14:00+0200"),
        ("zone=+0530", "17:30+0530"),
        ("zone=-3", "09:00-0300"),
        ("zone=Europe/Berlin", "14:00+0200"),
    ],
)
def test_a_zone_is_a_name_or_an_offset(zone: str, noon: str) -> None:
    """Also where a form or a person did not escape the plus."""
    assert NOON.astimezone(asked(ask(zone), []).tz).strftime("%H:%M%z") == noon


@pytest.mark.parametrize(
    "query",
    ["zone=../etc/passwd", "zone=Moon/Base", "zone=25:00", "line=7", "go=up", "level=LOUD", "attempt=x", "earlier=a.b"],
)
def test_what_cannot_be_meant_is_refused(query: str) -> None:
    """The parameter is named."""
    with pytest.raises(Problem) as refused:
        asked(ask(query), [])
    assert refused.value.status == 400
    assert query.partition("=")[0] in refused.value.message


def test_text_that_is_looked_for_leaves_no_line_out() -> None:
    """It is marked among the others; level and attempt do choose."""
    assert asked(ask("find=x"), []).wanted.everything
    found = asked(ask("find=x&level=alert&attempt=2-3"), [])
    assert (found.wanted.levels, found.wanted.runs) == (frozenset({"WARN", "ERROR"}), frozenset({(2, 3, None)}))
    assert found.find == "x"
