"""The transition table, both ways: what it allows is accepted, what it does not allow is refused (I12)."""

from typing import Any

import pytest

from shared.task import commands as cmd
from shared.task.allowed import allowed_on_subtask, allowed_on_task
from shared.task.refusals import IllegalState, NotSkippable, Refusal, RollbackProhibited
from tests.unit.task.given import START
from tests.unit.task.situations import SUBTASKS, TASKS

ON_TASK: dict[str, Any] = {
    "retry": cmd.RetryTask,
    "skip": cmd.SkipTask,
    "cancel": cmd.CancelTask,
    "rollback": cmd.RollBackTask,
    "delete": cmd.DeleteTask,
}
REFUSALS: set[tuple[type[Refusal], int]] = {(IllegalState, 4007), (RollbackProhibited, 4009), (NotSkippable, 4010)}
"""The codes are OCP's (specification §2.4)."""
ON_SUBTASK: dict[str, Any] = {"retry": cmd.RetrySubtask, "skip": cmd.SkipSubtask, "cancel": cmd.CancelSubtask}


@pytest.mark.parametrize("word", ON_TASK)
@pytest.mark.parametrize("situation", TASKS)
def test_a_command_on_a_task_follows_the_table(situation: str, word: str) -> None:
    """Accepted exactly when `allowed_on_task` names it; a refusal names what is allowed instead."""
    story = TASKS[situation]()
    allowed = allowed_on_task(story.now)
    command = ON_TASK[word](START)
    if word in allowed:
        assert story.do(command).events
        assert story.now.turn > 0
    else:
        refusal = story.refused(command)
        now = {"state": story.now.state.value, "operation": story.now.operation.value, "allowed": allowed}
        assert refusal.target == now
        assert (type(refusal), refusal.code) in REFUSALS


@pytest.mark.parametrize("word", ON_SUBTASK)
@pytest.mark.parametrize("situation", SUBTASKS)
def test_a_command_on_a_subtask_follows_the_table(situation: str, word: str) -> None:
    """Accepted exactly when `allowed_on_subtask` names it; a refusal names what is allowed instead."""
    build, number = SUBTASKS[situation]
    story = build()
    allowed = allowed_on_subtask(story.now, story[number])
    command = ON_SUBTASK[word](START, number=number)
    if word in allowed:
        assert story.do(command).events
    else:
        refusal = story.refused(command)
        subtask = story[number]
        now = {"state": subtask.status.value, "operation": subtask.operation.value, "allowed": allowed}
        assert refusal.target == now
        assert (type(refusal), refusal.code) in REFUSALS


@pytest.mark.parametrize(
    ("situation", "word", "kind"),
    [
        ("something failed that prohibits rollback", "rollback", "rollback_prohibited"),
        ("something failed that cannot be skipped", "skip", "not_skippable"),
        ("something runs", "rollback", "illegal_state"),
        ("everything is done", "skip", "illegal_state"),
    ],
)
def test_refusals_say_which_rule_it_was(situation: str, word: str, kind: str) -> None:
    """OCP has codes of their own for a prohibited rollback and for what cannot be skipped (specification §2.4)."""
    refusal = TASKS[situation]().refused(ON_TASK[word](START))
    assert isinstance(refusal, Refusal)
    assert refusal.kind == kind


@pytest.mark.parametrize("word", ON_SUBTASK)
def test_a_subtask_that_is_not_there(word: str) -> None:
    """Numbers run from 1 to the size of the plan."""
    for number in (0, -1, 3):
        assert TASKS["something runs"]().refused(ON_SUBTASK[word](START, number=number)).code == 4001
