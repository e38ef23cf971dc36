"""Messages of the log to the new states of the tasks they touch: one `Batch` at a time. Knows no database.

States come from a bounded cache, else from folding the task's subject up to, not past, the batch. What cannot be read
is set aside with its reason and changes nothing but the task's position, exactly as in `shared.log.fold`; it stops
nobody (P10, F17). Nothing in the cache changes before `settle` says that the batch is in the database.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from services.api.projection.feed import Message
from services.api.projection.replay import Unfoldable, advance, audits, decode_for, read_task
from services.api.projection.sync_counts import Tally, tally
from services.api.projection.text import clean, indexed
from services.api.projection.view import SetAside
from shared.log.jetstream import JetStreamStorage
from shared.messages import subjects
from shared.messages.codec import Undecodable
from shared.messages.commit import Commit
from shared.task.ids import MAX_TASK_ID
from shared.task.state import Task

CPU_SLICE = 0.005
"""Seconds of folding after which other coroutines get their turn."""
READERS = 16
"""How many tasks are read back from the log at once."""


@dataclass(slots=True)
class Applied:
    """A commit that was folded. `task` is the task as it stands at the end of the batch."""

    seq: int
    task_id: int
    commit: Commit
    task: Task | None = None


@dataclass(slots=True)
class Batch:
    """What a run of messages brings about. `before` holds the states they found, `after` those they left."""

    seq: int = 0
    commit_id: str = ""
    before: dict[int, Task | None] = field(default_factory=dict)
    after: dict[int, Task | None] = field(default_factory=dict)
    applied: list[Applied] = field(default_factory=list)
    audited: list[Applied] = field(default_factory=list)
    """Those of `applied` that hold operators' decisions and are no copies."""
    synced: Tally = field(default_factory=dict)
    """What ends of synchronisations' children add."""
    set_aside: list[SetAside] = field(default_factory=list)


@dataclass(slots=True)
class _Letter:
    """A message with the task it is for; `commit` is None when it cannot be read."""

    message: Message
    task_id: int
    commit: Commit | None


class _Turn:
    """Lets other coroutines run after every slice of CPU time."""

    def __init__(self) -> None:
        self._until = monotonic() + CPU_SLICE

    @property
    def over(self) -> bool:
        return monotonic() > self._until

    async def give(self) -> None:
        await asyncio.sleep(0)
        self._until = monotonic() + CPU_SLICE


class Folder:
    """Folds batches. `cache_weight` bounds what is kept: 5 for a task and 1 for each subtask, about 1 kB each."""

    def __init__(self, storage: JetStreamStorage, *, cache_weight: int = 60_000) -> None:
        self._storage = storage
        self._cache: OrderedDict[int, Task | None] = OrderedDict()
        self._limit = cache_weight
        self._weight = 0
        self.cold_reads = 0

    async def fold(self, messages: Sequence[Message]) -> Batch:
        """Return what the messages, which follow the last batch, bring about. Raises `NotStored`."""
        batch = Batch(messages[-1].seq, clean(messages[-1].id))
        letters = await self._read(messages, batch)
        await self._prepare(letters, batch, messages[0].seq)
        while True:
            try:
                await _apply_all(letters, batch)
            except Unfoldable as problem:  # begin anew without it
                letter = next(letter for letter in letters if letter.message.seq == problem.seq)
                letter.commit = None
                batch.set_aside.append(put_aside(letter.message, "unfoldable", str(problem)))
            else:
                return batch

    def settle(self, batch: Batch) -> None:
        """Take the batch's states over: they are in the database."""
        for task_id, task in batch.after.items():
            self._weight += _weight(task) - (_weight(self._cache[task_id]) if task_id in self._cache else 0)
            self._cache[task_id] = task
            self._cache.move_to_end(task_id)
        while self._weight > self._limit and self._cache:
            _, task = self._cache.popitem(last=False)
            self._weight -= _weight(task)

    def forget(self, task_ids: Iterable[int] | None = None) -> None:
        """Drop these tasks, or all."""
        if task_ids is None:
            self._cache.clear()
            self._weight = 0
            return
        for task_id in task_ids:
            if task_id in self._cache:
                self._weight -= _weight(self._cache.pop(task_id))

    @staticmethod
    async def _read(messages: Sequence[Message], batch: Batch) -> list[_Letter]:
        letters: list[_Letter] = []
        turn = _Turn()
        for message in messages:
            task_id = subjects.task_of(message.subject)
            if task_id is None or task_id > MAX_TASK_ID or message.subject != subjects.task(task_id):
                batch.set_aside.append(put_aside(message, "wrong_subject", "the subject names no task"))
                continue
            commit = None
            try:
                commit = decode_for(task_id, message.body)
            except Undecodable as problem:
                batch.set_aside.append(put_aside(message, problem.reason, str(problem)))
            letters.append(_Letter(message, task_id, commit))
            if turn.over:
                await turn.give()
        return letters

    async def _prepare(self, letters: list[_Letter], batch: Batch, start: int) -> None:
        """Find the state each touched task had before the batch."""
        cold: list[int] = []
        for letter in letters:
            task_id = letter.task_id
            if task_id in batch.before:
                continue
            if task_id not in self._cache and not letter.message.first:
                cold.append(task_id)
            batch.before[task_id] = self._cache.get(task_id)
        gate = asyncio.Semaphore(READERS)

        async def load(task_id: int) -> None:
            async with gate:
                batch.before[task_id] = await read_task(self._storage, task_id, below=start)

        self.cold_reads += len(cold)
        await asyncio.gather(*(load(task_id) for task_id in cold))


async def _apply_all(letters: Sequence[_Letter], batch: Batch) -> None:
    batch.applied.clear()
    batch.audited.clear()
    batch.synced.clear()
    batch.after = {task_id: task and task.draft() for task_id, task in batch.before.items()}
    turn = _Turn()
    for letter in letters:
        message, task_id, commit = letter.message, letter.task_id, letter.commit
        task = batch.after[task_id]
        counts = audits(task, commit)
        if task is not None and task.parent is not None:
            tally(batch.synced, task, commit)
        task = batch.after[task_id] = advance(task, commit, message.seq, message.body)
        if commit is not None:
            applied = Applied(message.seq, task_id, commit)
            batch.applied.append(applied)
            if counts and task is not None:
                batch.audited.append(applied)
        if turn.over:
            await turn.give()
    for applied in batch.applied:
        applied.task = batch.after[applied.task_id]


def put_aside(message: Message, reason: str, what: str) -> SetAside:
    """Return the record of a message that cannot be used."""
    return SetAside(message.seq, indexed(message.subject), reason, clean(what[:500]), len(message.body))


def _weight(task: Task | None) -> int:
    return 1 if task is None else 5 + len(task.subtasks)
