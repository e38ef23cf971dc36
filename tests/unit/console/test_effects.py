"""A dry run as a person reads it."""

from dataclasses import replace

import pytest

from services.api.asked import Preview, act
from services.api.console.effects import ROWS, changes, said
from shared.task import commands as cmd
from shared.task.allowed import allowed_on_task
from shared.task.decide import decide
from tests.unit.task.given import OOPS, START, Story, node
from tests.unit.task.situations import TASKS


def preview(story: Story, word: str, number: int | None = None) -> Preview:
    """What `Commands.preview` would answer."""
    command = act(story.now.id, word, number)
    verdict = decide(story.now, replace(command.command, at=START))
    return Preview(command.word, story.now, verdict.task, verdict.events, sorted(verdict.task.changed))


def test_a_retry_names_what_runs_again_and_what_follows() -> None:
    """Also what is undone first, because an earlier attempt left something."""
    found = preview(Story.of(node("a", undo=True), node("b", 1)).break_down(1), "retry")

    assert said(found) == [
        "1 subtask runs again: a.",
        "What an earlier attempt left is undone first: a.",
        "Then b follows.",
    ]
    assert [(one.name, one.before.word, one.after.word) for one in changes(found)[0]] == [("a", "Failed", "Ready")]


def test_a_skip_says_that_what_follows_gets_no_output() -> None:
    """And what comes next."""
    assert said(preview(Story.of(node("a"), node("b", 1)).break_down(1), "skip")) == [
        "a: counted as done without its work. What follows gets no output of it.",
        "Next: b.",
    ]


def test_skipping_the_last_ends_the_task() -> None:
    """That is said before it happens."""
    assert said(preview(Story.of(node("a")).break_down(1), "skip", 1))[-1] == (
        "Nothing is left to do then: the task ends."
    )


def test_one_of_two_failures_does_not_set_the_task_going() -> None:
    """A retried subtask runs, but the other failure still holds everything else."""
    story = Story.of(node("a"), node("b"), node("c", 1, 2))
    for number in (1, 2):
        story.claim(number)
    for number in (1, 2):
        story.settle(number, cmd.Failed(OOPS, retryable=False))

    assert "b failed, too: nothing else starts until that is retried or skipped." in said(preview(story, "retry", 1), 1)


def test_a_rollback_lists_what_is_undone_in_its_order() -> None:
    """The last first; what has no way to be undone is named."""
    story = Story.of(node("a", undo=True), node("b", 1), node("c", 2, undo=True)).run(1, 2).break_down(3)
    found = preview(story, "rollback")

    assert said(found) == [
        "3 subtasks are undone, the last first: c, b, a.",
        "1 subtask has no way to be undone; what it did stays: b.",
        "There is no way forward again.",
    ]
    assert [(one.name, one.after.word) for one in changes(found)[0]] == [
        ("c", "Rolled back"),
        ("b", "Nothing to undo"),
        ("a", "Rolled back"),
    ]


def test_a_cancel_tells_what_stops_and_what_runs_on() -> None:
    """Something that cannot be cancelled runs to its end."""
    story = Story.of(node("a"), node("b", can_cancel=False), node("c"))
    story.claim(1)
    story.claim(2)

    assert said(preview(story, "cancel")) == [
        "1 subtask is asked to stop: a.",
        "1 subtask runs to the end, for the plan says so: b.",
        "1 that was about to start does not.",
        "Nothing new starts. What is done stays done; it can be retried or rolled back later.",
    ]


def test_many_changes_are_cut() -> None:
    """The rest is counted."""
    story = Story.of(*(node(f"n{number}") for number in range(ROWS + 30)), concurrency=0)
    for number in range(1, ROWS + 31):
        story.claim(number)

    rows, left = changes(preview(story, "cancel"))

    assert (len(rows), left) == (ROWS, 30)


@pytest.mark.parametrize("situation", TASKS)
def test_every_lawful_command_can_be_told(situation: str) -> None:
    """In every situation of the life cycle there is at least one sentence; no name is missing from it."""
    story = TASKS[situation]()
    for word in allowed_on_task(story.now):
        text = said(preview(story, word))

        assert text, word
        assert not any(": ." in one or "  " in one for one in text)
