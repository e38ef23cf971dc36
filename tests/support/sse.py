"""Reading server-sent events in tests, as a browser would. Knows nothing of what they say."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2


@dataclass(slots=True)
class Event:
    """One event with its data, which is JSON."""

    name: str
    id: str
    data: Any


@dataclass(slots=True)
class Reading:
    """An open stream: its answer, the comments it sent, and its events as they come."""

    answer: httpx2.Response
    last_id: str = ""
    comments: list[str] = field(default_factory=list)
    _events: AsyncIterator[Event] | None = None

    def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over what comes; ends when the server ends the stream."""
        if self._events is None:
            self._events = self._read()
        return self._events

    async def next(self, name: str | None = None) -> Event:
        """Return the next event of this name."""
        async for event in self:
            if name in {None, event.name}:
                return event
        raise EOFError("the stream has ended")

    async def _read(self) -> AsyncIterator[Event]:
        name, data = "message", ""
        async for line in self.answer.aiter_lines():
            key, _, value = line.partition(": ")
            if not line:
                if data:
                    yield Event(name, self.last_id, json.loads(data))
                name, data = "message", ""
            elif not key:
                self.comments.append(value)
            elif key == "event":
                name = value
            elif key == "id":
                self.last_id = value
            elif key == "data":
                data = value


@asynccontextmanager
async def events(client: httpx2.AsyncClient, path: str, last_id: str = "", **params: Any) -> AsyncIterator[Reading]:
    """Open a stream; `last_id` is what a browser sends when it comes back."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with client.stream("GET", path, params=params, headers=headers) as answer:
        if answer.status_code != 200:
            await answer.aread()
        yield Reading(answer)
