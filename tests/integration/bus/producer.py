"""A producer as it would be written outside: signs, sends into the stream, waits for the answer in its inbox."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
from nats.aio.client import Client

from services.api.access import Role
from shared.messages import headers, signing, subjects
from shared.runtime.clock import now
from shared.runtime.nats import request
from tests.integration.api.harness import ServedApi

SECRETS_KEY = secrets.token_hex(32)
PATIENCE = 10.0


@dataclass(slots=True)
class Producer:
    """Somebody with an access key and a connection."""

    nats: Client
    access_key: str
    secret: str

    async def send(
        self,
        word: str,
        body: Any,
        *,
        key: str | None = None,
        date: str | None = None,
        reply_to: str | None = None,
        without: tuple[str, ...] = (),
        **more: str,
    ) -> dict[str, Any]:
        """Put a signed command into the stream; return the stream's answer. `without` leaves headers out."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        subject, date = subjects.command(word), date or now().isoformat()
        found = {
            signing.DATE: date,
            signing.AUTHORIZATION: signing.authorization(self.access_key, self.secret, subject, date, key, raw),
            **({headers.IDEMPOTENCY_KEY: key} if key is not None else {}),
            **({headers.REPLY_TO: reply_to} if reply_to is not None else {}),
            **more,
        }
        kept = {name: value for name, value in found.items() if name not in without}
        stored: dict[str, Any] = json.loads(await request(self.nats, subject, raw, headers=kept))
        return stored

    async def ask(self, word: str, body: Any, **how: Any) -> dict[str, Any]:
        """Send a command and return the answer to it."""
        async with self.inbox() as inbox:
            stored = await self.send(word, body, reply_to=inbox.subject, **how)
            assert "error" not in stored, stored
            return await inbox.next()

    @contextlib.asynccontextmanager
    async def inbox(self, subject: str | None = None) -> AsyncIterator["Inbox"]:
        """Answers that arrive while the block lasts, in an inbox of its own or on `subject`."""
        inbox = Inbox(subject or self.nats.new_inbox())
        subscription = await self.nats.subscribe(inbox.subject, cb=inbox.take)
        await self.nats.flush()
        try:
            yield inbox
        finally:
            await subscription.unsubscribe()


class Inbox:
    """What arrived on a subject."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self._found: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def take(self, message: Any) -> None:
        """Keep one message."""
        self._found.put_nowait(json.loads(message.data))

    async def next(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """The next one; AssertionError when none comes."""
        try:
            async with asyncio.timeout(seconds):
                return await self._found.get()
        except TimeoutError:
            raise AssertionError(f"no answer on {self.subject} within {seconds:g} s") from None

    @property
    def empty(self) -> bool:
        """Whether nothing has arrived that was not taken."""
        return self._found.empty()


async def producer(api: ServedApi, role: Role = Role.TASK_MANAGER, **more: Any) -> Producer:
    """A producer with a token of this role."""
    return await producer_at(api.admin, api.nats, role, **more)


async def producer_at(admin: httpx2.AsyncClient, nats: Client, role: Role = Role.TASK_MANAGER, **more: Any) -> Producer:
    """A producer with a token of this role, made by that administrator."""
    name = f"{role.value.lower()}-{secrets.token_hex(3)}"
    answer = await admin.post("/api/v2/tokens", json={"name": name, "role": role.value, **more})
    assert answer.status_code == 201, answer.text
    made = answer.json()["data"]
    return Producer(nats, made["access_key"], made["secret_key"])
