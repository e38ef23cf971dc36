"""The pull loop: asks for exactly as many items as there are free slots, and never prefetches (T23).

Own code on purpose: a fetch of several messages stalls in the client library after an empty one (T18), and FastStream's
subscriber neither recovers from a lost consumer nor leaves room for more than one item at a time (T22). Heals by
itself after any outage: when nothing answers a request it looks the consumer up again.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.messages import subjects
from shared.queue.jetstream import JetStreamQueue
from shared.queue.port import Delivery, QueueUnavailable
from shared.queue.work_item import WorkItem, parse
from shared.runtime.logging import get

EXPIRES = 5.0
"""How long (s) the server keeps a request open."""

log = get(__name__)


class JetStreamDelivery:
    """An item in our hands."""

    def __init__(self, message: Msg, stamp: str, item: WorkItem, seq: int, delivered: int) -> None:
        self.item = item
        self.stamp = stamp
        self.seq = seq
        self.delivered = delivered
        self._client = message._client  # noqa: SLF001  acks go out without the library's bookkeeping
        self._reply = message.reply

    async def ack(self) -> None:
        """Say that the item's effects are committed."""
        await self._say(b"+ACK")

    async def nak(self, delay: float) -> None:
        """Give the item back, not before `delay` seconds from now."""
        await self._say(b'-NAK {"delay": %d}' % max(1, int(delay * 1e9)))

    async def in_progress(self) -> None:
        """Ask for another AckWait."""
        await self._say(b"+WPI")

    async def _say(self, word: bytes) -> None:
        try:
            await self._client.publish(self._reply, word)
        except (NatsError, OSError) as error:  # the item comes back after AckWait
            log.debug("ack not sent", word=word.decode(), error=str(error))


class Puller:
    """Pulls the items of one pool into free slots; hands each to `take`."""

    def __init__(
        self,
        client: Client,
        queue: JetStreamQueue,
        pool: str,
        *,
        free: Callable[[], int],
        take: Callable[[Delivery], None],
        poison: Callable[[str, bytes, str], None],
    ) -> None:
        self._client = client
        self._queue = queue
        self._pool = pool
        self._free = free
        self._take = take
        self._poison = poison
        self._stamp = ""
        self._consumer: str | None = None
        self._inbox = ""
        self._asked = 0
        self._heard = 0.0
        self._wake = asyncio.Event()
        self._stopped = False
        self.ready = asyncio.Event()
        """Set once the first request is out."""

    def wake(self) -> None:
        """A slot has become free."""
        self._wake.set()

    def reset(self) -> None:
        """The connection was lost: requests that were out are void."""
        self._consumer = None
        self._wake.set()

    def stop(self) -> None:
        """Ask for nothing more."""
        self._stopped = True
        self._wake.set()

    async def run(self) -> None:
        """Pull until stopped."""
        missing = False
        while not self._stopped:
            try:
                if self._consumer is None and not await self._bind():
                    if not missing:
                        log.warning("no queue to pull from; waiting for it", pool=self._pool)
                    missing = True
                    await asyncio.sleep(0.25)
                    continue
                missing = False
                await self._ask()
            except (QueueUnavailable, NatsError, OSError) as error:
                log.warning("queue does not answer", pool=self._pool, error=str(error))
                self._consumer = None
                await asyncio.sleep(0.5)
                continue
            try:
                async with asyncio.timeout(1.0):
                    await self._wake.wait()
            except TimeoutError:
                if self._asked and monotonic() - self._heard > EXPIRES + 1.5:
                    log.warning("pull requests went unanswered; looking the consumer up again", pool=self._pool)
                    self._consumer = None

    async def _bind(self) -> bool:
        bound = await self._queue.bound(self._pool)
        if bound is None:
            return False
        if not self._inbox:
            self._inbox = self._client.new_inbox()
            await self._client.subscribe(self._inbox, cb=self._arrived)
        self._stamp, self._consumer = bound
        self._asked = 0
        self._heard = monotonic()
        return True

    async def _ask(self) -> None:
        self._wake.clear()
        wanted = self._free() - self._asked
        if wanted <= 0:
            return
        if not self._client.is_connected:
            self._consumer = None
            return
        self._asked += wanted
        if self._asked == wanted:
            self._heard = monotonic()
        await self._client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{subjects.WORK}.{self._consumer}",
            b'{"batch":%d,"expires":%d}' % (wanted, int(EXPIRES * 1e9)),
            reply=self._inbox,
        )
        self.ready.set()

    async def _arrived(self, message: Msg) -> None:
        self._heard = monotonic()
        if message.subject == self._inbox:
            self._status(message)
            return
        self._asked = max(0, self._asked - 1)
        tokens = (message.reply or "").split(".")
        offset = 0 if len(tokens) == 9 else 2
        delivered, seq, stored_at = int(tokens[4 + offset]), int(tokens[5 + offset]), tokens[7 + offset]
        try:
            item = parse(message.subject, message.data)
        except ValueError as error:
            self._poison(message.subject, message.data, str(error))
            await self._client.publish(message.reply, b"+TERM")
            self._wake.set()
            return
        # a crash may give a sequence of the unsynced queue out again: the item's own time tells the two apart
        delivery = JetStreamDelivery(message, f"{self._stamp}.{stored_at}", item, seq, delivered)
        if self._free() <= 0:  # an old request was answered late
            await delivery.nak(0.0)
            return
        try:
            self._take(delivery)
        except Exception:  # the client library would swallow it, and the item would wait in silence
            log.exception("an item could not be taken", item=item.subject)
            await delivery.nak(EXPIRES)

    def _status(self, message: Msg) -> None:
        found = message.headers or {}
        status = found.get("Status", "")
        if status == "100":
            return
        self._asked = max(0, self._asked - int(found.get("Nats-Pending-Messages", "0")))
        if status not in {"404", "408"}:
            log.warning("pull ended", pool=self._pool, status=status, why=found.get("Description", ""))
            self._consumer = None  # looked up again, and nothing counts as asked for any more
        self._wake.set()
