"""Who waited and ran when, read from a task's own log."""

from services.api.console.timeline import Bar, Doing, bars
from shared.log.port import Stored
from shared.task import commands as cmd
from tests.unit.task.given import OOPS, START, Story, node


def told(story: Story) -> list[tuple[int, str, float, float | None]]:
    """Subtask, what it did, and from when to when, in seconds since the task's creation."""
    return [
        (bar.number, bar.doing.value, _since(bar), None if bar.end is None else (bar.end - START).total_seconds())
        for bar in drawn(story)
    ]


def drawn(story: Story) -> list[Bar]:
    """The bars of a story's log."""
    return bars(Stored(seq, "", body) for seq, body in enumerate(story.bodies, start=1))


def _since(bar: Bar) -> float:
    return (bar.start - START).total_seconds()


def test_waiting_and_running_are_told_apart() -> None:
    """A subtask waits from the moment its upstream is done until it is claimed."""
    story = Story.of(node("a"), node("b", 1))
    story.later(2).claim(1)
    story.later(3).settle(1, cmd.Succeeded())
    story.later(4).claim(2)

    assert told(story) == [(1, "wait", 0, 2), (1, "execute", 2, 5), (2, "wait", 5, 9), (2, "execute", 9, None)]


def test_each_attempt_has_a_bar() -> None:
    """A retry waits, then runs again; the bar of the first attempt says what became of it."""
    story = Story.of(node("a", times=1, delay=10))
    story.later(1).claim(1)
    story.later(1).settle(1, cmd.Failed(OOPS))
    story.later(10).claim(1)
    story.later(1).settle(1, cmd.Succeeded())

    found = drawn(story)
    assert [(bar.doing, bar.attempt) for bar in found][1::2] == [(Doing.EXECUTE, 1), (Doing.EXECUTE, 2)]
    assert [bar.badge.word for bar in found if bar.doing is Doing.EXECUTE] == ["Will retry", "Successful"]


def test_an_undo_is_a_bar_of_its_own() -> None:
    """A rollback shows on the chart as what it is."""
    story = Story.of(node("a", undo=True), node("b", 1))
    story.later(1).run(1)
    story.later(1).break_down(2)
    story.later(1).roll_back()
    story.later(1).undo(2)
    story.later(1).undo(1)

    undone = {bar.number: bar.end for bar in drawn(story) if bar.doing is Doing.UNDO}
    assert set(undone) == {1, 2}
    assert None not in undone.values()


def test_an_attempt_that_nobody_ended_says_so() -> None:
    """An executor that went away gives the subtask back; the bar does not look as if it had gone well."""
    story = Story.of(node("a"))
    story.later(1).claim(1)
    story.later(1).settle(1, cmd.Released())
    story.later(1).run(1)

    ran = [bar.badge.word for bar in drawn(story) if bar.doing is Doing.EXECUTE]
    assert ran == ["Lost or handed back", "Successful"]


def test_each_retry_by_hand_is_a_generation() -> None:
    """A bar names its attempt as logs do, by generation and attempt."""
    story = Story.of(node("a", undo=True))
    story.later(1).break_down(1)
    story.later(1).retry()
    story.later(1).run(1)

    ran = [(bar.doing.value, bar.generation, bar.badge.word) for bar in drawn(story) if bar.doing is not Doing.WAIT]
    assert ran == [("execute", 1, "Failed"), ("undo", 2, "Undone"), ("execute", 2, "Successful")]
