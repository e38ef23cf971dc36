"""One task from its creation to its end in this process: the real core and log, the real attempts, no servers.

Responsible for playing the executors: claiming what is READY, performing it, settling it, dying when a cue says so.
Refuses to know the rules (`shared.task`), what an attempt is (`services.executor.attempt`), and who looks on.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, cast

from opsledger.workbench.clock import Clock
from opsledger.workbench.cue import Cues
from opsledger.workbench.hand import Hand
from opsledger.workbench.stage import Staged
from opsledger.workbench.stall import Watch
from opsledger.workbench.stores import Line, MemoryLines, MemoryResults
from opsledger.workbench.targets import Targets
from services.executor.attempt import Tools, perform
from services.executor.catalog import Catalog
from services.executor.lease import Lease, Running, judge
from services.executor.operations.contract import ExecutorPolicy
from services.executor.planning import plan_commands
from shared.log.memory import MemoryStorage
from shared.log.port import Note, Transacted
from shared.log.transact import TaskLog
from shared.messages.codec import decode
from shared.messages.commit import By
from shared.queue.work_item import WorkItem
from shared.runtime.clock import commit_id
from shared.store.objects import Results
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import AnyEvent, Item
from shared.task.plan import Plan, PlannedSubtask, freeze
from shared.task.refusals import Refusal
from shared.task.state import Actor, SubtaskStatus, Task, TaskState

POOL = "default"
FOREVER = 7 * 86_400.0
"""AckWait on the workbench (s): nobody else is there to take over, and a poll takes no longer times."""
BY = By(kind="user", name="author", via="workbench")


def _nobody(*_: object) -> None:
    """Look on without a word."""


class Bench:
    """One task on the workbench."""

    def __init__(
        self,
        offers: Catalog,
        *,
        clock: Clock,
        files: Path,
        task_id: int = 1,
        policy: ExecutorPolicy | None = None,
        targets: Targets | None = None,
        heard: Callable[[Line], None] | None = None,
        told: Callable[[Task, AnyEvent], None] | None = None,
    ) -> None:
        self.task_id = task_id
        self.clock = clock
        self.files = files
        self.cues = Cues()
        self.targets = targets or Targets()
        self.results = MemoryResults()
        self.lines = MemoryLines(self._key_of, heard or _nobody)
        self.log = TaskLog(MemoryStorage())
        self._told = told or _nobody
        self._policy = policy or ExecutorPolicy()
        self._tools = Tools(
            catalog=offers,
            policy=self._policy,
            sink=self.lines,
            results=cast("Results", self.results),
            files=files,
            disclosing=self.targets.disclosing,
        )
        self._items, self._executors = count(1), count(1)
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._leases: dict[int, Lease] = {}
        self.watch = Watch(lambda: map(self._key_of, self._leases))

    @property
    def task(self) -> Task:
        """The task as its last commit left it. Raises `LookupError` before there is one."""
        task = self.log.cached(self.task_id)
        if task is None:
            raise LookupError("no task was created on this workbench yet")
        return task

    async def history(self) -> list[AnyEvent]:
        """Return all events of the log, in order."""
        stored = await self.log.history(self.task_id)
        return [event for one in stored for decision in decode(one.body).decisions for event in decision.events]

    async def create(
        self, kind: str, params: Mapping[str, Any], *, plan: Plan | None = None, labels: Mapping[str, str] | None = None
    ) -> None:
        """Create the task and give it its subtasks. Raises `PlanInvalid` when a plan of the caller's own is not fit."""
        nodes: tuple[PlannedSubtask, ...] = ()
        concurrency, fixed = 10, False
        if plan is not None:
            cards = {card.name: card for card in self._tools.catalog.operation_cards(POOL)}
            nodes = freeze(plan, cards, pool=POOL)
            concurrency, fixed = plan.concurrency, plan.prohibit_rollback
        actor = Actor(BY.kind, BY.name, BY.via)
        create = cmd.CreateTask(
            task_id=self.task_id,
            name=kind,
            task_type=kind,
            by=actor,
            at=self.clock.now(),
            params=dict(params),
            labels=dict(labels or {}),
            subtasks=nodes,
            concurrency=concurrency,
            prohibit_rollback=fixed,
        )
        await self._commit(BY, create)
        await self._plan()

    async def command(self, command: cmd.OperatorCommand) -> None:
        """Carry out an operator's command, without running what it made READY. Raises the core's `Refusal`."""
        await self._commit(BY, command)
        for number, lease in list(self._leases.items()):
            running = lease.running
            if running is not None and judge(running, self.task) == "cancel":
                self._leases[number].cancel(self._policy.cancel_grace)
        await self._plan()

    async def run(self) -> None:
        """Run until the task has ended, or until only time could move it on and the clock stands still."""
        watching = asyncio.create_task(self.watch.run())
        try:
            while not self.task.ended:
                due = self._begin()
                if self._busy:
                    await asyncio.wait(
                        self._busy.values(), timeout=self.clock.pause(due), return_when=asyncio.FIRST_COMPLETED
                    )
                    self._gather()
                elif due is None or not await self.clock.reach(due):
                    return
        finally:
            left = [watching, *self._busy.values()]
            for one in left:
                one.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            self._busy.clear()

    def _begin(self) -> float | None:
        """Begin what is READY; return when the first of those becomes due that wait for their retry time."""
        at, waiting = self.clock.now().timestamp(), []
        task = self.task
        for number in task.ready():
            retry_at = task.subtasks[number - 1].retry_at
            if number in self._busy:
                continue
            if retry_at is not None and retry_at > at:
                waiting.append(retry_at)
            else:
                self._busy[number] = asyncio.create_task(self._carry_out(number), name=f"subtask {number}")
        return min(waiting, default=None)

    def _gather(self) -> None:
        for number, attempt in list(self._busy.items()):
            if attempt.done():
                del self._busy[number]
                attempt.result()

    async def _plan(self) -> None:
        if self.task.state is TaskState.INITIALIZING:
            for part in await plan_commands(self.task, self._tools):
                await self._commit(BY, replace(part, at=self.clock.now()))

    async def _carry_out(self, number: int) -> None:
        """Claim and perform one subtask; when its executor dies, by another one, on the same item."""
        seq, delivery = next(self._items), 1
        while await self._attempt(number, Item(stamp="workbench", seq=seq, delivery=delivery)):
            delivery += 1

    async def _attempt(self, number: int, item: Item) -> bool:
        """Return whether the executor died over it."""
        name = f"workbench-{next(self._executors)}"
        by = By(kind="executor", name=name)
        try:
            claimed = await self._commit(by, cmd.Claim(number, cmd.Claimant(name, name, item), self.clock.now()))
        except Refusal:  # what made it READY was taken back meanwhile
            return False
        task = claimed.verdict.task if claimed.verdict is not None else claimed.task
        subtask = task.subtasks[number - 1]
        if subtask.status not in {SubtaskStatus.RUNNING, SubtaskStatus.CANCELING} or subtask.claim is None:
            return False  # taken over and ended at once: cancelled, or of unknown outcome
        lease = self._lease(number, item)
        running = lease.running = Running(number, claimed.seq)
        self._leases[number] = lease
        self.watch.begun(subtask.plan.key)
        result: cmd.Outcome | None = None
        try:
            result = await perform(
                self._staged(lease, subtask.plan),
                *(lease, running, task, subtask, subtask.claim.phase),
            )
        except asyncio.CancelledError:
            if not lease.fenced:
                raise
        finally:
            lease.running = None
            if lease.stopping is not None:
                lease.stopping.cancel()
            del self._leases[number]
        if result is None or lease.fenced:  # the dead report nothing, also when they heard nothing of their death
            return True
        await self._commit(by, cmd.Settle(number, running.fence, result, self.clock.now()))
        return False

    def _lease(self, number: int, item: Item) -> Lease:
        work = WorkItem(POOL, self.task_id, number, 1, item.delivery, 0)
        lease = Lease(Hand(work, item.stamp, item.seq, item.delivery), ack_wait=FOREVER)
        lease.chain = asyncio.current_task()
        return lease

    def _staged(self, lease: Lease, plan: PlannedSubtask) -> Tools:
        """The tools of one attempt: the operations it may need, with the cues of this run around them."""

        def crash() -> None:
            lease.fenced = True
            lease.children.kill_all()

        async def cancel() -> None:
            await self.command(cmd.CancelTask(self.clock.now()))

        known = self._tools.catalog.operations
        operations = {
            name: Staged(known[name], self.cues, crash=crash, cancel=cancel)
            for name in (plan.operation, plan.undo.operation if plan.undo is not None else plan.operation)
            if name in known
        }
        return replace(self._tools, catalog=Catalog(operations))

    async def _commit(self, by: By, *commands: cmd.Command) -> Transacted:
        at = commands[0].at
        done = await self.log.transact(self.task_id, lambda task: decide(task, *commands), Note(commit_id(), at, by))
        for event in done.verdict.events if done.verdict is not None else ():
            self._told(done.task, event)
        return done

    def _key_of(self, number: int) -> str:
        return self.task.subtasks[number - 1].plan.key
