"""Pull, run the chain, make room: nothing else. One slot, one chain; never more pulled than there are free slots."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.executor.chain import Chains
from services.executor.lease import Lease, Leases
from shared.queue.port import Delivery


@dataclass(frozen=True, slots=True)
class Rest:
    """Why no new work is taken: who wanted it, and since when."""

    by: str
    since: datetime


class Worker:
    """The slots of one executor."""

    def __init__(self, chains: Chains, leases: Leases, *, slots: int, ack_wait: float) -> None:
        self._chains = chains
        self._leases = leases
        self._slots = slots
        self._ack_wait = ack_wait
        self._stopping = False
        self.resting: Rest | None = None
        self.on_free: list[Callable[[], None]] = []
        self.idle = asyncio.Event()
        self.idle.set()

    def free(self) -> int:
        """Return how many slots are free; none while draining."""
        return 0 if self._chains.draining else self._slots - len(self._leases.held)

    def take(self, delivery: Delivery) -> None:
        """Begin the chain of a delivery in a free slot."""
        for held in list(self._leases.held):
            if held.delivery.seq == delivery.seq and held.delivery.stamp == delivery.stamp:
                held.fence("its item was delivered again, to this executor")
        lease = Lease(delivery, ack_wait=self._ack_wait)
        self._leases.held.add(lease)
        self.idle.clear()
        lease.chain = asyncio.create_task(self._chains.run(lease))
        lease.chain.add_done_callback(lambda _: self._ended(lease))

    def rest(self, by: str, at: datetime) -> None:
        """Take no new work until `resume`; what runs goes on to its own end, however long that takes."""
        if self.resting is None:
            self.resting = Rest(by, at)
        self._chains.draining = True

    def resume(self) -> None:
        """Take work again, unless this executor is on its way out."""
        self.resting = None
        self._chains.draining = self._stopping
        for wake in self.on_free:
            wake()

    async def drain(self, seconds: float) -> None:
        """Take no new work; wait `seconds` for what runs, then hand it back (P14)."""
        self._stopping = self._chains.draining = True
        try:
            async with asyncio.timeout(seconds):
                await self.idle.wait()
        except TimeoutError:
            for lease in list(self._leases.held):
                lease.release()
        try:
            async with asyncio.timeout(max(2.0, seconds / 2)):
                await self.idle.wait()
        except TimeoutError:
            for lease in list(self._leases.held):
                lease.fence("this executor has to go")

    def _ended(self, lease: Lease) -> None:
        self._leases.held.discard(lease)
        if not self._leases.held:
            self.idle.set()
        for wake in self.on_free:
            wake()
