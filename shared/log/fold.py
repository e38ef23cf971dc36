"""The fold over commits: bytes of the log to the state of a task. Total: what cannot be read is skipped and counted."""

from collections.abc import Iterable

from shared.log.port import Stored
from shared.messages.codec import Undecodable, decode, digest
from shared.messages.commit import Commit, Decision
from shared.task.events import TaskCreated
from shared.task.evolve import create, evolve, seal
from shared.task.state import KeyUse, Task


def apply(task: Task | None, commit: Commit, seq: int, head: str) -> Task | None:
    """Apply a commit to a draft in place, or begin a task with it; return the task.

    A commit that does not name the task's head as its predecessor is a copy or a stray: it changes nothing (I3).
    """
    if task is not None and commit.prev != task.head:
        task.ignored += 1
        task.seq = seq
        return task
    changed = False
    for decision in commit.decisions:
        events = decision.events
        changed = changed or bool(events)
        if task is None:
            first = events[0] if events else None
            if not isinstance(first, TaskCreated) or commit.prev:
                return None
            task = create(commit.task, first, decision.by.actor(), decision.at)
            events = events[1:]
        for event in events:
            evolve(task, event, decision.at)
        if decision.key is not None:
            remember(task, decision, seq)
    if task is not None:
        seal(task, seq, head, changed=changed)
    return task


def remember(task: Task, decision: Decision, seq: int) -> None:
    """Keep the use of an idempotency key, so that a repeat gets the first answer for ever (P2)."""
    if decision.key is None or decision.key in task.keys:
        return
    note = decision.refusal
    use = KeyUse(
        body_hash=decision.body_hash or "",
        decision=decision.id,
        accepted=decision.outcome == "accepted",
        code=note.code if note else 0,
        seq=seq,
        message=note.message if note else "",
        kind=note.kind if note else "",
        target=note.target if note else None,
    )
    task.keys = {**task.keys, decision.key: use}


def fold(
    messages: Iterable[Stored], task: Task | None = None, *, task_id: int | None = None
) -> tuple[Task | None, int]:
    """Fold messages of one task onto `task` without changing it; return the new state and the last sequence read.

    `task_id`: whose subject they come from; a commit of another task that strayed there is skipped.
    """
    draft = task.draft() if task is not None else None
    seq = task.seq if task is not None else 0
    for message in messages:
        seq = message.seq
        try:
            commit = decode(message.body)
        except Undecodable:
            commit = None
        if commit is None or (task_id is not None and commit.task != task_id):
            if draft is not None:
                draft.ignored += 1
                draft.seq = seq
            continue
        draft = apply(draft, commit, message.seq, digest(message.body))
    return draft, seq


def too_new(messages: Iterable[Stored]) -> bool:
    """Whether one of the messages is a commit of a version that this program cannot read."""
    for message in messages:
        try:
            decode(message.body)
        except Undecodable as problem:
            if problem.reason == "newer_version":
                return True
    return False
