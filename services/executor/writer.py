"""What an executor writes: decisions on the log while its lease is good, and items for what they made READY.

Knows who this executor is and what it counts. Refuses to know what is to be claimed and what is being run.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from services.executor.lease import Lease
from shared.log.port import Note, Transacted
from shared.log.transact import TaskLog
from shared.messages.commit import By
from shared.queue.dispatch import due, put_all
from shared.queue.port import QueueUnavailable, WorkQueue
from shared.runtime.clock import commit_id
from shared.runtime.logging import get
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Item
from shared.task.state import Task

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Self:
    """Who this executor is: one incarnation per process start."""

    incarnation: str
    name: str
    pools: frozenset[str]
    operations: frozenset[str]


@dataclass(slots=True)
class Counters:
    """What happened since the start."""

    attempts: int = 0
    stale: int = 0
    takeovers: int = 0
    fenced: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A claim of ours: the task as the claim's commit left it, the subtask's number and the fence."""

    task: Task
    number: int
    fence: int


class Writer:
    """Writes for all chains of one executor process."""

    def __init__(self, me: Self, task_log: TaskLog, queue: WorkQueue) -> None:
        self.me = me
        self.counters = Counters()
        self.log = task_log
        self._queue = queue
        self._by = By(kind="executor", name=me.name)
        self._dispatches: set[asyncio.Task[None]] = set()

    def claimant(self, lease: Lease) -> cmd.Claimant:
        """Return who claims: this executor, on the lease's item as it was handed out this time."""
        item = Item(stamp=lease.delivery.stamp, seq=lease.delivery.seq, delivery=lease.delivery.delivered)
        return cmd.Claimant(self.me.incarnation, self.me.name, item)

    async def transact(self, lease: Lease, *commands: cmd.ExecutorCommand) -> Transacted:
        """Commit commands as one decision, trying while the lease is good. They share one time: the decision's.

        A commit does not renew the lease: it says that the claim is ours, and to the queue it says nothing (T11).
        """
        return await self.log.transact(
            lease.delivery.item.task_id,
            lambda task: decide(task, *commands),
            self.note(commands[0].at),
            patience=max(0.5, lease.left),
        )

    def note(self, at: datetime) -> Note:
        """Return what a decision of this executor says besides its events."""
        return Note(commit_id(), at, self._by)

    def proceed(self, lease: Lease, result: Transacted) -> Held | None:
        """Queue what a decision made READY; return the claim it made, if any."""
        verdict = result.verdict
        if verdict is None:
            return None
        self._dispatch_soon(lease, result.task, verdict.ready)
        for number in verdict.claimed:
            claim = verdict.task.subtasks[number - 1].claim
            if claim is not None:
                return Held(verdict.task, number, result.seq)
        return None

    def dispatch_all(self, lease: Lease) -> None:
        """Whoever takes over queues everything that is READY: a crash may lie between a commit and its dispatch."""
        task = self.log.cached(lease.delivery.item.task_id)
        if task is not None:
            self._dispatch_soon(lease, task, task.ready())

    def _dispatch_soon(self, lease: Lease, task: Task, numbers: list[int]) -> None:
        """Dispatch while the chain goes on; the item is acknowledged only after it is done."""
        if not numbers:
            return
        dispatch = asyncio.create_task(self._dispatch(task, numbers))
        self._dispatches.add(dispatch)  # also when the chain is dropped
        dispatch.add_done_callback(self._dispatches.discard)
        lease.dispatches.append(dispatch)

    async def _dispatch(self, task: Task, numbers: list[int]) -> None:
        try:
            await put_all(self._queue, due(task, numbers))
        except QueueUnavailable as problem:
            log.warning("not dispatched; the rescuer will", task=task.id, subtasks=len(numbers), why=str(problem))
