"""Times and badges as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from services.api.console import badge
from services.api.console.shown import cause, facts
from services.api.console.span import ago, iso, lasted
from shared.task.words import Direction, Operation, SubtaskStatus, TaskState
from tests.unit.task.given import Story, node

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "just now"), (42, "42 s ago"), (300, "5 min ago"), (7300, "2 h ago"), (300_000, "3 d ago"), (-42, "in 42 s")],
)
def test_how_long_ago(seconds: float, said: str) -> None:
    """A time is told by the largest unit that fits."""
    assert ago(NOW - timedelta(seconds=seconds), NOW) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.031, "31 ms"),
        (4.24, "4.2 s"),
        (48, "48 s"),
        (59.7, "1 min 00 s"),
        (72, "1 min 12 s"),
        (3720, "1 h 02 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_how_long_it_took(seconds: float, said: str) -> None:
    """A duration has two units at most, and no unit rolls over by rounding."""
    assert lasted(NOW, NOW + timedelta(seconds=seconds), NOW) == said


def test_a_time_is_in_utc() -> None:
    """Whatever its offset, a machine-readable time ends in Z."""
    assert iso(datetime.fromisoformat("2026-11-21T10:00:00.5+01:00")) == "2026-11-21T09:00:00.500Z"


def test_badges_tell_what_a_state_hides() -> None:
    """Rolling back, cancelling, skipped and waiting for a retry have badges of their own."""
    assert badge.of_task(TaskState.RUNNING, Direction.BACKWARD) is badge.ROLLING_BACK
    assert badge.of_task(TaskState.SUCCESSFUL, Direction.BACKWARD) is badge.ROLLED_BACK
    assert badge.of_task(TaskState.RUNNING, Direction.FORWARD, cancelling=True) is badge.CANCELLING
    assert badge.of_subtask(SubtaskStatus.SUCCESSFUL, Operation.SKIP) is badge.SKIPPED
    assert badge.of_subtask(SubtaskStatus.READY, retries=True) is badge.WAITING
    assert badge.of_subtask(SubtaskStatus.FAILED, Operation.CANCEL) is badge.CANCELLED


@pytest.mark.parametrize("status", SubtaskStatus)
@pytest.mark.parametrize("operation", Operation)
def test_every_state_has_an_icon_and_a_word(status: SubtaskStatus, operation: Operation) -> None:
    """Nothing is told by colour alone."""
    found = badge.of_subtask(status, operation)

    assert found.icon
    assert found.word


def test_a_rollback_tells_what_is_undone_from_what_never_began() -> None:
    """Both have the status of something that waits."""
    story = Story.of(node("a"), node("b", 1), node("c", 2)).run(1).break_down(2).roll_back().undo(2, 1)

    counted = next(fact.text for fact in facts(story.now, NOW) if fact.word == "Subtasks")

    assert counted == "2 undone · 1 never begun"


def test_a_standing_task_says_that_it_stands() -> None:
    """Nothing of it runs, and nothing is wrong with that."""
    assert cause(Story.standing().now, NOW).startswith("It stands ready")
