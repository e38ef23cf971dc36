"""The rescuer: ready but not queued → queue again. It makes the queue a cache of the log (architecture §4 "Rescue").

Harmless when several run: an item that is queued already is not queued twice. Compares no times of different machines:
a task is stale when its last commit lies behind the position that the view had reached `after` seconds ago on our own
monotonic clock. Knows no SQL; it asks for stale tasks and loads each from the log before it believes it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from shared.log.port import LogUnavailable
from shared.log.transact import TaskLog
from shared.queue.dispatch import put_all, stuck
from shared.queue.port import QueueUnavailable, WorkQueue
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.task.state import Task

PAGE = 1000
"""How many stale tasks one scan looks at; the next scan goes on behind them."""
AT_ONCE = 16
SLOWEST = 300.0
"""A task that waits in a long queue is looked at this seldom (s) in the end."""

log = get(__name__)


class Ensured(WorkQueue, Protocol):
    """A queue that can be made where it is missing: the one exception to T25."""

    async def bound(self, pool: str) -> tuple[str, str] | None:
        """Return stamp and consumer of a pool, or None while one of them is missing."""

    async def ensure(self, pools: set[str]) -> bool:
        """Create the stream and the pools' consumers where they are missing."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A task that has had no commit for long: its id and the log position of its last commit."""

    id: int
    seq: int


@dataclass(slots=True)
class _Patience:
    """When a task is looked at again: ever later while nothing happens to it."""

    seq: int
    wait: float
    due: float


class Rescuer:
    """Scans every `after` / 3 seconds. `stale(before, behind, limit)` gives unfinished tasks in log order."""

    def __init__(
        self,
        task_log: TaskLog,
        queue: Ensured,
        *,
        after: float,
        position: Callable[[], int],
        stale: Callable[[int, int, int], Awaitable[list[Stale]]],
        pools: Callable[[], set[str]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._log = task_log
        self._queue = queue
        self._after = after
        self._position = position
        self._stale = stale
        self._pools = pools
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._patience: dict[int, _Patience] = {}
        self._behind = 0
        self.rescued = 0
        """How many items were queued that had been missing."""

    async def run(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Scan for ever; an outage is waited out."""
        while True:
            await pause(self._after / 3)
            try:
                await self.scan()
            except (LogUnavailable, QueueUnavailable) as problem:
                log.warning("rescue put off", why=str(problem))
            except Exception:
                log.exception("rescue failed; it is tried again")

    async def scan(self) -> int:
        """Look once; return how many missing items were queued. Raises `LogUnavailable`, `QueueUnavailable`."""
        at = self._clock()
        self._seen.append((at, self._position()))
        before = self._position_before(at)
        await self._ensure_queue()
        if not before:
            return 0
        page = await self._stale(before, self._behind, PAGE)
        found = await self._look_at(page, at)
        self._behind = page[-1].seq if len(page) == PAGE else 0
        if not self._behind:
            self._forget(before)
        if found:
            self.rescued += found
            log.info("rescued", items=found)
        return found

    async def _ensure_queue(self) -> None:
        missing = {pool for pool in self._pools() if await self._queue.bound(pool) is None}
        if not missing:
            return
        await self._queue.ensure(missing)
        log.warning("part of the queue was missing and has been made; items come back from the log", pools=missing)
        self._patience.clear()
        self._behind = 0

    def _position_before(self, at: float) -> int:
        """Return the position the view had reached `after` seconds ago, 0 when we have not run that long."""
        old = at - self._after
        while len(self._seen) > 1 and self._seen[1][0] <= old:
            self._seen.popleft()
        return self._seen[0][1] if self._seen[0][0] <= old else 0

    async def _look_at(self, page: list[Stale], at: float) -> int:
        due = [task for task in page if self._is_due(task, at)]
        found = 0
        for start in range(0, len(due), AT_ONCE):
            found += sum(await asyncio.gather(*(self._rescue(task.id) for task in due[start : start + AT_ONCE])))
        return found

    def _is_due(self, task: Stale, at: float) -> bool:
        known = self._patience.get(task.id)
        if known is None or known.seq != task.seq:
            self._patience[task.id] = _Patience(task.seq, self._after, at + self._after)
            return True
        if at < known.due:
            return False
        known.wait = min(known.wait * 2, SLOWEST)
        known.due = at + known.wait
        return True

    async def _rescue(self, task_id: int) -> int:
        task: Task | None = await self._log.load(task_id, fresh=True)
        if task is None or task.ended:
            return 0
        present = now().timestamp()
        waiting = [subtask.retry_at for subtask in task.subtasks if subtask.retry_at is not None]
        known = self._patience.get(task_id)
        if waiting and known is not None and min(waiting) > present:
            known.due = min(known.due, self._clock() + min(waiting) - present)
        return await put_all(self._queue, stuck(task, present))

    def _forget(self, before: int) -> None:
        """Drop tasks that have moved on: their last commit is newer than what a scan looks at, or they are gone."""
        oldest = self._clock() - 2 * SLOWEST
        self._patience = {
            task_id: known for task_id, known in self._patience.items() if known.seq <= before and known.due >= oldest
        }
