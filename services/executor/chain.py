"""Run one task as far as this executor can, claim by claim, on one work item.

The result of an attempt is committed together with the claim of the next READY subtask that this executor can run;
the other READY ones are dispatched. The item is acknowledged after the last commit was accepted, and never by a chain
that lost its claim (T10).
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from services.executor import attempt, outcome
from services.executor.attempt import Tools
from services.executor.choice import Choice, NotOffered, same_item
from services.executor.lease import Lease, Running
from services.executor.owners import Owners
from services.executor.planning import plan_commands
from shared.log.port import LogUnavailable, Note, Transacted
from shared.log.transact import TaskLog
from shared.messages.commit import By
from shared.queue.dispatch import due, put_all
from shared.queue.port import QueueUnavailable, WorkQueue
from shared.runtime.clock import commit_id, now
from shared.runtime.failpoint import hit
from shared.runtime.logging import get
from shared.store.objects import ResultsUnavailable
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Item
from shared.task.refusals import ClaimedElsewhere, NotYet, Refusal, StaleFence
from shared.task.state import Task, TaskState

NOT_MINE_DELAY = 5.0
NOBODY_OFFERS_AFTER = 60.0
"""How long (s) a READY subtask may wait for anybody to offer its operation before it fails with that cause."""

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


class Chains:
    """Runs chains. One per executor process."""

    def __init__(self, me: Self, task_log: TaskLog, queue: WorkQueue, tools: Tools, owners: Owners) -> None:
        self.me = me
        self.counters = Counters()
        self.draining = False
        self._log = task_log
        self._queue = queue
        self._tools = tools
        self._owners = owners
        self._by = By(kind="executor", name=me.name)
        self._dispatches: set[asyncio.Task[None]] = set()

    async def run(self, lease: Lease) -> None:
        """Run the chain of one delivery to its end: ack, nak, or silence when the lease was lost."""
        pending: list[asyncio.Task[None]] = []
        try:
            held = await self._begin(lease, pending)
            while held is not None and not lease.fenced:
                held = await self._step(lease, held, pending)
            if pending:
                await asyncio.gather(*pending)
            if not lease.fenced:
                hit("executor.before_ack")
                await lease.delivery.ack()
        except _Elsewhere as later:
            if later.delay is not None:
                await lease.delivery.nak(later.delay)
        except (StaleFence, LogUnavailable) as problem:
            self.counters.stale += isinstance(problem, StaleFence)
            log.warning("chain dropped", task=lease.delivery.item.task_id, why=str(problem))
        except asyncio.CancelledError:
            if not lease.fenced:
                raise
            self.counters.fenced += 1
        except Exception:  # our own fault: say so, give the item back after a while
            log.exception("chain failed", task=lease.delivery.item.task_id, item=lease.delivery.item.subject)
            await lease.delivery.nak(NOT_MINE_DELAY)

    # ---- begin ----------------------------------------------------------------------------------------------

    async def _begin(self, lease: Lease, pending: list[asyncio.Task[None]]) -> Held | None:
        delivery = lease.delivery
        item = delivery.item
        claimant = self._claimant(lease)
        gone: int | None = None
        hit("executor.before_claim")
        while True:
            at = now()
            choose = Choice(self.me.operations, self.me.pools, claimant, item.subtask, gone, at)
            try:
                if item.subtask == 0:
                    await self._prepare_plan(lease, choose)
                result = await self._log.transact(
                    item.task_id,
                    choose,
                    self._note(at),
                    at_least=item.after,
                    fresh=delivery.delivered > 1,
                    patience=max(1.0, lease.left),
                )
            except ClaimedElsewhere as refusal:
                if gone is None and await self._owners.gone(refusal.incarnation, item.task_id, refusal.fence):
                    gone = refusal.fence
                    continue
                return await self._leave(refusal, claimant.item, item.task_id, pending)
            except NotYet as refusal:
                raise _Elsewhere(max(0.05, float(refusal.target["retryAt"]) - now().timestamp())) from None
            except NotOffered as refusal:
                return await self._not_mine(lease, refusal, pending)
            except Refusal:  # nothing to claim, and the leader confirmed it
                self._dispatch_all(item.task_id, pending)
                return None
            lease.renewed(monotonic())
            if delivery.delivered > 1:
                self.counters.takeovers += bool(result.verdict and result.verdict.claimed)
                self._dispatch_all(item.task_id, pending)
            return self._next(result, pending)

    async def _leave(
        self, refusal: ClaimedElsewhere, item: Item, task_id: int, pending: list[asyncio.Task[None]]
    ) -> Held | None:
        """A live claim is left alone; when that is not sure yet, look again after a while."""
        self._dispatch_all(task_id, pending)
        if self._rides(task_id, item, refusal.fence):
            raise _Elsewhere(None)  # handed out again since: an ack or nak of ours would hit the new owner's (T10)
        if await self._owners.alive(refusal.incarnation, refusal.fence):
            return None
        raise _Elsewhere(self._owners.patience)

    def _rides(self, task_id: int, item: Item, fence: int) -> bool:
        task = self._log.cached(task_id)
        claims = [subtask.claim for subtask in task.subtasks] if task is not None else []
        return any(c is not None and c.fence == fence and same_item(c.item, item) for c in claims)

    async def _not_mine(self, lease: Lease, refusal: NotOffered, pending: list[asyncio.Task[None]]) -> Held | None:
        """A rolling upgrade must not fail tasks: give it back, and fail it only when nobody offers it for long."""
        waited = refusal.waited
        if waited < NOBODY_OFFERS_AFTER or await self._owners.offered("operation", refusal.operation, refusal.pool):
            raise _Elsewhere(NOT_MINE_DELAY)
        claim = cmd.Claim(refusal.number, self._claimant(lease), now())
        held = self._next(await self._transact(lease, claim), pending)
        if held is None:
            return None
        failed = outcome.not_offered(refusal.operation, refusal.pool)
        settle = cmd.Settle(held.number, held.fence, failed, now())
        self._next(await self._transact(lease, settle), pending)
        return None

    async def _prepare_plan(self, lease: Lease, choose: Choice) -> None:
        """Make the plan outside of the decision, since it may read the object store; commit all but its last part."""
        task = await self._log.load(
            lease.delivery.item.task_id, at_least=lease.delivery.item.after, fresh=lease.delivery.delivered > 1
        )
        if task is None or task.state is not TaskState.INITIALIZING:
            return
        if task.plan_ref is None and task.type not in self._tools.catalog.types:
            waited = (now() - task.created_at).total_seconds()
            if waited < NOBODY_OFFERS_AFTER or await self._owners.offered("type", task.type, task.pool):
                raise _Elsewhere(NOT_MINE_DELAY)
        try:
            *parts, last = await plan_commands(task, self._tools)
        except ResultsUnavailable as problem:
            log.warning("plan not to be had yet", task=task.id, why=str(problem))
            raise _Elsewhere(NOT_MINE_DELAY) from problem
        for part in parts:
            await self._transact(lease, part)
        choose.plan = last

    # ---- one link -------------------------------------------------------------------------------------------

    async def _step(self, lease: Lease, held: Held, pending: list[asyncio.Task[None]]) -> Held | None:
        """Perform the claimed subtask, then commit its result together with the next claim."""
        subtask = held.task.subtasks[held.number - 1]
        if subtask.claim is None:
            raise StaleFence("the claim is gone")
        phase = subtask.claim.phase
        running = lease.running = Running(held.number, held.fence)
        self.counters.attempts += 1
        try:
            result = await attempt.perform(self._tools, lease, running, held.task, subtask, phase)
        finally:
            lease.running = None
            if lease.stopping is not None:
                lease.stopping.cancel()
                lease.stopping = None
        at = now()
        settle = cmd.Settle(held.number, held.fence, result, at)
        onward = cmd.ClaimNext(self._claimant(lease), self.me.pools, self.me.operations, at)
        commands: tuple[cmd.ExecutorCommand, ...] = (settle,) if self.draining or lease.releasing else (settle, onward)
        try:
            done = await self._transact(lease, *commands)
        except StaleFence:
            again = await self._mine(lease)
            if again is None:
                raise
            return again
        return self._next(done, pending)

    async def _mine(self, lease: Lease) -> Held | None:
        """After a report was refused: an earlier try of it may have been stored, with the next claim in it."""
        task = await self._log.load(lease.delivery.item.task_id, fresh=True)
        item = self._claimant(lease).item
        for subtask in task.subtasks if task is not None else ():
            claim = subtask.claim
            if claim is not None and claim.item == item and claim.incarnation == self.me.incarnation and task:
                return Held(task, subtask.number, claim.fence)
        return None

    async def _transact(self, lease: Lease, *commands: cmd.ExecutorCommand) -> Transacted:
        """Commit commands as one decision, while the lease is good. They share one time: the decision's."""
        result = await self._log.transact(
            lease.delivery.item.task_id,
            lambda task: decide(task, *commands),
            self._note(commands[0].at),
            patience=max(0.5, lease.left),
        )
        lease.renewed(monotonic())
        return result

    def _next(self, result: Transacted, pending: list[asyncio.Task[None]]) -> Held | None:
        verdict = result.verdict
        if verdict is None:
            return None
        ready = verdict.ready
        if ready:
            self._dispatch_soon(result.task, ready, pending)
        for number in verdict.claimed:
            claim = verdict.task.subtasks[number - 1].claim
            if claim is not None:
                return Held(verdict.task, number, result.seq)
        return None

    async def _dispatch(self, task: Task, numbers: list[int]) -> None:
        try:
            await put_all(self._queue, due(task, numbers))
        except QueueUnavailable as problem:
            log.warning("not dispatched; the rescuer will", task=task.id, subtasks=len(numbers), why=str(problem))

    def _dispatch_all(self, task_id: int, pending: list[asyncio.Task[None]]) -> None:
        """Whoever takes over queues everything that is READY: a crash may lie between a commit and its dispatch."""
        task = self._log.cached(task_id)
        if task is not None and task.ready():
            self._dispatch_soon(task, task.ready(), pending)

    def _dispatch_soon(self, task: Task, numbers: list[int], pending: list[asyncio.Task[None]]) -> None:
        """Dispatch while the chain goes on; the item is acknowledged only after it is done."""
        dispatch = asyncio.create_task(self._dispatch(task, numbers))
        self._dispatches.add(dispatch)
        dispatch.add_done_callback(self._dispatches.discard)
        pending.append(dispatch)

    def _claimant(self, lease: Lease) -> cmd.Claimant:
        item = Item(stamp=lease.delivery.stamp, seq=lease.delivery.seq, delivery=lease.delivery.delivered)
        return cmd.Claimant(self.me.incarnation, self.me.name, item)

    def _note(self, at: datetime) -> Note:
        return Note(commit_id(), at, self._by)


class _Elsewhere(Exception):  # noqa: N818  a way out, not an error
    """Give the item back after `delay` seconds; None says nothing."""

    def __init__(self, delay: float | None) -> None:
        super().__init__()
        self.delay = delay
