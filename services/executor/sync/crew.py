"""A crew: the copies of one batch side by side, until all are done, somebody wants the end, or the store is gone."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final, NamedTuple

from services.executor.operations.contract import Cancelled, Context
from services.executor.sync import local
from services.executor.sync.copying import Copier
from services.executor.sync.decide import Entry
from services.executor.sync.sides import Sides
from services.executor.sync.store import Store
from services.executor.sync.trouble import Trouble, Troubled
from shared.runtime.clock import now
from shared.runtime.failpoint import hit

THREADS: Final = 2
"""A batch's threads for small objects between local stores."""
GRACE: Final = 0.6
"""Seconds that copies on their way get after a cancel."""


class Todo(NamedTuple):
    """One object to copy."""

    key: str
    size: int


Report = Callable[[str, Entry], None]


def moment() -> str:
    """Return the time, UTC, as the lists have it."""
    return f"{now():%Y-%m-%dT%H:%M:%SZ}"


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _all(hands: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.gather(*hands)


class Crew:
    """Copies objects and reports what became of each."""

    def __init__(self, ctx: Context, sides: Sides, source: Store, report: Report) -> None:
        self._ctx = ctx
        self._sides = sides
        self._source = source
        self._report = report
        self._copier = Copier(source, sides.destination, metadata=sides.rules.metadata)
        self._stop = threading.Event()
        self._broken: Trouble | None = None

    async def copy(self, todo: Sequence[Todo]) -> None:
        """Copy all of them. Raises `Cancelled` within a second of somebody wanting the end."""
        rest = list(todo)
        if local.fits(self._source, self._sides.destination):
            small = [one for one in todo if one.size <= local.SMALL]
            rest = [one for one in todo if one.size > local.SMALL]
            chunks = iter([small[at : at + local.AT_ONCE] for at in range(0, len(small), local.AT_ONCE)])
            await self._together([self._in_thread(chunks, rest) for _ in range(min(THREADS, len(small)))])
        left = iter(rest)
        hands = min(self._source.concurrency, self._sides.destination.concurrency, len(rest))
        await self._together([self._one_by_one(left) for _ in range(hands)])

    async def _together(self, work: Sequence[Coroutine[Any, Any, None]]) -> None:
        hands = [asyncio.create_task(each) for each in work]
        asked = asyncio.create_task(_set(self._ctx.cancelled))
        all_of_them = asyncio.create_task(_all(hands))
        try:
            await asyncio.wait({all_of_them, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not all_of_them.done():
                self._end()
                await asyncio.wait(hands, timeout=GRACE)
                raise Cancelled
            all_of_them.result()
        finally:
            self._end()
            for task in (*hands, asked):
                task.cancel()
            await asyncio.gather(*hands, asked, all_of_them, return_exceptions=True)
        if self._ctx.cancelled.is_set():
            raise Cancelled

    def _end(self) -> None:
        if self._ctx.cancelled.is_set():
            self._stop.set()
            self._copier.stop()

    async def _in_thread(self, chunks: Iterator[list[Todo]], rest: list[Todo]) -> None:
        loop = asyncio.get_running_loop()
        rules = self._sides.rules
        for chunk in chunks:
            if self._stop.is_set():
                return
            names = [self._sides.names(one.key) for one in chunk]

            def work(names: list[tuple[str, str]] = names) -> list[int | None]:
                return local.copy(self._source, self._sides.destination, names, self._stop, metadata=rules.metadata)

            working = loop.run_in_executor(None, work)
            try:
                sizes = await asyncio.shield(working)
            except asyncio.CancelledError:
                self._stop.set()
                await asyncio.wait({working})
                raise
            at = moment()
            for one, size in zip(chunk, sizes, strict=True):
                if size is None:
                    rest.append(one)
                else:
                    self._report(one.key, Entry("synced", size, at))
            hit("sync.copied")

    async def _one_by_one(self, left: Iterator[Todo]) -> None:
        for one in left:
            if self._ctx.cancelled.is_set():
                return
            if self._broken is not None:
                self._report(one.key, Entry("failed", one.size, moment(), self._broken))
                continue
            name, to = self._sides.names(one.key)
            try:
                size = await self._copier.copy(name, to, one.size)
            except Troubled as error:
                if self._ctx.cancelled.is_set():
                    return
                self._broken = error.trouble if error.trouble.whole else self._broken
                self._report(one.key, Entry("failed", one.size, moment(), error.trouble))
            else:
                self._report(one.key, Entry("synced", size, moment()))
            hit("sync.copied")
