"""A task's history by the page, forwards from the first commit or backwards from the newest. Read from the log itself.

Whether a commit counts depends on all that came before it, so each process remembers of the tasks somebody looks at
where their commits lie and which of them do not count: 8 bytes a commit, read once. A page then costs what it shows.
"""

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from services.api.rest.live.chain import Chain, Entry, entries
from shared.log.port import Stored
from shared.log.transact import TaskLog
from shared.task.refusals import TaskNotFound

CHUNK = 512
"""How many commits are read at once."""
KEPT = 500_000
"""How many commits of all tasks together are remembered."""


@dataclass(frozen=True, slots=True)
class Page:
    """Commits in the order of the log, each with its entries; `more` lie beyond, in the direction of the paging."""

    contents: list[tuple[int, list[Entry]]]
    more: bool
    labels: Mapping[str, str]


@dataclass(slots=True, eq=False)
class _Known:
    """What is known of one task: where its commits lie, up to some point, and which of them do not count."""

    chain: Chain
    seqs: "array[int]" = field(default_factory=lambda: array("Q"))
    ignored: set[int] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    weighed: int = 0


class Histories:
    """One per process; the least recently asked for go when `kept` commits are exceeded."""

    def __init__(self, log: TaskLog, *, kept: int = KEPT) -> None:
        self._log = log
        self._limit = kept
        self._tasks: OrderedDict[int, _Known] = OrderedDict()
        self.weight = 0

    async def after(self, task_id: int, seq: int, size: int) -> Page:
        """Return the first `size` commits behind `seq`. Raises `TaskNotFound`, `LogUnavailable`.

        A page without `more` holds all that the leader had when it was asked.
        """
        known = self._of(task_id)
        async with known.lock:
            read = await self._extend(known, lambda: len(known.seqs) - bisect_right(known.seqs, seq) > size)
            first = bisect_right(known.seqs, seq)
            chosen = known.seqs[first : first + size]
            return await self._page(known, chosen, read, more=len(known.seqs) > first + size)

    async def before(self, task_id: int, seq: int | None, size: int) -> Page:
        """Return the last `size` commits before `seq`, or of all. Raises `TaskNotFound`, `LogUnavailable`."""
        known = self._of(task_id)
        async with known.lock:
            read = await self._extend(known, lambda: seq is not None and bool(known.seqs) and known.seqs[-1] >= seq)
            last = len(known.seqs) if seq is None else bisect_left(known.seqs, seq)
            first = max(0, last - size)
            return await self._page(known, known.seqs[first:last], read, more=first > 0)

    async def positions(self, task_id: int) -> Sequence[int]:
        """Return the log positions of all the task's commits, in order. Raises `TaskNotFound`, `LogUnavailable`."""
        known = self._of(task_id)
        async with known.lock:
            await self._extend(known, lambda: False)
            return known.seqs[:]

    def _of(self, task_id: int) -> _Known:
        known = self._tasks.get(task_id)
        if known is None:
            known = self._tasks[task_id] = _Known(Chain(task_id))
        self._tasks.move_to_end(task_id)
        return known

    async def _extend(self, known: _Known, enough: Callable[[], bool]) -> dict[int, Stored]:
        """Read on until it is `enough` or the log has no more; return the last that was read."""
        read: dict[int, Stored] = {}
        try:
            while not enough():
                start = known.seqs[-1] if known.seqs else 0
                found = await self._log.history(known.chain.task_id, start, limit=CHUNK)
                for stored in found:
                    if not known.chain.take(stored.body):
                        known.ignored.add(stored.seq)
                    known.seqs.append(stored.seq)
                read = {stored.seq: stored for stored in found}
                if len(found) < CHUNK:
                    break
        finally:
            self._weigh(known)
        if not known.seqs:
            if self._tasks.get(known.chain.task_id) is known:
                del self._tasks[known.chain.task_id]
                self.weight -= known.weighed
            raise TaskNotFound(f"The task {known.chain.task_id} does not exist.")
        return read

    async def _page(self, known: _Known, chosen: "array[int]", read: dict[int, Stored], *, more: bool) -> Page:
        task_id = known.chain.task_id
        if all(seq in read for seq in chosen):
            found = [read[seq] for seq in chosen]
        else:
            found = await self._log.history(task_id, chosen[0] - 1, limit=len(chosen))
        contents = [(one.seq, entries(task_id, one, ignored=one.seq in known.ignored)) for one in found]
        return Page(contents, more, known.chain.labels)

    def _weigh(self, known: _Known) -> None:
        """Count what is remembered of the task, and forget others when it is too much."""
        if self._tasks.get(known.chain.task_id) is not known:
            return
        weight = len(known.seqs) + 16
        self.weight += weight - known.weighed
        known.weighed = weight
        while self.weight > self._limit and len(self._tasks) > 1:
            _, oldest = self._tasks.popitem(last=False)
            self.weight -= oldest.weighed
