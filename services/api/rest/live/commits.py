"""One reader of commits: what lies behind its position, then what comes, without a gap and without a double.

It has a position and asks three sources in turn: the log for what is long past, the tail's recent commits, its own
queue. Whatever comes in twice is told by its sequence. Knows nothing of HTTP.
"""

import asyncio
from collections.abc import Awaitable, Callable

from services.api.access import Teams
from services.api.rest.live.behind import Behind
from services.api.rest.live.fan import Item, Listener
from services.api.rest.live.frame import BEAT, frame, opened, position, reset
from services.api.rest.live.history import Histories
from services.api.rest.live.tail import Tail
from shared.log.port import LogUnavailable
from shared.task.refusals import TaskNotFound

WINDOW = 10_000
"""How far back (log positions) the stream of all tasks can begin."""
PAGE = 256
CHUNK_BYTES = 256 * 1024
"""How much is handed over at once, roughly."""
AGAIN = 1.0
"""How long (s) until the log is asked again when it did not answer."""


class Commits:
    """Server-sent events of one task's commits, or of all that somebody of these teams sees."""

    def __init__(
        self,
        tail: Tail,
        histories: Histories,
        behind: Callable[[], Behind],
        last: Callable[[], Awaitable[int]],
        *,
        task_id: int | None,
        teams: Teams,
        after: int | None,
    ) -> None:
        self._tail, self._histories, self._last = tail, histories, last
        self._make_behind = behind
        self._behind: Behind | None = None
        self._task_id = task_id
        self._listener = Listener(task_id, teams)
        self._after = after
        self._epoch = 0
        self._cursor = 0
        self._told = 0  # the last position the client knows
        self._ready: list[bytes] = []

    async def open(self) -> None:
        """Find the position to begin at. Raises `LogUnavailable`."""
        await self._tail.join(self._listener)
        try:
            last = await self._last()
        except BaseException:
            self._tail.leave(self._listener)
            raise
        self._epoch = self._tail.epoch
        after = self._after
        self._cursor = self._told = last if after is None else after
        if after is not None and after > last:
            self._reset(last, "the log has not reached this position")
        elif self._task_id is None and self._cursor < last - WINDOW:
            self._reset(last, "this position is too old to be replayed")
        else:
            self._ready.append(opened(self._cursor))

    async def close(self) -> None:
        """Listen no more."""
        self._tail.leave(self._listener)

    def beat(self) -> bytes:
        """Return what is sent when there was nothing for a while."""
        if self._task_id is None and self._cursor > self._told:
            self._told = self._cursor
            return position(self._told)
        return BEAT

    async def next(self, seconds: float) -> bytes:
        """Return what there is to send, empty when nothing came in `seconds`."""
        if self._tail.epoch != self._epoch:
            self._epoch = self._tail.epoch
            self._listener.begin(self._tail.top)
            self._reset(self._tail.top, "the log was created anew")
        if not self._ready:
            await self._gather(seconds)
        return self._some()

    async def _gather(self, seconds: float) -> None:
        listener = self._listener
        if listener.lost:
            listener.begin(self._tail.top)
        try:
            if self._cursor < listener.since:
                await (self._history() if self._task_id is not None else self._stretch())
                return
        except LogUnavailable:
            await asyncio.sleep(min(seconds, AGAIN))
            return
        await listener.wait(seconds)
        if not listener.lost:
            self._show(listener.take())
            self._cursor = max(self._cursor, self._tail.top)

    async def _history(self) -> None:
        """Show a page of the task's past. When there is no more, all up to where its listening began was seen."""
        assert self._task_id is not None  # noqa: S101  asked for one task alone
        try:
            page = await self._histories.after(self._task_id, self._cursor, PAGE)
        except TaskNotFound:
            self._cursor = self._listener.since
            return
        for seq, entries in page.contents:
            self._cursor = self._told = seq
            self._ready.append(frame("commit", {"task": self._task_id, "seq": seq, "decisions": entries}, seq))
        if not page.more:
            self._cursor = max(self._cursor, self._listener.since)

    async def _stretch(self) -> None:
        """Show a stretch of the past of all tasks, or give up on a past that is too long."""
        top = self._tail.top
        if self._cursor < top - 2 * WINDOW:
            self._listener.begin(top)
            self._reset(top, "the client was too slow")
        elif self._cursor >= self._tail.floor:
            self._show(self._tail.recent(self._cursor, self._listener))
            self._cursor = max(self._cursor, top)
        else:
            self._behind = self._behind or self._make_behind()
            items, reached = await self._behind.read(self._cursor, PAGE)
            if reached == self._cursor:  # a replica that has not caught up yet
                await asyncio.sleep(0.05)
            self._show([item for item in items if self._listener.sees(item)])
            self._cursor = reached
        if self._cursor >= self._listener.since:
            self._behind = None

    def _show(self, items: list[Item]) -> None:
        for item in items:
            if item.seq > self._cursor:
                self._ready.append(item.frame)
                self._told = item.seq
        if items:
            self._cursor = max(self._cursor, items[-1].seq)

    def _reset(self, seq: int, reason: str) -> None:
        self._ready = [reset(seq, reason)]
        self._cursor = self._told = seq

    def _some(self) -> bytes:
        """Take as much of what is ready as goes out at once."""
        size = count = 0
        while count < len(self._ready) and (not count or size + len(self._ready[count]) <= CHUNK_BYTES):
            size += len(self._ready[count])
            count += 1
        chunk = b"".join(self._ready[:count])
        del self._ready[:count]
        return chunk
