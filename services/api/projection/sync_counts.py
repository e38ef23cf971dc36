"""What ends of attempts say about objects: a tally by standing task, five minutes and kind. Pure; knows no database.

An operation of a child says in its output, or in its problem's detail, what this one end newly adds:
`"sync": {"requested", "synced", "failed", "ignored", "bytes"}`. The decision's time says when.
Counted is a task whose parameters name its parent under `of`, where the creator alone puts it.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from services.api.creation import OF
from services.api.projection.sync_table import BUCKET_SECONDS
from services.api.projection.text import integer
from shared.messages.commit import Commit
from shared.task.events import AnyEvent, SubtaskFailed, SubtaskRetryScheduled, SubtaskSucceeded
from shared.task.state import Task

KINDS: Final = {"REQUEST": "requested", "SUCCESS": "synced", "FAILURE": "failed", "SKIP": "ignored", "SIZE": "bytes"}
"""Each `data_type` with the word that says it."""
MOST: Final = 2**53
"""What one end adds at most; more is nonsense and counts as nothing."""

Tally = dict[tuple[int, int, str], int]
"""From (standing task, beginning of the five minutes, kind) to how much."""


def tally(into: Tally, task: Task | None, commit: Commit | None) -> None:
    """Add what a commit says that is about to be applied to `task`; a copy or a stray says nothing."""
    if task is None or task.parent is None or commit is None or commit.prev != task.head or not _adopted(task):
        return
    for at, event in _ends(commit):
        if _fits(task, event):
            for kind, number in _said(event):
                key = (integer(task.parent), bucket(at), kind)
                into[key] = into.get(key, 0) + number


def bucket(at: datetime) -> int:
    """Return the beginning of the five minutes in which `at` lies, in seconds since 1970."""
    return int(at.timestamp() // BUCKET_SECONDS) * BUCKET_SECONDS


def merge(into: Tally, more: Tally) -> None:
    """Add one tally to another."""
    for key, number in more.items():
        into[key] = into.get(key, 0) + number


def differences(log: Tally, rows: Tally) -> Iterable[tuple[int, str]]:
    """Yield (task, what) where the two differ, one place a task."""
    told: set[int] = set()
    for key in sorted(log.keys() | rows.keys()):
        if log.get(key, 0) != rows.get(key, 0) and key[0] not in told:
            told.add(key[0])
            yield key[0], f"sync count {key[2]} at {key[1]}: log {log.get(key, 0)}, row {rows.get(key, 0)}"


def _adopted(task: Task) -> bool:
    of = task.params.get(OF)
    return isinstance(of, dict) and of.get("task") == task.parent


End = SubtaskSucceeded | SubtaskFailed | SubtaskRetryScheduled


def _ends(commit: Commit) -> Iterator[tuple[datetime, End]]:
    for decision in commit.decisions:
        for event in decision.events:
            if _is_end(event):
                yield decision.at, event  # type: ignore[misc]  # it was looked at


def _is_end(event: AnyEvent) -> bool:
    return isinstance(event, SubtaskSucceeded | SubtaskFailed | SubtaskRetryScheduled)


def _fits(task: Task, event: End) -> bool:
    """Whether the event ends the claim that is held: what `evolve` asks, before the commit is applied.

    A claim is settled in a later commit than the one that made it, so the state before the commit knows it.
    """
    found = task.find(event.subtask)
    claim = found.claim if found is not None else None
    return claim is not None and claim.fence == event.fence


def _said(event: End) -> Iterator[tuple[str, int]]:
    said: Any = event.output if isinstance(event, SubtaskSucceeded) else event.problem.detail
    counts = said.get("sync") if isinstance(said, dict) else None
    if isinstance(counts, dict):
        for kind, word in KINDS.items():
            number = counts.get(word)
            if type(number) is int and 0 < number <= MOST:
                yield kind, number
