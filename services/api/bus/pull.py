"""The intake's pull loop: asks for as many commands as there are free slots, hands each over, and heals by itself.

FastStream's pull subscriber is not used: while NATS was away it started its loop anew thousands of times a second, it
says nothing when the consumer is gone, and it prefetches (decision 9). Knows nothing of what a command means.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.api.bus.consumer import bind
from shared.messages import subjects
from shared.runtime.logging import get
from shared.runtime.nats import ApiError, Unanswered, Unreachable

EXPIRES: Final = 5.0
"""How long (s) the server keeps a request open."""
PAUSE: Final = 0.5

log = get(__name__)


class Pull:
    """Pulls for ever. `free`: how many may be taken now; `take` returns at once."""

    def __init__(
        self, client: Client, *, ack_wait: float, free: Callable[[], int], take: Callable[[Msg, str], None]
    ) -> None:
        self._client = client
        self._ack_wait = ack_wait
        self._free = free
        self._take = take
        self._consumer: str | None = None
        self._stamp = ""
        self._inbox = ""
        self._reconnects = -1
        self._asked = 0
        self._heard = 0.0
        self._wake = asyncio.Event()
        self._said = False

    @property
    def bound(self) -> bool:
        """Whether there is a consumer to pull from."""
        return self._consumer is not None

    def wake(self) -> None:
        """A slot has become free."""
        self._wake.set()

    async def run(self) -> None:
        """Pull until cancelled; whatever the outage, go on after it."""
        while True:
            try:
                await self._turn()
            except (ApiError, Unreachable, Unanswered, NatsError, OSError) as problem:
                self._lost(str(problem))
                await asyncio.sleep(PAUSE)

    async def _turn(self) -> None:
        if not self._client.is_connected:
            raise Unreachable("not connected to NATS")
        if self._consumer is None or self._reconnects != self._client.stats["reconnects"]:
            await self._bind()
        await self._ask()
        try:
            async with asyncio.timeout(1.0):
                await self._wake.wait()
        except TimeoutError:
            if self._asked and monotonic() - self._heard > EXPIRES + 1.5:
                raise Unanswered("requests for commands went unanswered") from None

    def _lost(self, why: str) -> None:
        if not self._said:
            log.warning("no commands can be taken from the bus; waiting", why=why)
        self._said, self._consumer = True, None

    async def _bind(self) -> None:
        self._reconnects = self._client.stats["reconnects"]
        found = await bind(self._client, self._ack_wait)
        if found is None:
            raise Unreachable(f"there is no stream {subjects.COMMANDS}: run `python -m services.api init`")
        if not self._inbox:
            inbox = self._client.new_inbox()
            await self._client.subscribe(inbox, cb=self._arrived)
            self._inbox = inbox
        self._stamp, self._consumer = found
        self._asked, self._heard = 0, monotonic()
        if self._said:
            log.info("commands are taken from the bus again", consumer=self._consumer)
        self._said = False

    async def _ask(self) -> None:
        self._wake.clear()
        wanted = self._free() - self._asked
        if wanted <= 0:
            return
        if not self._asked:
            self._heard = monotonic()
        self._asked += wanted
        await self._client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{subjects.COMMANDS}.{self._consumer}",
            b'{"batch":%d,"expires":%d}' % (wanted, int(EXPIRES * 1e9)),
            reply=self._inbox,
        )

    async def _arrived(self, message: Msg) -> None:
        self._heard = monotonic()
        if message.subject == self._inbox:
            self._status(message)
            return
        self._asked = max(0, self._asked - 1)
        try:
            self._take(message, self._stamp)
        except Exception:  # the client library would swallow it; the message comes back after AckWait
            log.exception("a command could not be taken", subject=message.subject[:100])

    def _status(self, message: Msg) -> None:
        found = message.headers or {}
        status = found.get("Status", "")
        if status == "100":
            return
        self._asked = max(0, self._asked - int(found.get("Nats-Pending-Messages", "0")))
        if status not in {"404", "408"}:
            self._lost(f"{status} {found.get('Description', '')}")
        self._wake.set()
