"""How a chain begins: what a delivery may claim, is left to somebody else, or needs no more.

Responsible for plans, takeovers and operations that this executor does not have. Refuses to run anything.
"""

from services.executor import outcome
from services.executor.attempt import Tools
from services.executor.choice import Choice, NotOffered, same_item
from services.executor.lease import Lease
from services.executor.owners import Owners
from services.executor.planning import plan_commands
from services.executor.writer import Held, Writer
from shared.runtime.clock import now
from shared.runtime.failpoint import hit
from shared.runtime.logging import get
from shared.store.objects import ResultsUnavailable
from shared.task import commands as cmd
from shared.task.refusals import ClaimedElsewhere, NotYet, Refusal
from shared.task.state import TaskState

NOT_MINE_DELAY = 5.0
NOBODY_OFFERS_AFTER = 60.0
"""How long (s) a READY subtask may wait for anybody to offer its operation before it fails with that cause."""

log = get(__name__)


class Elsewhere(Exception):  # noqa: N818  a way out, not an error
    """Give the item back after `delay` seconds; None says nothing."""

    def __init__(self, delay: float | None) -> None:
        super().__init__()
        self.delay = delay


class Opening:
    """Opens chains. One per executor process."""

    def __init__(self, writer: Writer, tools: Tools, owners: Owners) -> None:
        self._writer = writer
        self._log = writer.log
        self._tools = tools
        self._owners = owners

    async def claim(self, lease: Lease) -> Held | None:
        """Return what the delivery may claim, None when nothing is left to do. Raises `Elsewhere`, `LogUnavailable`."""
        delivery, me = lease.delivery, self._writer.me
        item = delivery.item
        gone: int | None = None
        hit("executor.before_claim")
        while True:
            at = now()
            choose = Choice(me.operations, me.pools, self._writer.claimant(lease), item.subtask, gone, at)
            try:
                if item.subtask == 0:
                    await self._prepare_plan(lease, choose)
                result = await self._log.transact(
                    item.task_id,
                    choose,
                    self._writer.note(at),
                    at_least=item.after,
                    fresh=delivery.delivered > 1,
                    patience=max(1.0, lease.left),
                )
            except ClaimedElsewhere as refusal:
                if gone is None and await self._owners.gone(refusal.incarnation, item.task_id, refusal.fence):
                    gone = refusal.fence
                    continue
                return await self._leave(lease, refusal)
            except NotYet as refusal:
                raise Elsewhere(max(0.05, float(refusal.target["retryAt"]) - now().timestamp())) from None
            except NotOffered as refusal:
                return await self._not_mine(lease, refusal)
            except Refusal:  # nothing to claim, and the leader confirmed it
                self._writer.dispatch_all(lease)
                return None
            if delivery.delivered > 1:
                self._writer.counters.takeovers += bool(result.verdict and result.verdict.claimed)
                self._writer.dispatch_all(lease)
            return self._writer.proceed(lease, result)

    async def _leave(self, lease: Lease, refusal: ClaimedElsewhere) -> Held | None:
        """A live claim is left alone; when that is not sure yet, look again after a while."""
        self._writer.dispatch_all(lease)
        if self._rides(lease, refusal.fence):
            raise Elsewhere(None)  # handed out again since: an ack or nak of ours would hit the new owner's (T10)
        if await self._owners.alive(refusal.incarnation, refusal.fence):
            return None
        raise Elsewhere(self._owners.patience)

    def _rides(self, lease: Lease, fence: int) -> bool:
        item = self._writer.claimant(lease).item
        task = self._log.cached(lease.delivery.item.task_id)
        claims = [subtask.claim for subtask in task.subtasks] if task is not None else []
        return any(c is not None and c.fence == fence and same_item(c.item, item) for c in claims)

    async def _not_mine(self, lease: Lease, refusal: NotOffered) -> Held | None:
        """A rolling upgrade must not fail tasks: give it back, and fail it only when nobody offers it for long."""
        waited = refusal.waited
        if waited < NOBODY_OFFERS_AFTER or await self._owners.offered("operation", refusal.operation, refusal.pool):
            raise Elsewhere(NOT_MINE_DELAY)
        claim = cmd.Claim(refusal.number, self._writer.claimant(lease), now())
        held = self._writer.proceed(lease, await self._writer.transact(lease, claim))
        if held is None:
            return None
        failed = outcome.not_offered(refusal.operation, refusal.pool)
        settle = cmd.Settle(held.number, held.fence, failed, now())
        self._writer.proceed(lease, await self._writer.transact(lease, settle))
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
                raise Elsewhere(NOT_MINE_DELAY)
        try:
            *parts, last = await plan_commands(task, self._tools)
        except ResultsUnavailable as problem:
            log.warning("plan not to be had yet", task=task.id, why=str(problem))
            raise Elsewhere(NOT_MINE_DELAY) from problem
        for part in parts:
            await self._writer.transact(lease, part)
        choose.plan = last
