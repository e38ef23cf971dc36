"""A response that lasts: server-sent events until the client goes, the process stops or the credential ends.

Knows nothing of what is sent. Whatever ends it, the source is closed and no task is left behind. A client that takes
nothing for `SEND_SECONDS` is cut off; what waits for it meanwhile is one chunk and the transport's own buffer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.api.rest import exchange
from services.api.rest.live.streams import Streams
from services.api.rest.policy import principal
from shared.runtime.logging import get

MEDIA: Final = "text/event-stream"
BEAT_SECONDS = 15.0
CHECK_SECONDS = 15.0
"""How often the credential is looked at; what is remembered of it lasts a minute at most and ends with it."""
SEND_SECONDS = 30.0
PACE = 0.05
"""How long (s) what comes in a row is collected before it is sent: bounds the cost of many clients."""

log = get(__name__)
Still = Callable[[], Awaitable[bool]]


class Source(Protocol):
    """What is sent."""

    async def open(self) -> None:
        """Begin; an error here is answered as on any other route."""

    async def next(self, seconds: float) -> bytes | None:
        """Return what there is to send, empty when nothing came in `seconds`, None at the end."""

    def beat(self) -> bytes:
        """Return what is sent when there was nothing for a while."""

    async def close(self) -> None:
        """Let go of everything."""


class EventStream(Response):
    """Sends a source's events."""

    media_type = MEDIA

    def __init__(self, request: Request, source: Source, streams: Streams) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self.raw_headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        self._source = source
        self._streams = streams
        self._who = principal(request).name
        self._still = still(request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it ends."""
        with self._streams.place(self._who) as end:
            await self._source.open()
            try:
                await self._serve(end, scope, receive, send)
            finally:
                await self._source.close()

    async def _serve(self, end: asyncio.Future[None], scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(gone(receive))
        try:
            await asyncio.wait({writing, leaving, end}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writing.cancel()
            leaving.cancel()
            found = (await asyncio.gather(writing, leaving, return_exceptions=True))[0]
        if isinstance(found, TimeoutError):
            log.warning("cut off a client that takes nothing", who=self._who, path=scope.get("path", "")[:200])
        elif isinstance(found, Exception):
            raise found
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, send: Send) -> None:
        beat = check = monotonic()
        while True:
            chunk = await self._source.next(max(0.01, min(beat + BEAT_SECONDS, check + CHECK_SECONDS) - monotonic()))
            if chunk is None:
                return
            now = monotonic()
            if now >= check + CHECK_SECONDS:
                if not await self._still():
                    return
                check = now
            if not chunk and now >= beat + BEAT_SECONDS:
                chunk = self._source.beat()
            if chunk:
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                beat = now
                await asyncio.sleep(PACE)


def still(request: Request) -> Still:
    """Return how to ask whether the caller's credential is still the same: valid, with the same rights."""
    about = exchange.of(request.scope)
    before = about.principal

    async def ask() -> bool:
        return about.again is not None and await about.again() == before

    return ask


async def gone(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
