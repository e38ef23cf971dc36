"""Batched Direct Gets: reading one subject of a stream back in one round trip. Knows no stream by name."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import count

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.runtime.nats import Unreachable


class BatchReads:
    """Batched Direct Gets over one standing subscription, so that a read costs one round trip."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tokens = count(1)
        self._waiting: dict[str, tuple[list[Msg], asyncio.Future[int]]] = {}
        self._inbox: str | None = None
        self._opening = asyncio.Lock()

    async def read(
        self,
        stream: str,
        subject: str,
        after: int,
        batch: int,
        timeout: float,  # noqa: ASYNC109  the caller's patience, in seconds
    ) -> tuple[list[Msg], bool]:
        """Return up to `batch` messages of `subject` behind sequence `after`, and whether more follow.

        A message's sequence and time stand in its headers `Nats-Sequence` and `Nats-Time-Stamp`. Raises `Unreachable`.
        """
        messages, pending = await self.counted(stream, subject, after, batch, timeout)
        return messages, pending > 0

    async def counted(
        self,
        stream: str,
        subject: str,
        after: int,
        batch: int,
        timeout: float,  # noqa: ASYNC109  the caller's patience, in seconds
    ) -> tuple[list[Msg], int]:
        """Return the same messages, and how many more follow."""
        if not self._client.is_connected:
            raise Unreachable("not connected to NATS")
        if self._inbox is None:
            await self._open()
        token = str(next(self._tokens))
        messages: list[Msg] = []
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[token] = (messages, done)
        query = json.dumps({"seq": after + 1, "next_by_subj": subject, "batch": batch}).encode()
        try:
            await self._client.publish(f"$JS.API.DIRECT.GET.{stream}", query, reply=f"{self._inbox}.{token}")
            async with asyncio.timeout(timeout):
                pending = await done
        except (TimeoutError, NatsError, OSError) as error:
            raise Unreachable(f"{stream} does not answer reads: {error or 'time-out'}") from error
        finally:
            self._waiting.pop(token, None)
        return messages, pending

    async def _open(self) -> None:
        async with self._opening:
            if self._inbox is None:
                inbox = self._client.new_inbox()
                callback: Callable[[Msg], Awaitable[None]] = self._arrived
                try:
                    await self._client.subscribe(f"{inbox}.*", cb=callback)
                except (NatsError, OSError) as error:
                    raise Unreachable(str(error)) from error
                self._inbox = inbox

    async def _arrived(self, message: Msg) -> None:
        waiting = self._waiting.get(message.subject.rpartition(".")[2])
        if waiting is None:
            return
        messages, done = waiting
        found = message.headers or {}
        status = found.get("Status")
        if status is None:
            messages.append(message)
        elif not done.done():
            if status == "204":
                done.set_result(int(found.get("Nats-Num-Pending", "0")))
            elif status == "404":
                done.set_result(0)
            else:
                done.set_exception(Unreachable(f"{status} {found.get('Description', '')}".strip()))
