"""A work item in an executor's hand, on a workbench that has no queue."""

from dataclasses import dataclass

from shared.queue.work_item import WorkItem


@dataclass(slots=True)
class Hand:
    """A work item handed to an executor; the workbench needs no queue."""

    item: WorkItem
    stamp: str
    seq: int
    delivered: int

    async def ack(self) -> None:
        """Nothing is queued."""

    async def nak(self, delay: float) -> None:
        """Nothing is queued."""

    async def in_progress(self) -> None:
        """Nobody waits."""
