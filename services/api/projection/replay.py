"""One task, message by message: how a commit changes its state, and its whole subject folded. Knows no batch.

What cannot be read, or makes the fold fail, changes nothing but the task's position (P10, F17).
"""

from collections.abc import Collection, Sequence

from services.api.projection.audit import audited
from services.api.projection.sync_counts import Tally, merge, tally
from shared.log.fold import apply
from shared.log.jetstream import JetStreamStorage
from shared.log.port import Stored
from shared.messages.codec import Undecodable, decode, digest
from shared.messages.commit import Commit
from shared.task.state import Task


class Unfoldable(Exception):  # noqa: N818  a fact about the message
    """A commit that can be read but makes the fold fail: a fault of ours, which must not stop the others."""

    def __init__(self, seq: int, message: str) -> None:
        super().__init__(message)
        self.seq = seq


def advance(task: Task | None, commit: Commit | None, seq: int, body: bytes) -> Task | None:
    """Apply a commit to a draft, or note a message that cannot be read (None). Raises `Unfoldable`."""
    if commit is None:
        if task is not None:
            task.ignored += 1
            task.seq = seq
        return task
    try:
        return apply(task, commit, seq, digest(body))
    except Exception as error:
        raise Unfoldable(seq, f"{type(error).__name__}: {error}") from error


def audits(task: Task | None, commit: Commit | None) -> bool:
    """Whether the commit, once applied to the task, belongs to the audit; a copy or a stray changes nothing."""
    return commit is not None and audited(commit) and commit.prev == (task.head if task is not None else "")


def decode_for(task_id: int, body: bytes) -> Commit:
    """Return the commit; raise `Undecodable` also when it is another task's than its subject says."""
    commit = decode(body)
    if commit.task != task_id:
        raise Undecodable("wrong_subject", f"a commit of task {commit.task} on the subject of task {task_id}")
    return commit


async def read_task(
    storage: JetStreamStorage,
    task_id: int,
    *,
    below: int,
    kept: list[tuple[int, Commit]] | None = None,
    synced: Tally | None = None,
) -> Task | None:
    """Return the task as the messages before sequence `below` make it, by folding its subject. Raises `NotStored`.

    `kept` takes the audited commits with their log positions; what the task adds to counts is added to `synced`.
    """
    messages = [message for message in await storage.read(task_id) if message.seq < below]
    skipped: set[int] = set()
    while True:
        mine: Tally = {}
        try:
            task = _replayed(task_id, messages, skipped, kept if kept is not None else [], mine)
        except Unfoldable as problem:
            skipped.add(problem.seq)
        else:
            if synced is not None:
                merge(synced, mine)
            return task


def _replayed(
    task_id: int,
    messages: Sequence[Stored],
    skipped: Collection[int],
    kept: list[tuple[int, Commit]],
    synced: Tally,
) -> Task | None:
    kept.clear()
    task: Task | None = None
    for message in messages:
        commit = _legible(task_id, message, skipped)
        counts = audits(task, commit)
        tally(synced, task, commit)
        task = advance(task, commit, message.seq, message.body)
        if counts and task is not None and commit is not None:
            kept.append((message.seq, commit))
    return task


def _legible(task_id: int, message: Stored, skipped: Collection[int]) -> Commit | None:
    if message.seq in skipped:
        return None
    try:
        return decode_for(task_id, message.body)
    except Undecodable:
        return None
