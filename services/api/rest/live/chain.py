"""A task's commits as callers see them, and which of them count. Knows no storage and no connection.

A commit that does not name its predecessor changed nothing (I3): it is shown, marked `ignored`. The rule is the one of
`shared.log.fold.apply`, followed without folding.
"""

from collections.abc import Mapping
from typing import Any

from services.api.rest.render import iso
from shared.log.port import Stored
from shared.messages.codec import Undecodable, decode, digest
from shared.messages.commit import Commit, Decision
from shared.task.events import TaskCreated

Entry = dict[str, Any]


class Chain:
    """Follows a task's commits from the first on. `labels` are the task's once its creation was seen."""

    def __init__(self, task_id: int) -> None:
        self.task_id = task_id
        self.head = ""
        self.labels: Mapping[str, str] = {}

    def take(self, body: bytes) -> bool:
        """Take the next message; return whether it counts: it is no copy, no stray, and can be read."""
        commit = read(self.task_id, body)
        return not isinstance(commit, Undecodable) and self._follow(commit, body)

    def of(self, stored: Stored) -> list[Entry]:
        """Take the next message and return what is shown of it."""
        commit = read(self.task_id, stored.body)
        if isinstance(commit, Undecodable):
            return [unreadable(stored, commit)]
        return shown(commit, stored.seq, ignored=not self._follow(commit, stored.body))

    def _follow(self, commit: Commit, body: bytes) -> bool:
        if commit.prev != self.head:
            return False
        if not self.head:
            events = commit.decisions[0].events
            first = events[0] if events else None
            if not isinstance(first, TaskCreated):
                return False
            self.labels = first.labels
        self.head = digest(body)
        return True


def read(task_id: int, body: bytes) -> Commit | Undecodable:
    """Return the commit, or why there is none: also one of another task than its subject says is none."""
    try:
        commit = decode(body)
    except Undecodable as problem:
        return problem
    if commit.task != task_id:
        return Undecodable("wrong_subject", f"a commit of task {commit.task} on the subject of task {task_id}")
    return commit


def entries(task_id: int, stored: Stored, *, ignored: bool) -> list[Entry]:
    """Return what is shown of a message of which it is known whether it counts."""
    commit = read(task_id, stored.body)
    if isinstance(commit, Undecodable):
        return [unreadable(stored, commit)]
    return shown(commit, stored.seq, ignored=ignored)


def unreadable(stored: Stored, problem: Undecodable) -> Entry:
    """Return what is shown of a message that holds no commit of this task."""
    error = {"kind": problem.reason, "message": "This commit cannot be read by this version."}
    return {"seq": stored.seq, "at": iso(stored.stored_at), "outcome": "unreadable", "events": [], "error": error}


def shown(commit: Commit, seq: int, *, ignored: bool) -> list[Entry]:
    """Return one entry for each decision."""
    made = [_entry(seq, decision) for decision in commit.decisions]
    return [{**entry, "outcome": "ignored", "was": entry["outcome"]} for entry in made] if ignored else made


def _entry(seq: int, decision: Decision) -> Entry:
    found: Entry = {
        "seq": seq,
        "at": iso(decision.at),
        "by": decision.by.model_dump(exclude_none=True),
        "decision": decision.id,
        "outcome": decision.outcome,
        "events": [event.model_dump(mode="json", exclude_none=True) for event in decision.events],
    }
    if decision.reason is not None:
        found["reason"] = decision.reason
    if decision.refusal is not None:
        found["refusal"] = decision.refusal.model_dump(mode="json", exclude_none=True)
    return found
