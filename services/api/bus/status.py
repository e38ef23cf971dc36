"""Status events: `events.<type>` on core NATS for whoever wants to listen. At most once, and never the truth.

The active projector hands over what it took in after its transaction, so a reader that asks the view afterwards finds
what it heard. Sending never holds the projector up: what does not fit into the buffer is dropped and counted.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic_core import to_json

from shared.messages import subjects
from shared.messages.commit import Commit
from shared.task.events import EVENT_TYPES

BUFFER = 4096
"""How many commits wait to be sent at most."""


class Applied(Protocol):
    """A commit that the view has taken in."""

    @property
    def seq(self) -> int:
        """Its log position."""

    @property
    def commit(self) -> Commit:
        """The commit."""


class StatusEvents:
    """Publishes over one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: deque[tuple[int, Commit]] = deque()
        self._stirred = asyncio.Event()
        self.published = 0
        self.dropped = 0

    def applied(self, position: int, commits: Sequence[Applied]) -> None:  # noqa: ARG002  the projector's listener
        """Take over what the projector has written; returns at once."""
        room = BUFFER - len(self._waiting)
        self._waiting.extend((found.seq, found.commit) for found in commits[:room])
        self.dropped += max(0, len(commits) - room)
        if commits:
            self._stirred.set()

    async def run(self) -> None:
        """Send what waits, for ever."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self._waiting:
                await self._send(*self._waiting.popleft())
                await asyncio.sleep(0)

    async def _send(self, seq: int, commit: Commit) -> None:
        for decision in commit.decisions:
            for event in decision.events:
                if event.type not in EVENT_TYPES:  # a newer program's event: its name never becomes a subject
                    continue
                message = {
                    "task": commit.task,
                    "seq": seq,
                    "at": decision.at,
                    "by": decision.by,
                    "event": event,
                }
                try:
                    await self._client.publish(
                        subjects.status_event(event.type), to_json(message, exclude_none=True, inf_nan_mode="null")
                    )
                except (NatsError, OSError):
                    self.dropped += 1
                else:
                    self.published += 1
