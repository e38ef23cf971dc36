"""Run one task as far as this executor can, claim by claim, on one work item.

The result of an attempt is committed together with the claim of the next READY subtask that this executor can run;
the other READY ones are dispatched. The item is acknowledged after the last commit was accepted, and never by a chain
that lost its claim (T10). Refuses to know how a chain begins: `opening.py`.
"""

import asyncio

from services.executor import attempt
from services.executor.attempt import Tools
from services.executor.lease import Lease, Running
from services.executor.opening import NOT_MINE_DELAY, Elsewhere, Opening
from services.executor.writer import Held, Writer
from shared.log.port import LogUnavailable
from shared.runtime.clock import now
from shared.runtime.failpoint import hit
from shared.runtime.logging import get
from shared.task import commands as cmd
from shared.task.refusals import StaleFence

log = get(__name__)


class Chains:
    """Runs chains. One per executor process."""

    def __init__(self, writer: Writer, opening: Opening, tools: Tools) -> None:
        self.counters = writer.counters
        self.draining = False
        self._me = writer.me
        self._writer = writer
        self._opening = opening
        self._tools = tools

    async def run(self, lease: Lease) -> None:
        """Run the chain of one delivery to its end: ack, nak, or silence when the lease was lost."""
        try:
            held = await self._opening.claim(lease)
            while held is not None and lease.good():
                held = await self._step(lease, held)
            if lease.dispatches:
                await asyncio.gather(*lease.dispatches)
            if lease.good():
                hit("executor.before_ack")
                await lease.delivery.ack()
        except Elsewhere as later:
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

    async def _step(self, lease: Lease, held: Held) -> Held | None:
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
        onward = cmd.ClaimNext(self._writer.claimant(lease), self._me.pools, self._me.operations, at)
        # when the lease ran out while this process stood still, the report may still count, but nothing more begins
        last = self.draining or lease.releasing or lease.left <= 0
        commands: tuple[cmd.ExecutorCommand, ...] = (settle,) if last else (settle, onward)
        try:
            done = await self._writer.transact(lease, *commands)
        except StaleFence:
            again = await self._mine(lease)
            if again is None:
                raise
            return again
        return self._writer.proceed(lease, done)

    async def _mine(self, lease: Lease) -> Held | None:
        """After a report was refused: an earlier try of it may have been stored, with the next claim in it."""
        task = await self._writer.log.load(lease.delivery.item.task_id, fresh=True)
        item = self._writer.claimant(lease).item
        for subtask in task.subtasks if task is not None else ():
            claim = subtask.claim
            if claim is not None and claim.item == item and claim.incarnation == self._me.incarnation and task:
                return Held(task, subtask.number, claim.fence)
        return None
