"""Decisions of people and of the system as rows of `audit`: who wanted what of which task, why, and the answer.

Executors' claims and reports are in the log alone; they would double the rows. Pure: knows commits, no database.
"""

from collections.abc import Iterator
from typing import Any, Final

from services.api.projection.audit_table import audit
from services.api.projection.text import When, clean, indexed
from shared.messages.commit import Commit, Decision
from shared.task.events import AnyEvent
from shared.task.state import Task
from shared.task.words import TEAM

EXECUTOR: Final = "executor"
SAID: Final = 2_000
"""Characters kept of a reason, and of a message; whatever we write is shorter, the log keeps the rest."""
UNKNOWN: Final = "unknown"
WORDS: Final = {
    "task.created": "create",
    "task.retried": "retry",
    "task.skipped": "skip",
    "task.cancel_requested": "cancel",
    "task.rollback_requested": "rollback",
    "task.deleted": "delete",
    "subtask.retried": "subtask.retry",
    "subtask.skipped": "subtask.skip",
    "subtask.cancel_requested": "subtask.cancel",
}
"""Which command an accepted decision was, by its first event; a refused one says it itself."""
COLUMNS: Final = tuple(column.name for column in audit.columns)


def audited(commit: Commit) -> bool:
    """Whether the commit holds a decision that is audited."""
    for decision in commit.decisions:  # noqa: SIM110  asked of every commit: a generator would take twice as long
        if decision.by.kind != EXECUTOR:
            return True
    return False


def audit_rows(seq: int, commit: Commit, task: Task, when: When) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a commit at log position `seq`, columns in the table's order."""
    team = task.labels.get(TEAM)
    for place, decision in enumerate(commit.decisions):
        if decision.by.kind != EXECUTOR:
            yield (seq, place, task.id, *_said(decision, when), indexed(team) if team is not None else None)


def _said(decision: Decision, when: When) -> tuple[Any, ...]:
    by, refusal = decision.by, decision.refusal
    first: AnyEvent | None = decision.events[0] if decision.events else None
    if refusal is not None:
        command = refusal.command
    else:
        command = WORDS.get(first.type, first.type) if first is not None else UNKNOWN
    subtask = (refusal.target or {}).get("subtask") if refusal is not None else getattr(first, "subtask", None)
    reason, message = decision.reason, refusal.message if refusal is not None else None
    return (
        when(decision.at),
        indexed(by.kind),
        indexed(by.name),
        indexed(by.via) if by.via is not None else None,
        indexed(command) or UNKNOWN,
        subtask if type(subtask) is int and 0 < subtask < 2**31 else None,
        clean(reason[:SAID]) if reason is not None else None,
        decision.outcome,
        max(-(2**31), min(2**31 - 1, refusal.code)) if refusal is not None else None,
        clean(message[:SAID]) if message is not None else None,
        spoken(reason, message),
    )


def spoken(*texts: str | None) -> str | None:
    """Return the texts as they are searched, None when there is none."""
    found = "\n".join(clean(text[:SAID]).casefold() for text in texts if text)
    return found or None
