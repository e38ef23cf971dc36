"""The projector: follows the log and keeps the view equal to its fold. One process projects, the others stand by.

A round: take what has arrived, fold it, write rows and checkpoint in one transaction, tell who waits. After a fault of
the database or the log everything begins anew at the checkpoint in the database, so nothing is lost and no memory runs
ahead. A log that has forgotten what the view holds raises `LogRegression` out of `run` (exit code 3).
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.projection.checkpoint import Checkpoint, check_hole, check_log, read_checkpoint
from services.api.projection.faults import ViewUnavailable
from services.api.projection.feed import Feed, FeedBroken, Message
from services.api.projection.fold import Applied, Batch, Folder, put_aside
from services.api.projection.position import Position
from services.api.projection.write import Displaced, Unwritable, Writer
from services.api.projection.writer import writer_for
from shared.log.jetstream import JetStreamStorage
from shared.log.port import NotStored
from shared.runtime.logging import get

log = get(__name__)

BATCH = 512
"""How many commits go into one transaction at most."""
STANDBY_SECONDS = 1.0
"""How often a process that stands by tries to become the projector."""
LOOK_SECONDS = 0.1
"""How often it looks at the checkpoint when somebody listens."""
ASKED_SECONDS = 0.02
"""How often it looks while somebody waits for a position."""
LONGEST_PAUSE = 2.0

Listener = Callable[[int, Sequence[Applied]], None]
"""Told after each transaction: the view's position, and the commits that led there. A process that stands by tells the
position without commits."""


class Projector:
    """One process's share in projecting. `position` says where the view stands, whoever projects.

    `heartbeat` (s): how often the server says that there is nothing new; three missed ones open a new feed.
    """

    def __init__(
        self,
        storage: JetStreamStorage,
        engine: AsyncEngine,
        *,
        writer: Writer | None = None,
        batch: int = BATCH,
        cache_weight: int = 100_000,
        heartbeat: float = 1.0,
    ) -> None:
        self._storage = storage
        self._engine = engine
        self._writer = writer or writer_for(engine)
        self._folder = Folder(storage, cache_weight=cache_weight)
        self._batch = batch
        self._heartbeat = heartbeat
        self._seen: Checkpoint | None = None
        self._connects = -1
        self.position = Position()
        self.listeners: list[Listener] = []
        self.active = False
        """Whether this process projects now."""
        self.commits = 0
        self.transactions = 0
        self.set_aside = 0
        """How many messages this process set aside."""
        self.feeds = 0
        """How often it began to follow the log."""
        self.failures = 0
        """How often in a row it had to begin anew."""
        self.ended = False
        """Whether `run` has ended."""

    async def check(self) -> None:
        """Compare log and checkpoint (P12). Raises `LogRegression`, `NotStored` or `ViewUnavailable`."""
        await check_log(self._storage, await read_checkpoint(self._engine))

    async def run(self, *, until: int | None = None) -> None:
        """Project or stand by until cancelled, or until the view stands at `until`. Raises `LogRegression`."""
        try:
            while until is None or self.position.seq < until:
                try:
                    if await self._writer.take():
                        await self._project(until)
                    else:
                        await self._stand_by()
                except (FeedBroken, NotStored, Displaced, ViewUnavailable) as fault:
                    await self._begin_anew(fault)
        finally:
            self.active = False
            self.ended = True
            await self._writer.release()

    async def _begin_anew(self, fault: Exception) -> None:
        self.active = False
        self._folder.forget()
        await self._writer.release()
        self.failures += 1
        pause = min(0.05 * 2 ** min(self.failures - 1, 10), LONGEST_PAUSE)
        log.warning("projection interrupted", error=f"{type(fault).__name__}: {fault}", pause_seconds=pause)
        await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311  jitter

    async def _stand_by(self) -> None:
        """Follow the checkpoint for a while: another process projects."""
        connects = int(self._storage.client.stats["reconnects"])
        if connects != self._connects:
            await self.check()
            self._connects = connects
        until = monotonic() + STANDBY_SECONDS
        while (left := until - monotonic()) > 0:
            seen = await read_checkpoint(self._engine)
            await self._tell(seen.seq if seen is not None else 0, ())
            if await self.position.wanted(min(left, LOOK_SECONDS) if self.listeners else left):
                await asyncio.sleep(ASKED_SECONDS)

    async def _project(self, until: int | None) -> None:
        """Follow the log as the one projector until a fault, or up to `until`."""
        self._seen = await self._writer.checkpoint()
        start = self._seen.seq if self._seen is not None else 0
        log.info("projecting", checkpoint=start)
        stumbles = 0
        while until is None or start < until:
            created = await check_log(self._storage, self._seen)
            self.active = True
            await self._tell(start, ())
            feed = Feed(self._storage.client, heartbeat=self._heartbeat)
            self.feeds += 1
            try:
                await feed.open(start)
                while until is None or self.position.seq < until:
                    await self._round(await feed.take(self._batch), created)
                    stumbles = 0
            except FeedBroken as broken:
                log.warning("feed broken", error=str(broken))
                if broken.gap:
                    await check_hole(self._storage, broken.gap)
            finally:
                start = self._seen.seq if self._seen is not None else 0
                await feed.close()
            if until is None or start < until:
                stumbles += 1
                await asyncio.sleep(min(0.02 * 2**stumbles, LONGEST_PAUSE))

    async def _round(self, messages: Sequence[Message], created: str) -> None:
        """Bring the view behind these messages. What the database refuses is set aside alone."""
        batch = await self._folder.fold(messages)
        after = Checkpoint(created, batch.seq, batch.commit_id)
        try:
            await self._writer.write(batch, self._seen, after)
        except Unwritable as refusal:
            self._folder.forget(batch.after)
            if len(messages) > 1:
                middle = len(messages) // 2
                await self._round(messages[:middle], created)
                await self._round(messages[middle:], created)
                return
            only = put_aside(messages[0], "unwritable", str(refusal))
            batch = Batch(batch.seq, batch.commit_id, set_aside=[only])
            await self._writer.write(batch, self._seen, after)
        self._folder.settle(batch)
        self._seen = after
        self.failures = 0
        self.commits += len(batch.applied)
        self.transactions += 1
        self.set_aside += len(batch.set_aside)
        if batch.set_aside:
            one = batch.set_aside[0]
            many = len(batch.set_aside)
            log.error("set aside", seq=one.seq, subject=one.subject, reason=one.reason, error=one.message, count=many)
        await self._tell(batch.seq, batch.applied)

    async def _tell(self, seq: int, applied: Sequence[Applied]) -> None:
        if not await self.position.move(seq):
            return
        for listener in self.listeners:
            try:
                listener(seq, applied)
            except Exception:
                log.exception("a listener of the projection failed")
