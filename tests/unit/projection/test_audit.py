"""Decisions as rows of the audit: which, in what words, and fit for every database."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.api.projection.audit import COLUMNS, SAID, audit_rows, audited
from services.api.projection.text import utc
from shared.messages.commit import By, Commit, Decision, LenientCommit, LenientDecision, RefusalNote
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import (
    SubtaskCancelRequested,
    SubtaskRetried,
    SubtaskSkipped,
    TaskCancelRequested,
    TaskDeleted,
    TaskEvent,
    TaskRetried,
    TaskRollbackRequested,
    TaskSkipped,
    UnknownEvent,
)
from shared.task.state import Actor, Task

AT = datetime(2026, 1, 2, tzinfo=UTC)
ANA = By(kind="user", name="ana", via="rest")
WORKER = By(kind="executor", name="worker-1")


def task(**labels: str) -> Task:
    """A task with labels."""
    return decide(None, cmd.CreateTask(7, "T", "plan", Actor("user", "ana"), AT, labels=labels)).task


def rows(*decisions: Decision, of: Task | None = None) -> list[dict[str, Any]]:
    """The rows of one commit, by column."""
    commit = LenientCommit(task=7, decisions=tuple(LenientDecision(**dict(found)) for found in decisions))
    assert audited(commit) == any(decision.by.kind != "executor" for decision in decisions)
    return [dict(zip(COLUMNS, row, strict=True)) for row in audit_rows(41, commit, of or task(), utc)]


def accepted(event: Any, by: By = ANA, **more: Any) -> Decision:
    """A decision that took effect."""
    return LenientDecision(id="d", at=AT, by=by, events=(event,), **more)


def refused(by: By = ANA, **note: Any) -> Decision:
    """A decision that did not."""
    said = {"command": "retry", "kind": "illegal_state", "code": 4007, "message": "No.", **note}
    return Decision(id="d", at=AT, by=by, outcome="refused", refusal=RefusalNote(**said))


@pytest.mark.parametrize(
    ("event", "command", "subtask"),
    [
        (TaskRetried(turn=1), "retry", None),
        (TaskSkipped(turn=1), "skip", None),
        (TaskCancelRequested(turn=1), "cancel", None),
        (TaskRollbackRequested(turn=1), "rollback", None),
        (TaskDeleted(turn=1), "delete", None),
        (SubtaskRetried(turn=1, subtask=3), "subtask.retry", 3),
        (SubtaskSkipped(turn=1, subtask=3), "subtask.skip", 3),
        (SubtaskCancelRequested(turn=1, subtask=3), "subtask.cancel", 3),
        (UnknownEvent.model_validate({"type": "task.sung", "subtask": "high"}), "task.sung", None),
    ],
)
def test_the_first_event_says_which_command_it_was(event: TaskEvent, command: str, subtask: int | None) -> None:
    """Every command by its word; a newer program's by its event."""
    (row,) = rows(accepted(event, reason="because"))
    assert (row["command"], row["subtask"], row["outcome"]) == (command, subtask, "accepted")
    assert (row["seq"], row["n"], row["task_id"], row["at"]) == (41, 0, 7, AT)
    assert (row["actor_kind"], row["actor_name"], row["via"]) == ("user", "ana", "rest")
    assert (row["reason"], row["code"], row["message"], row["team"]) == ("because", None, None, None)


def test_a_creation_is_a_decision_too() -> None:
    """By the event that begins every task."""
    event = decide(None, cmd.CreateTask(7, "T", "plan", Actor("user", "ana"), AT)).events[0]
    assert (
        rows(accepted(event), of=task(team="red"))[0] | {"command": "create", "team": "red"}
        == rows(accepted(event), of=task(team="red"))[0]
    )


def test_a_refusal_says_its_command_and_why() -> None:
    """With its code; the subtask when the refusal names its number."""
    (row,) = rows(refused(command="subtask.skip", target={"subtask": 2, "state": "PENDING"}))
    assert (row["command"], row["subtask"], row["outcome"]) == ("subtask.skip", 2, "refused")
    assert (row["code"], row["message"], row["said"]) == (4007, "No.", "no.")


def test_what_executors_report_is_left_out_and_the_others_keep_their_places() -> None:
    """One commit may hold both; `n` is the place in the commit."""
    found = rows(accepted(TaskRetried(turn=1), by=WORKER), refused(), accepted(TaskDeleted(turn=1)))
    assert [(row["n"], row["command"]) for row in found] == [(1, "retry"), (2, "delete")]
    assert not audited(Commit(task=7, decisions=(accepted(TaskRetried(turn=1), by=WORKER),)))


def test_whatever_the_log_holds_is_made_fit() -> None:
    """NUL, endless texts, numbers beyond a column and empty words: nothing of it reaches a database."""
    bad = "\0" + "x" * 10_000
    by = By(kind=bad, name=bad, via=bad)
    note = {"command": "", "code": 10**12, "message": bad, "target": {"subtask": 2**40}}
    rows_ = rows(refused(by=by, **note), accepted(TaskRetried(turn=1), by=by, reason=bad), of=task(team=bad))
    for row in rows_:
        texts = [value for value in row.values() if isinstance(value, str)]
        assert not any("\0" in text for text in texts)
        assert all(len(row[name]) <= 300 for name in ("actor_kind", "actor_name", "via", "command", "team"))
    assert (rows_[0]["command"], rows_[0]["code"], rows_[0]["subtask"]) == ("unknown", 2**31 - 1, None)
    assert len(rows_[0]["message"]) == len(rows_[1]["reason"]) == SAID
    assert rows_[1]["said"].startswith("\ufffdxxx")
