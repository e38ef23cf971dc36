"""The API's live events of one task, picked up again where they broke off.

Responsible for: reading server-sent events, and coming back with `Last-Event-ID`. Refuses to know: what events mean.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx2

from opsledger.cli.rest.client import Client
from opsledger.cli.rest.trouble import Unreachable
from opsledger.cli.rest.view import mapping, objects

EVENTS = "/api/v2/events"
PAUSE_SECONDS = 1.0
"""Before coming back after a break."""
_LONGEST_PAUSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    id: str
    kind: str
    data: Mapping[str, Any]


async def decisions(client: Client, task_id: int, after: int) -> AsyncIterator[list[Mapping[str, Any]] | None]:
    """Each commit's decisions behind log position `after`, for ever; None when the stream broke off and is sought."""
    seen, pause = str(after), PAUSE_SECONDS
    while True:
        try:
            async with client.stream(EVENTS, _headers(seen), task=task_id, after=after) as response:
                async for event in _events(response):
                    seen, pause = event.id or seen, PAUSE_SECONDS
                    if event.kind == "commit":
                        yield objects(event.data.get("decisions"))
        except Unreachable:
            yield None
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)


def _headers(seen: str) -> dict[str, str]:
    return {"Accept": "text/event-stream", "Cache-Control": "no-store", "Last-Event-ID": seen}


async def _events(response: httpx2.Response) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line:
            if "data" in fields:
                yield Event(fields.get("id", ""), fields.get("event", "message"), _object(fields["data"]))
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value


def _object(text: str) -> Mapping[str, Any]:
    with suppress(ValueError):
        return mapping(json.loads(text))
    return {}
