"""The words for durations, times and foreign text."""

from datetime import UTC, datetime

import pytest

from opsledger.cli.look.console import clean, clean_log
from opsledger.cli.look.words import clock, count, span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3600, "1 h 00 min"),
        (86_399, "23 h 59 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_read_in_at_most_two_units(seconds: float | None, words: str) -> None:
    """Precise when short, coarse when long."""
    assert span(seconds) == words


def test_a_time_of_another_day_has_its_date() -> None:
    """Today needs no date, another day does."""
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert len(clock(now, now)) == len("12:00:00")
    assert clock(datetime(2026, 11, 10, 12, tzinfo=UTC), now).startswith("2026-11-10 ")
    assert clock(None, now) == ""


def test_counts_agree_with_their_noun() -> None:
    """One step, two steps."""
    assert (count(1, "step"), count(2000, "step")) == ("1 step", "2,000 steps")


def test_control_characters_are_made_visible() -> None:
    """One line stays one line; a log keeps lines and colours and nothing else."""
    assert clean("a\nb\x07\x9b") == "a b\\x07\\x9b"
    assert clean_log("\x1b[31mred\x1b[0m\n\x1b]0;title\x07\ttab\r\n") == "\x1b[31mred\x1b[0m\n\\x1b]0;title\\x07\ttab\n"
