"""A subtask's log in OCP's form: real clients split it on exactly the separator and show the newest run first."""

import json
import re
from datetime import UTC, datetime, timedelta

from services.api.rest.log_text import LogText
from shared.messages.commit import By, Decision
from shared.task import events as ev

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SEPARATOR = re.compile(r"([#]{12}{[\S]*}{[\S]*}[#]{12})")
"""As OCP's own page has it."""


def decision(*events: ev.TaskEvent, after: int = 0) -> Decision:
    """A decision so many seconds later."""
    return Decision(id="d", at=AT + timedelta(seconds=after), by=By(kind="executor", name="w"), events=events)


def started(generation: int = 1, attempt: int = 1, phase: str = "execute", subtask: int = 1) -> ev.SubtaskStarted:
    """A claim."""
    return ev.SubtaskStarted.model_validate(
        {
            "subtask": subtask,
            "generation": generation,
            "attempt": attempt,
            "phase": phase,
            "executor": "w",
            "incarnation": "i",
            "item": {"stamp": "s", "seq": 1},
        }
    )


def batch(text: str, generation: int = 1, attempt: int = 1, phase: str = "execute") -> bytes:
    """One line as an executor stores it."""
    head = {"v": 1, "generation": generation, "attempt": attempt, "phase": phase}
    return json.dumps({**head, "lines": [{"t": AT.timestamp() + 0.25, "l": "INFO", "m": text}]}).encode()


def failed(kind: str = "EXIT_CODE") -> ev.SubtaskFailed:
    """A failure."""
    return ev.SubtaskFailed(subtask=1, fence=1, problem=ev.Problem(kind=kind, message="exit\ncode 3"))


def heads(text: str) -> list[str]:
    """The operations of the separators, in order."""
    return [part.split("{")[1].rstrip("}") for part in SEPARATOR.findall(text)]


def test_a_run_has_its_separator_its_lines_and_its_end() -> None:
    """Separator, lines with time and level, and the state line that OCP writes."""
    log = LogText(7, 1)
    log.follow(decision(started()))
    log.follow(decision(ev.SubtaskSucceeded(subtask=1, fence=1), after=2))
    log.batches([batch("hello"), batch("world")])

    assert log.text().split("\n") == [
        "############{EXECUTE}{2026-11-20T12:00:00+00:00}############",
        "2026-11-20T12:00:00.250+00:00 INFO hello",
        "2026-11-20T12:00:00.250+00:00 INFO world",
        "Set state for subtask: 70001, operation:EXECUTE, state: SUCCESSFUL",
    ]


def test_each_run_says_what_it_was() -> None:
    """An execution, a retry by hand with its undo, an automatic retry, and a rollback."""
    log = LogText(7, 1)
    log.follow(decision(started()))
    log.follow(decision(failed()))
    log.follow(decision(ev.TaskRetried(turn=1)))
    log.follow(decision(started(2, 2, "undo")))
    log.follow(decision(ev.SubtaskUndone(subtask=1, fence=2)))
    log.follow(decision(started(2, 3)))
    problem = ev.Problem(kind="X", message="y")
    log.follow(decision(ev.SubtaskRetryScheduled(subtask=1, fence=3, problem=problem, retry_at=1.0)))
    log.follow(decision(started(2, 4)))
    log.follow(decision(ev.SubtaskSucceeded(subtask=1, fence=4)))
    log.follow(decision(ev.TaskRollbackRequested(turn=2)))
    log.follow(decision(started(3, 5, "undo")))
    log.batches([batch("one"), batch("undo", 2, 2, "undo"), batch("two", 2, 3), batch("three", 2, 4)])
    text = log.text()

    assert heads(text) == ["EXECUTE", "RETRY", "RETRY", "RETRY", "ROLLBACK"]
    parts = SEPARATOR.split(text)[2::2]
    assert [word for part in parts for word in ("one", "undo", "two", "three") if f"INFO {word}" in part] == [
        "one",
        "undo",
        "two",
        "three",
    ]
    assert "EXIT_CODE: exit code 3" in parts[0]
    assert "operation:EXECUTE, state: FAILED" in parts[0]
    assert "tried again by itself" in parts[2]


def test_a_skip_and_a_cancel_are_named() -> None:
    """A skip is a run of its own without lines; a cancelled run says CANCEL."""
    log = LogText(7, 1)
    log.follow(decision(started()))
    log.follow(decision(ev.SubtaskCancelRequested(turn=1, subtask=1)))
    log.follow(decision(ev.SubtaskCancelled(subtask=1, fence=1)))
    log.follow(decision(ev.TaskSkipped(turn=2)))
    assert heads(log.text()) == ["EXECUTE", "SKIP"]
    assert "operation:CANCEL, state: FAILED" in log.text()
    assert "operation:SKIP, state: SUCCESSFUL" in log.text()


def test_other_subtasks_leave_no_trace() -> None:
    """Events of a sibling, and a retry of the task that did not concern this subtask, change nothing."""
    log = LogText(7, 1)
    log.follow(decision(started(subtask=2)))
    log.follow(decision(ev.TaskRetried(turn=1)))
    log.follow(decision(started()))
    assert heads(log.text()) == ["EXECUTE"]


def test_lines_without_their_run_and_broken_batches_are_shown() -> None:
    """Lines are never hidden: a batch nobody can place comes last, one nobody can read is named."""
    log = LogText(7, 1)
    log.follow(decision(started()))
    log.batches([batch("late", 9, 9), b"{broken", b'{"v":1}'])
    assert log.text().split("\n")[1:] == [
        "2026-11-20T12:00:00.250+00:00 INFO late",
        "[7 bytes of log cannot be read]",
        "[7 bytes of log cannot be read]",
    ]


def test_nothing_yet_is_an_empty_text() -> None:
    """A subtask that never started has an empty log."""
    assert LogText(7, 1).text() == ""
