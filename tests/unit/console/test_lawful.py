"""Why a command is not lawful: there is a reason exactly when it is not."""

import pytest

from services.api.asked import SUBTASK_WORDS, TASK_WORDS
from services.api.console.lawful import why_not, why_not_subtask
from shared.task.allowed import allowed_on_subtask, allowed_on_task
from tests.unit.task.situations import SUBTASKS, TASKS


@pytest.mark.parametrize("situation", TASKS)
@pytest.mark.parametrize("word", TASK_WORDS)
def test_a_task_has_a_reason_for_every_greyed_button(situation: str, word: str) -> None:
    """In every situation of the life cycle, and none where the command is lawful."""
    task = TASKS[situation]().now

    reason = why_not(task, word)

    assert (reason == "") is (word in allowed_on_task(task))
    assert reason == "" or reason.endswith(".")


@pytest.mark.parametrize("situation", SUBTASKS)
@pytest.mark.parametrize("word", SUBTASK_WORDS)
def test_a_subtask_has_a_reason_for_every_greyed_button(situation: str, word: str) -> None:
    """Likewise."""
    make, number = SUBTASKS[situation]
    story = make()

    reason = why_not_subtask(story.now, story[number], word)

    assert (reason == "") is (word in allowed_on_subtask(story.now, story[number]))
    assert reason == "" or reason.endswith(".")


@pytest.mark.parametrize(
    ("situation", "word", "reason"),
    [
        ("something runs", "retry", "It is under way: wait until it is at rest, or cancel it first."),
        ("is being cancelled", "rollback", "It is being cancelled: wait until what runs has stopped."),
        ("everything is done", "cancel", "It has ended: nothing is left to cancel."),
        ("something failed that cannot be retried", "retry", "a cannot be retried: its plan says so."),
        ("something failed that cannot be skipped", "skip", "a cannot be skipped: its plan says so."),
        ("something failed that prohibits rollback", "rollback", "The subtask a prohibits rollback."),
        ("cancelled while nothing ran", "skip", "Nothing of it has failed."),
        ("rolled back", "retry", "It was rolled back: nothing of it is left."),
        (
            "a step of the rollback failed",
            "retry",
            "It was being rolled back, and there is no way forward again: roll back again.",
        ),
        ("something runs", "delete", "Only what has ended can be deleted: cancel it first."),
        ("standing, stopped", "rollback", "It has no subtasks: nothing of it can be undone."),
        ("deleted", "retry", "The task was deleted."),
    ],
)
def test_the_reason_says_what_stands_in_the_way(situation: str, word: str, reason: str) -> None:
    """And what to do about it, where something can be done."""
    assert why_not(TASKS[situation]().now, word) == reason
