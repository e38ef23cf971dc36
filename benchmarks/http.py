"""A client that costs next to nothing: HTTP/1.1 over one kept-alive connection, one request at a time.

It has to stay out of the way of what is measured, on the same cores. It knows no more of HTTP than our API answers:
a status line, and a body whose length the header says.
"""

import asyncio
import base64
from collections.abc import Mapping
from typing import Self, cast
from urllib.parse import urlsplit

ANSWER_SECONDS = 30.0


class BadAnswer(Exception):  # noqa: N818  what the API did
    """The API answered with something else than what the benchmark asked for."""


class Connection(asyncio.Protocol):
    """One connection; `post` sends a request and returns the body of its answer."""

    def __init__(self, address: str, user: str, password: str) -> None:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._common = f"Host: {address}\r\nAuthorization: Basic {token}\r\nContent-Type: application/json\r\n"
        self._buffer = bytearray()
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.WriteTransport | None = None

    @classmethod
    async def open(cls, url: str, password: str, *, user: str = "admin") -> Self:
        """Connect to the API at `url`."""
        parts = urlsplit(url)
        _, protocol = await asyncio.get_running_loop().create_connection(
            lambda: cls(parts.netloc, user, password), parts.hostname or "", parts.port or 80
        )
        return protocol

    def request(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Return the bytes of a POST; made once, they can be sent often."""
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        return f"POST {path} HTTP/1.1\r\n{self._common}{more}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def send(self, request: bytes, *, expect: int = 201) -> bytes:
        """Send a request and return the body of its answer; BadAnswer when the status is not `expect`."""
        if self._transport is None:
            raise BadAnswer("the connection is closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(ANSWER_SECONDS):
            status, body = await self._waiting
        if status != expect:
            raise BadAnswer(f"{status} instead of {expect}: {body[:500].decode('utf-8', 'replace')}")
        return body

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits for an answer."""
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(BadAnswer(f"the API hung up ({exc or 'no reason given'})"))

    def data_received(self, data: bytes) -> None:
        """Collect an answer until it is whole."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end])
        body_end = end + 4 + content_length(head)
        if len(self._buffer) < body_end:
            return
        body = bytes(self._buffer[end + 4 : body_end])
        del self._buffer[:body_end]
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result((int(head[9:12]), body))


def content_length(head: bytes) -> int:
    """Return the body's length that a header block gives; BadAnswer when it gives none."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise BadAnswer(f"an answer without a length: {head[:200]!r}")
