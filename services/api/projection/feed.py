"""The log in order, from a position on: an ordered push consumer of our own over nats-py. Knows no commit.

The server pushes what is stored and waits whenever its flow control message is not answered; it is answered when what
came before it was taken, so a slow taker bounds what is held in memory. Every message must carry the next stream
sequence. Whatever goes wrong (a gap, a missed heartbeat, a lost connection or consumer) ends the feed with
`FeedBroken`; who reads it opens a new one behind the last message used (T22, F11, F18).
"""

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from shared.messages import headers, subjects
from shared.runtime.nats import ApiError, Unanswered, Unreachable, api

NANOSECONDS = 1_000_000_000
LINGER_SECONDS = 30
"""How long the server keeps a consumer that nobody listens to."""
TICK = 0.2
"""How often an idle feed looks at its connection, in seconds."""
STALLED = "Nats-Consumer-Stalled"
LAST_STREAM = "Nats-Last-Stream"


class FeedBroken(Exception):  # noqa: N818  what the world did
    """The feed ended. `gap` is the sequence that did not come when another one did, else 0."""

    def __init__(self, message: str, *, gap: int = 0) -> None:
        super().__init__(message)
        self.gap = gap


@dataclass(slots=True, eq=False)
class Message:
    """A message of the log. `first` tells that the server took it as the first one of its subject."""

    seq: int
    subject: str
    body: bytes
    id: str
    first: bool


class Feed:
    """One ordered reading of the log. `heartbeat` (s): how often the server says that there is nothing new."""

    def __init__(self, client: Client, *, heartbeat: float = 1.0, name: str = "projector") -> None:
        self._client = client
        self._heartbeat = heartbeat
        self._name = f"{name}-{secrets.token_hex(6)}"
        self._buffer: deque[Message | str] = deque()  # a string is a flow control message to answer
        self._stirred = asyncio.Event()
        self._subscription: Subscription | None = None
        self._connects = 0
        self._heard = 0.0
        self._broken: FeedBroken | None = None
        self._next = 0
        self.duplicates = 0

    async def open(self, after: int) -> None:
        """Begin behind sequence `after`. Raises `FeedBroken`."""
        self._next = after + 1
        self._connects = self._reconnects()
        inbox = self._client.new_inbox()
        try:
            self._subscription = await self._client.subscribe(inbox, cb=self._arrived)
            await api(self._client, f"CONSUMER.CREATE.{subjects.TASKS}.{self._name}", self._settings(inbox))
        except (ApiError, Unreachable, Unanswered, NatsError, OSError) as error:
            raise FeedBroken(f"the log cannot be followed: {error or type(error).__name__}") from error
        self._heard = monotonic()

    async def take(self, limit: int) -> list[Message]:
        """Return the next messages, at most `limit`, as soon as there is one. Raises `FeedBroken`."""
        found: list[Message] = []
        while not found:
            await self._stir()
            while self._buffer and len(found) < limit:
                item = self._buffer.popleft()
                if isinstance(item, str):
                    await self._answer(item)
                else:
                    found.append(item)
        return found

    @property
    def waiting(self) -> int:
        """How many messages have arrived and were not taken."""
        return len(self._buffer)

    async def close(self) -> None:
        """Stop listening, and tell the server when it can be told."""
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        try:
            await subscription.unsubscribe()
            if self._client.is_connected:
                await self._client.publish(f"$JS.API.CONSUMER.DELETE.{subjects.TASKS}.{self._name}")
        except (NatsError, OSError):
            return  # it ends by itself after LINGER_SECONDS

    def _settings(self, inbox: str) -> dict[str, Any]:
        return {
            "stream_name": subjects.TASKS,
            "config": {
                "name": self._name,
                "deliver_subject": inbox,
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": self._next,
                "ack_policy": "none",
                "max_deliver": 1,
                "flow_control": True,
                "idle_heartbeat": int(self._heartbeat * NANOSECONDS),
                "inactive_threshold": LINGER_SECONDS * NANOSECONDS,
                "mem_storage": True,
                "num_replicas": 1,
            },
        }

    def _reconnects(self) -> int:
        return int(self._client.stats["reconnects"])

    async def _stir(self) -> None:
        """Wait until something is in the buffer; the watchdog looks only while nothing is."""
        while not self._buffer:
            if self._broken is not None:
                raise self._broken
            if not self._client.is_connected or self._reconnects() != self._connects:
                raise FeedBroken("the connection was lost")
            self._stirred.clear()
            try:
                async with asyncio.timeout(TICK):
                    await self._stirred.wait()
            except TimeoutError:
                if monotonic() - self._heard > 3 * self._heartbeat:
                    raise FeedBroken("no heartbeat of the consumer") from None

    async def _answer(self, reply: str) -> None:
        try:
            await self._client.publish(reply)
        except (NatsError, OSError) as error:
            raise FeedBroken("the connection was lost") from error

    async def _arrived(self, message: Msg) -> None:
        self._heard = monotonic()
        reply = message.reply
        if not reply.startswith("$JS.ACK."):
            self._control(message)
        elif self._broken is None:
            # $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.…, or the same with domain and account before
            tokens = reply.split(".")
            seq = int(tokens[5] if len(tokens) == 9 else tokens[7])
            if seq == self._next:
                self._next += 1
                found = message.headers or {}
                self._buffer.append(
                    Message(
                        seq,
                        message.subject,
                        message.data,
                        found.get(headers.MESSAGE_ID, ""),
                        found.get(headers.EXPECTED) == "0",
                    )
                )
            elif seq < self._next:
                self.duplicates += 1
            else:
                self._broken = FeedBroken(f"message {seq} came in place of {self._next}", gap=self._next)
        self._stirred.set()

    def _control(self, message: Msg) -> None:
        """Take in a heartbeat or a flow control message."""
        found = message.headers or {}
        reply = message.reply or found.get(STALLED, "")
        if reply and reply not in self._buffer:
            self._buffer.append(reply)
        last = found.get(LAST_STREAM, "")
        if last.isdigit() and int(last) >= self._next and self._broken is None:
            self._broken = FeedBroken(f"message {self._next} did not come, {last} was sent", gap=self._next)
