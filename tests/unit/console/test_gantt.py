"""Where a moment lies on a timeline."""

from datetime import timedelta
from itertools import pairwise

import pytest

from services.api.console.gantt import Scale, elapsed
from tests.unit.task.given import START


def scale(*spans: tuple[float, float]) -> Scale:
    """A scale over spans in seconds."""
    return Scale((START + timedelta(seconds=a), START + timedelta(seconds=b)) for a, b in spans)


def place(found: Scale, seconds: float) -> float:
    """Where so many seconds after the beginning lie."""
    return round(found.place(START + timedelta(seconds=seconds)), 2)


def test_time_runs_from_left_to_right() -> None:
    """Evenly, from the first moment to the last."""
    found = scale((0, 4), (2, 10))
    assert [place(found, at) for at in (0, 5, 10)] == [0, 50, 100]
    assert found.quiet == []


def test_a_long_silence_is_drawn_short() -> None:
    """A task of ten seconds that was retried the next day shows both its runs."""
    found = scale((0, 10), (86_400, 86_410))
    assert [place(found, at) for at in (10, 86_400, 86_410)] == [48.5, 51.5, 100]
    assert [round(width, 2) for _, width, _ in found.quiet] == [3]
    assert found.quiet[0][2] == timedelta(seconds=86_390)


def test_a_short_silence_is_as_long_as_it_was() -> None:
    """What leaves room for the rest is not touched."""
    assert [place(scale((0, 50), (51, 100)), at) for at in (50, 51)] == [50, 51]


def test_marks_are_round_and_apart() -> None:
    """Labels never touch each other, nor the edge."""
    marks = scale((0, 75)).marks()
    assert [mark.text for mark in marks] == ["0", "10 s", "20 s", "30 s", "40 s", "50 s", "1 min"]
    assert all(b.at - a.at >= 8 for a, b in pairwise(marks))
    assert marks[-1].at <= 92


@pytest.mark.parametrize("spans", [[(0.0, 0.0)], [(0.0, 0.0), (0.0, 0.0)], [(0.0, 0.001)], [(5.0, 5.0), (9.0, 9.0)]])
def test_moments_without_length_are_places_too(spans: list[tuple[float, float]]) -> None:
    """A task that did everything in one instant is drawn all the same."""
    found = scale(*spans)
    assert 0 <= place(found, 0) <= 100
    assert found.marks()[0].text == "0"


def test_no_bars_are_no_scale() -> None:
    """A task that has not begun has no chart."""
    assert Scale([]).begin is None
    assert Scale([]).quiet == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.02, "20 ms"), (1.5, "1.5 s"), (30, "30 s"), (300, "5 min"), (5400, "1 h 30 min"), (172800, "2 d")],
)
def test_spans_are_told_in_round_words(seconds: float, text: str) -> None:
    """As one would say them."""
    assert elapsed(seconds) == text
