"""What services ask of the queue."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.queue.work_item import WorkItem


class QueueUnavailable(Exception):  # noqa: N818  what the world did
    """The item could not be queued; the rescuer will queue it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An item that no executor has been given yet, and since when it lies in the queue (the queue's own clock)."""

    task_id: int
    subtask: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep a pool's queue is: items that wait, items in executors' hands or put off for a retry, and the oldest."""

    waiting: int
    in_hand: int
    oldest: Waiting | None = None


class WorkQueue(Protocol):
    """Where items wait to be pulled."""

    async def put(self, item: WorkItem) -> bool:
        """Queue an item; False when it is already queued or in flight. Raises `QueueUnavailable`."""


class Delivery(Protocol):
    """An item in the hands of one executor."""

    item: WorkItem
    stamp: str
    """WORK's creation stamp: an item of another stamp belongs to a stream that is gone."""
    seq: int
    delivered: int
    """How often the item has been handed out, this time included. May go back when the server was killed (T12)."""

    async def ack(self) -> None:
        """Say that the item's effects are committed."""

    async def nak(self, delay: float) -> None:
        """Give the item back, not before `delay` seconds from now."""

    async def in_progress(self) -> None:
        """Ask for another AckWait."""
