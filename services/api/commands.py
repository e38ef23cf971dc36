"""The one place every command goes through, whichever door it came in by: REST, bus, bulk, console.

`Commands.perform` decides at once: it returns the new state or raises the refusal; `Commands.preview` decides the same
and stores nothing. Keys make commands idempotent for ever. Knows no HTTP.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Protocol

from services.api.access import within
from services.api.asked import Act, Asked, Create, Done, Preview
from services.api.creator import Creator
from services.api.keys import fingerprint
from shared.log.transact import TaskLog
from shared.queue.dispatch import due, put_all
from shared.queue.port import QueueUnavailable, WorkQueue
from shared.queue.work_item import WorkItem
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.task.decide import decide
from shared.task.refusals import Refusal, SubtaskNotFound, TaskNotFound
from shared.task.state import KeyUse, SubtaskStatus, Task

REMEMBERED = 1024
"""How many callers' last commits are remembered."""

log = get(__name__)


class Nudges(Protocol):
    """How executors are told to look at a task now."""

    async def nudge(self, incarnation: str, task_id: int) -> None:
        """Tell one; it may never arrive, and nothing is raised."""


class Commands:
    """Decides and commits commands. One per process."""

    def __init__(self, task_log: TaskLog, queue: WorkQueue, creator: Creator, nudges: Nudges) -> None:
        self._log = task_log
        self._queue = queue
        self._creator = creator
        self._nudges = nudges
        self._after: set[asyncio.Task[None]] = set()
        self._latest: OrderedDict[str, int] = OrderedDict()
        self.undispatched = 0

    @property
    def created(self) -> int:
        """How many tasks this process created."""
        return self._creator.created

    async def perform(self, command: Create | Act, asked: Asked) -> Done:
        """Carry a command out.

        Raises `Invalid` or a `Refusal` when it is not to be, `LogUnavailable`, `LogRefused`, `BucketUnavailable`,
        `IdsUnavailable` or `ResultsUnavailable` when the world is in the way.
        """
        match command:
            case Create():
                done = await self._creator.create(command, asked)
            case Act():
                done = await self._act(command, asked)
        self._remember(asked.name, done.seq)
        if not done.replayed:
            self._follow_up(done.task)
        return done

    def latest(self, name: str) -> int:
        """Return the log position of what this caller last did in this process, 0 for nothing: a list shows that."""
        return self._latest.get(name, 0)

    def _remember(self, name: str, seq: int) -> None:
        self._latest[name] = max(seq, self._latest.pop(name, 0))
        if len(self._latest) > REMEMBERED:
            self._latest.popitem(last=False)

    async def preview(self, command: Create | Act, asked: Asked) -> Preview:
        """Decide and store nothing. A refusal is part of the answer, unless there is nothing to decide on.

        Raises `Invalid`, `PlanInvalid`, `TaskNotFound` or `SubtaskNotFound`, and what `perform` raises when the world
        is in the way.
        """
        match command:
            case Create():
                return await self._creator.preview(command, asked)
            case Act():
                task = await self.seen(command.task_id, asked, fresh=True)
                try:
                    verdict = decide(task, replace(command.command, at=now()))
                except (TaskNotFound, SubtaskNotFound):
                    raise
                except Refusal as refusal:
                    return Preview(command.word, task, refusal=refusal)
                return Preview(command.word, task, verdict.task, verdict.events, sorted(verdict.task.changed))

    async def seen(self, task_id: int, asked: Asked, *, fresh: bool = False) -> Task:
        """Return a task that the caller may see. Raises `TaskNotFound`, also for one of another team."""
        task = await self._log.load(task_id, fresh=fresh)
        if task is None or not within(asked.teams, task.labels):
            raise TaskNotFound(f"The task {task_id} does not exist.")
        return task

    async def of_key(self, digest: str) -> int | None:
        """Return the id of the task that was created with a key, given as `keys.hashed` writes it, or None.

        It may not have been created after all. Raises `BucketUnavailable`.
        """
        return await self._creator.of_key(digest)

    async def close(self, seconds: float = 1.0) -> None:
        """Wait for dispatches that are under way; what is left is the rescuer's."""
        if self._after:
            await asyncio.wait(set(self._after), timeout=seconds)

    async def _act(self, act: Act, asked: Asked) -> Done:
        if asked.teams is not None:  # a task's labels never change
            await self.seen(act.task_id, asked)
        note = asked.note(fingerprint(act.word, act.body), act.word)
        command = replace(act.command, at=note.at)  # one time a decision: the fold knows no other
        found = await self._log.transact(act.task_id, lambda task: decide(task, command), note)
        if found.replayed is not None and not found.replayed.accepted:
            raise refusal_of(found.replayed)
        return Done(found.task, found.seq, found.replayed is not None)

    # ---- beside the answer: the commit counts, and the rescuer or a heartbeat repairs what fails here --------------

    def _follow_up(self, task: Task) -> None:
        if items := due(task):
            self._beside(self._dispatch(items))
        canceling = task.counts[SubtaskStatus.CANCELING] and [
            s.claim for s in task.subtasks if s.status is SubtaskStatus.CANCELING and s.claim is not None
        ]
        for incarnation in {claim.incarnation for claim in canceling or ()}:
            self._beside(self._nudges.nudge(incarnation, task.id))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.create_task(work)
        self._after.add(job)
        job.add_done_callback(self._after.discard)

    async def _dispatch(self, items: list[WorkItem]) -> None:
        try:
            await put_all(self._queue, items)
        except QueueUnavailable as problem:
            self.undispatched += 1
            log.warning("not queued; the rescuer will", task=items[0].task_id, items=len(items), why=str(problem))


def refusal_of(use: KeyUse) -> Refusal:
    """Return the refusal that a key's first use met."""
    kinds: list[type[Refusal]] = [Refusal]
    for kind in kinds:
        kinds += kind.__subclasses__()
    found = next((kind for kind in reversed(kinds) if kind.kind == use.kind and kind.code == use.code), Refusal)
    refusal = found.__new__(found)
    Refusal.__init__(refusal, use.message, target=use.target)
    return refusal
