"""Slots: how many are free while an executor drains, takes work again, or stops."""

from typing import cast

from services.executor.chain import Chains
from services.executor.lease import Lease, Leases
from services.executor.worker import Rest, Worker
from shared.runtime.clock import now


class Idle:
    """Chains and leases of an executor that runs nothing."""

    def __init__(self) -> None:
        self.draining = False
        self.held: set[Lease] = set()


def worker(slots: int = 3) -> tuple[Worker, Idle]:
    """A worker and what it works with."""
    idle = Idle()
    return Worker(cast("Chains", idle), cast("Leases", idle), slots=slots, ack_wait=30), idle


def test_who_rests_has_no_free_slot_until_it_resumes() -> None:
    """Nothing is taken meanwhile, chains end with what runs, and pullers are woken when work is taken again."""
    found, idle = worker()
    woken: list[int] = []
    found.on_free.append(lambda: woken.append(found.free()))
    at = now()

    found.rest("ana", at)
    found.rest("ben", now())

    assert (found.free(), idle.draining, found.resting) == (0, True, Rest("ana", at))
    found.resume()
    assert (found.free(), idle.draining, found.resting, woken) == (3, False, None, [3])


async def test_who_stops_takes_no_work_again() -> None:
    """A wish that comes too late changes nothing."""
    found, idle = worker()
    await found.drain(0.0)

    found.resume()

    assert (found.free(), idle.draining) == (0, True)
