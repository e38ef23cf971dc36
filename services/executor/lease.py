"""Leases: how long this executor may believe that what it claimed is still its own (T10, T11).

Every AckWait/3 a lease says `in_progress` and reads the task's tail from the leader; a lone `in_progress` is answered
even to a stale owner. When nothing good was heard for AckWait less a margin, on the monotonic clock, the lease fences
itself first: the child is killed, the chain dropped, nothing acknowledged. Knows no operation.
"""

import asyncio
from dataclasses import dataclass, field
from time import monotonic

from services.executor.processes import Children
from shared.log.port import LogUnavailable
from shared.log.transact import TaskLog
from shared.queue.port import Delivery
from shared.runtime.logging import get
from shared.task.state import SubtaskStatus, Task

INSIST_AGAIN = 2.0
"""How long (s) an attempt that swallowed its cancellation may go on before it is cancelled once more."""

log = get(__name__)


@dataclass(slots=True)
class Running:
    """The attempt a lease covers now."""

    number: int
    fence: int
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    progress: tuple[float, str] | None = None


class Lease:
    """One chain's hold on its work item. `ack_wait` in seconds."""

    def __init__(self, delivery: Delivery, *, ack_wait: float) -> None:
        self.delivery = delivery
        self.ack_wait = ack_wait
        self.margin = max(0.3, ack_wait / 6)
        self.children = Children(ack_wait - self.margin)
        self.last_good = monotonic()
        self.running: Running | None = None
        self.dispatches: list[asyncio.Task[None]] = []
        """What has to be queued before the item may be acknowledged."""
        self.chain: asyncio.Task[None] | None = None
        self.fenced = False
        self.releasing = False
        self.beating = False
        self.asked = False
        """Somebody said that the task has changed, and what runs was not looked at since."""
        self.stopping: asyncio.TimerHandle | None = None

    @property
    def left(self) -> float:
        """How many seconds the lease is still good for."""
        return self.last_good + self.ack_wait - self.margin - monotonic()

    def good(self) -> bool:
        """Whether it may still be believed in; fences itself when its time was over before anybody looked."""
        if self.left <= 0:
            self.fence("nothing good heard in time")
        return not self.fenced

    def renewed(self, at: float) -> None:
        """The queue was asked for more time, and then the log confirmed the claim, at `at` (monotonic)."""
        self.last_good = max(self.last_good, at)
        self.children.beat(at)

    def fence(self, why: str) -> None:
        """Stop believing: kill the child, drop the chain, neither ack nor nak."""
        if self.fenced:
            return
        self.fenced = True
        log.warning("lease lost; stopping at once", task=self.delivery.item.task_id, why=why)
        self.children.kill_all()
        if self.chain is not None:
            self.chain.cancel()

    @property
    def due(self) -> bool:
        """Whether the claim has to be looked at now: a third of AckWait is over, or somebody asked."""
        return (self.asked and self.running is not None) or monotonic() - self.last_good >= self.ack_wait / 3

    def cancel(self, grace: float) -> None:
        """Ask the running attempt to end; insist after `grace` seconds, and again until it does."""
        running = self.running
        if running is None or running.cancelled.is_set():
            return
        running.cancelled.set()
        self.stopping = asyncio.get_running_loop().call_later(grace, self._insist, running)

    def release(self) -> None:
        """This executor goes away: end the running attempt and hand the subtask back."""
        self.releasing = True
        self.children.kill_all()
        if self.running is not None and self.chain is not None:
            self.chain.cancel()

    def _insist(self, running: Running) -> None:
        if self.running is running and self.chain is not None and not self.fenced:
            log.warning("still running although cancelled; stopping it", task=self.delivery.item.task_id)
            self.children.kill_running()
            self.chain.cancel()
            self.stopping = asyncio.get_running_loop().call_later(INSIST_AGAIN, self._insist, running)


class Leases:
    """All leases of this executor, kept by one loop."""

    def __init__(self, task_log: TaskLog, *, ack_wait: float, cancel_grace: float) -> None:
        self._log = task_log
        self._ack_wait = ack_wait
        self._grace = cancel_grace + 2.0
        self._beats: set[asyncio.Task[None]] = set()
        self.held: set[Lease] = set()

    def fences(self) -> list[int]:
        """Return the fences this executor is running now."""
        return [lease.running.fence for lease in self.held if lease.running is not None]

    async def run(self) -> None:
        """Keep every lease, until cancelled."""
        tick = min(1.0, max(0.05, self._ack_wait / 30))
        while True:
            await asyncio.sleep(tick)
            for lease in list(self.held):
                if lease.good() and not lease.beating and lease.due:
                    self._beat_soon(lease)

    def look(self, task_id: int | None = None) -> None:
        """Look at the claims on a task, or at all, now: somebody said that something changed, or may have.

        A look that is under way may be older than that, and a claim may be ours without our knowing it yet: then the
        next tick looks once more.
        """
        for lease in list(self.held):
            if task_id in {None, lease.delivery.item.task_id}:
                lease.asked = True
                if not lease.beating and lease.running is not None:
                    self._beat_soon(lease)

    def _beat_soon(self, lease: Lease) -> None:
        lease.beating = True
        beat = asyncio.create_task(self._beat(lease))
        self._beats.add(beat)
        beat.add_done_callback(self._beats.discard)

    async def _beat(self, lease: Lease) -> None:
        running, asked = lease.running, lease.asked
        try:
            began = monotonic()
            lease.asked = False
            await lease.delivery.in_progress()
            task = await asyncio.wait_for(self._log.load(lease.delivery.item.task_id, fresh=True), self._ack_wait / 3)
        except (LogUnavailable, TimeoutError):
            lease.asked = lease.asked or asked
            return  # the loop counts the time since the last good beat
        finally:
            lease.beating = False
        if lease.fenced:
            return
        if running is None or running is not lease.running:  # what runs now was claimed after we had begun to look
            lease.asked = lease.asked or asked
            lease.renewed(began)
            return
        verdict = judge(running, task)
        if verdict == "lost":
            lease.fence("the claim is no longer ours")
            return
        lease.renewed(began)
        if verdict == "cancel":
            lease.cancel(self._grace)


def judge(running: Running, task: Task | None) -> str:
    """Return what the task's state says of the claim that an attempt runs under: `kept`, `cancel` or `lost`."""
    subtask = task.find(running.number) if task is not None else None
    if subtask is None or subtask.claim is None or subtask.claim.fence != running.fence:
        return "lost"
    return "cancel" if subtask.status is SubtaskStatus.CANCELING else "kept"
