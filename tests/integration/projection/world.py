"""What projection tests act on: a log with real commits, a migrated database, projectors that run beside the test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.projection.projector import Projector
from services.api.projection.reads import Reads
from services.api.projection.verify import Verified, verify
from shared.log.jetstream import JetStreamStorage
from shared.log.port import Note, Transacted
from shared.log.transact import TaskLog
from shared.messages import headers, subjects
from shared.messages.commit import By
from shared.runtime.clock import commit_id, now
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Item, ObjectRef, Problem
from shared.task.plan import Abilities, OperationCard, Plan, PlannedSubtask, RetryPolicy, SubtaskPlan, freeze
from shared.task.state import Actor
from tests.support.eventually import eventually

ANA = Actor("user", "ana", "rest")
WORKER = Actor("executor", "executor-1@host")
CARD = OperationCard(name="noop", abilities=Abilities(undo=True))
WHO = cmd.Claimant("incarnation-1", "executor-1@host", Item(stamp="work-1", seq=1))


def chain(length: int = 3, *, retries: int = 0) -> tuple[PlannedSubtask, ...]:
    """A frozen plan in which each subtask follows the one before."""
    nodes = [
        SubtaskPlan(
            key=f"s{place}",
            name=f"Step {place}",
            operation="noop",
            params={"place": place},
            upstreams=[f"s{place - 1}"] if place > 1 else [],
            retry=RetryPolicy(times=retries, delay_seconds=60) if retries else None,
        )
        for place in range(1, length + 1)
    ]
    return freeze(Plan(subtasks=nodes), {"noop": CARD})


@dataclass
class World:
    """One log and one view."""

    client: Client
    storage: JetStreamStorage
    engine: AsyncEngine
    database_url: str
    log: TaskLog = field(init=False)
    reads: Reads = field(init=False)
    last: int = 0
    """Sequence of the last commit made here."""

    def __post_init__(self) -> None:
        self.log = TaskLog(self.storage)
        self.reads = Reads(self.engine)

    async def decide(self, task_id: int, *commands: cmd.Command, by: Actor = ANA, new: bool = False) -> Transacted:
        """Commit one decision."""
        note = Note(id=commit_id(), at=now(), by=By.of(by))
        done = await self.log.transact(task_id, lambda task: decide(task, *commands), note, new=new)
        self.last = max(self.last, done.seq)
        return done

    async def create(
        self,
        task_id: int,
        *,
        name: str | None = None,
        task_type: str = "plan",
        subtasks: tuple[PlannedSubtask, ...] | None = None,
        about: ObjectRef | None = None,
        labels: dict[str, str] | None = None,
        by: Actor = ANA,
        parent: int | None = None,
    ) -> Transacted:
        """Commit a task with a plan, a chain of three unless told."""
        command = cmd.CreateTask(
            task_id,
            name or f"Task {task_id}",
            task_type,
            by,
            now(),
            params={"size": task_id},
            object=about,
            labels=labels or {},
            parent=parent,
            subtasks=chain() if subtasks is None else subtasks,
        )
        return await self.decide(task_id, command, by=by, new=True)

    async def claim(self, task_id: int, number: int) -> int:
        """Commit a claim; return its fence."""
        return (await self.decide(task_id, cmd.Claim(number, WHO, now()), by=WORKER)).seq

    async def settle(self, task_id: int, number: int, fence: int, outcome: cmd.Outcome | None = None) -> None:
        """Commit how a claimed subtask ended, well unless told."""
        done = outcome or cmd.Succeeded({"n": number})
        await self.decide(task_id, cmd.Settle(number, fence, done, now()), by=WORKER)

    async def step(self, task_id: int, number: int, outcome: cmd.Outcome | None = None) -> None:
        """Claim a subtask and end it."""
        await self.settle(task_id, number, await self.claim(task_id, number), outcome)

    async def finish(self, task_id: int, *, name: str | None = None) -> None:
        """Commit a whole task of three that goes well."""
        await self.create(task_id, name=name)
        for number in (1, 2, 3):
            await self.step(task_id, number)

    async def fail(self, task_id: int) -> None:
        """Commit a task whose second subtask fails."""
        await self.create(task_id)
        await self.step(task_id, 1)
        await self.step(task_id, 2, cmd.Failed(Problem(kind="BROKEN", message="It broke.")))

    async def raw(self, subject: str, body: bytes, **more: str) -> int:
        """Publish any bytes into the log; return their sequence."""
        found = headers.of_commit(commit_id(), 0, 0)
        del found[headers.EXPECTED]
        ack = await self.client.jetstream().publish(subject, body, headers=found | more)
        self.last = max(self.last, ack.seq)
        return ack.seq

    async def seen(self, seq: int | None = None, *, timeout: float = 10.0) -> None:
        """Wait until the database holds the log up to `seq`, the last commit made here unless told."""
        wanted = self.last if seq is None else seq

        async def there() -> bool:
            found = await self.reads.checkpoint()
            return found is not None and found.seq >= wanted

        await eventually(there, timeout=timeout, what=f"the view holds {wanted}")

    async def reconnected(self, before: int) -> None:
        """Wait until the connection was made anew since `stats["reconnects"]` was `before`."""
        await eventually(lambda: self.client.is_connected and self.client.stats["reconnects"] > before)

    async def verified(self) -> Verified:
        """Compare view and log, which must agree."""
        found = await verify(self.storage, self.engine)
        assert found.differences == []
        return found

    def projector(self, *, batch: int = 512, heartbeat: float = 0.2) -> Projector:
        """A projector on this log and this view."""
        return Projector(self.storage, self.engine, batch=batch, heartbeat=heartbeat)


@contextlib.asynccontextmanager
async def running(*projectors: Projector) -> AsyncIterator[Sequence[Projector]]:
    """Run projectors for as long as the block lasts; what ends one early comes out of the block."""
    tasks = [asyncio.create_task(projector.run()) for projector in projectors]
    try:
        yield projectors
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def subject(task_id: int) -> str:
    """The log subject of a task."""
    return subjects.task(task_id)
