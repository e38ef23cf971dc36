"""Owners: which executors live and what they run, as KV `executors` tells, and what anybody offers.

A claim may be taken over only when its incarnation is absent, or has not listed the fence, for longer than AckWait
plus a margin. "Longer" is counted here on the monotonic clock; times of two machines are never compared.
"""

import json
from time import monotonic
from typing import Any

from shared.messages import subjects
from shared.store.kv import Bucket, BucketUnavailable, Entry


class Owners:
    """What the buckets say about other executors. `ack_wait` in seconds."""

    def __init__(self, executors: Bucket, catalog: Bucket, *, ack_wait: float) -> None:
        self._executors = executors
        self._catalog = catalog
        self._doubts: dict[tuple[int, int], float] = {}
        self.patience = ack_wait * 1.25 + 0.5

    async def gone(self, incarnation: str, task_id: int, fence: int) -> bool:
        """Whether the claim may be taken over. The first doubt only starts the clock."""
        if await self.alive(incarnation, fence):
            self._doubts.pop((task_id, fence), None)
            return False
        if len(self._doubts) > 10_000:
            self._doubts.clear()
        since = self._doubts.setdefault((task_id, fence), monotonic())
        if monotonic() - since < self.patience:
            return False
        del self._doubts[task_id, fence]
        return True

    async def alive(self, incarnation: str, fence: int) -> bool:
        """Whether the incarnation lists the fence as running. Not knowing counts as alive."""
        try:
            entry = await self._executors.get(incarnation)
        except BucketUnavailable:
            return True
        return fence in _content(entry).get("fences", ())

    async def offered(self, kind: str, name: str, pool: str) -> bool:
        """Whether the catalogue has the operation or type for this pool. Not knowing counts as yes."""
        try:
            entry = await self._catalog.get(subjects.card(kind, name, pool))
        except BucketUnavailable:
            return True
        return entry is not None and entry.value is not None


def _content(entry: Entry | None) -> dict[str, Any]:
    if entry is None or entry.value is None:
        return {}
    try:
        content = json.loads(entry.value)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
