"""The end of the log as this process hears it: one ordered reading, kept up while somebody listens.

Any replica has its own, so it does not matter which one projects. What was read lately is kept (`recent`), so that
those who come back after a break need not read the log. When NATS goes away the tail waits and goes on where it stood;
when the log is another one afterwards, `epoch` says so.
"""

import asyncio
from contextlib import suppress
from typing import Any

from services.api.projection.feed import Feed, FeedBroken, Message
from services.api.rest.live.chains import Chains, item_of
from services.api.rest.live.fan import Fan, Item, Listener
from shared.log.jetstream import JetStreamStorage
from shared.log.port import LogUnavailable, NotStored, Stored
from shared.log.transact import TaskLog
from shared.messages import subjects
from shared.runtime.logging import get

PREFILL = 300
"""How many commits back the tail begins."""
RECENT = 2000
"""How many commits it keeps, at most twice as many for a while."""
RECENT_BYTES = 8 * 1024 * 1024
LINGER = 15.0
"""How long (s) it goes on when nobody listens."""
PATIENCE = 5.0
"""How long (s) a new listener waits for the log."""

log = get(__name__)


class Tail:
    """One per process."""

    def __init__(self, storage: JetStreamStorage, task_log: TaskLog, *, linger: float = LINGER) -> None:
        self._storage = storage
        self._log = task_log
        self._linger = linger
        self._fan = Fan()
        self._job: asyncio.Task[None] | None = None
        self._stopping: asyncio.TimerHandle | None = None
        self._placed = asyncio.Event()
        self._created = ""
        self._chains = Chains(task_log)
        self._recent: list[Item | None] = []  # one for each position from `floor` + 1 to `top`; None: not of a task
        self._weight = 0
        self.floor = 0
        """Everything behind this position and up to `top` is among the recent."""
        self.top = 0
        """How far the log was read."""
        self.epoch = 0
        """Rises when the log turned out to be another one."""

    def __len__(self) -> int:
        return len(self._fan)

    @property
    def running(self) -> bool:
        """Whether it reads."""
        return self._job is not None

    async def join(self, listener: Listener) -> None:
        """Give the listener what comes from now on; pair with `leave`. Raises `LogUnavailable`."""
        self._fan.add(listener)
        try:
            self._start()
            async with asyncio.timeout(PATIENCE):
                await self._placed.wait()
        except BaseException as error:
            self.leave(listener)
            if isinstance(error, TimeoutError):
                raise LogUnavailable("The log cannot be reached; nothing was stored.", maybe=False) from None
            raise
        listener.begin(self.top)

    def leave(self, listener: Listener) -> None:
        """Give it nothing more."""
        self._fan.remove(listener)
        if not len(self._fan) and self._job is not None and self._stopping is None:
            self._stopping = asyncio.get_running_loop().call_later(self._linger, self._stop)

    def recent(self, after: int, listener: Listener) -> list[Item]:
        """Return what the listener sees of the positions behind `after`, which must not lie below `floor`."""
        return [item for item in self._recent[after - self.floor :] if item is not None and listener.sees(item)]

    async def close(self) -> None:
        """Stop reading."""
        job = self._job
        self._stop()
        if job is not None:
            with suppress(asyncio.CancelledError):
                await job

    def _start(self) -> None:
        if self._stopping is not None:
            self._stopping.cancel()
            self._stopping = None
        if self._job is None:
            self._job = asyncio.create_task(self._run(), name="live tail")

    def _stop(self) -> None:
        if self._stopping is not None:
            self._stopping.cancel()
        job, self._job, self._stopping = self._job, None, None
        if job is not None:
            job.cancel()
        self._placed.clear()
        self._forget(0)

    async def _run(self) -> None:
        pause = 0.05
        while True:
            before = self.top
            try:
                await self._follow()
            except (FeedBroken, NotStored, LogUnavailable) as fault:
                log.warning("live tail interrupted", why=str(fault) or type(fault).__name__)
            except Exception:
                log.exception("live tail failed")
            pause = 0.05 if self.top > before else min(pause * 2, 1.0)
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        """Read on from where it stands until something breaks."""
        self._place(await self._storage.tail())
        feed = Feed(self._storage.client, name="live")
        try:
            await feed.open(self.top)
            while True:
                for message in await feed.take(256):
                    await self._take(message)
        finally:
            await feed.close()

    def _place(self, state: dict[str, Any]) -> None:
        """Find the position to go on from; another log, or one that is shorter, is begun anew."""
        last = int(state["last_seq"])
        again = self._placed.is_set()
        if not again or self._created != state["created"] or last < self.top:
            self._created = str(state["created"])
            self._forget(last if again else max(0, last - PREFILL))
            if again:
                self.epoch += 1
                self._fan.stir()
        self._placed.set()

    async def _take(self, message: Message) -> None:
        task_id = subjects.task_of(message.subject)
        item: Item | None = None
        if task_id is not None:
            stored = Stored(message.seq, message.id, message.body)
            chain = await self._chains.at(task_id, message.seq, first=message.first)
            item = await item_of(chain, stored, self._whole)
        # no waiting between here and the end: position, recent ones and queues move together
        self.top = message.seq
        self._recent.append(item)
        self._weight += item.weight if item is not None else 0
        if item is not None:
            self._fan.give(item)
        if len(self._recent) > 2 * RECENT or (self._weight > RECENT_BYTES and len(self._recent) > 1):
            self._trim()

    async def _whole(self, seq: int) -> Stored | None:
        return await self._storage.get(seq)

    def _trim(self) -> None:
        gone = max(len(self._recent) - RECENT, len(self._recent) // 2)
        self._weight -= sum(item.weight for item in self._recent[:gone] if item is not None)
        del self._recent[:gone]
        self.floor += gone

    def _forget(self, position: int) -> None:
        self._recent, self._weight = [], 0
        self._chains.forget()
        self.floor = self.top = position
