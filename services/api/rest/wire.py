"""The server's HTTP protocol with bounds on what comes before a request is one: its head's size, and its time.

The server's own parser gathers a head of any length, and waits for it for ever.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD: Final = 64 * 1024
"""Bytes of a head that is not at its end yet; finished ones are bounded by the gate, which answers in our envelope."""
HEAD_SECONDS: Final = 20.0
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 28\r\nconnection: close\r\n\r\n"
    b"The request head is too big."
)


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    _size = 0
    _head = True
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the library's own
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; close when the head only grows."""
        super().data_received(data)
        if not self._head or self.transport.is_closing():
            return
        self._size += len(data)
        if self._size > MAX_HEAD:
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._timer is None:
            self._wait()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head, self._size = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is there."""
        self._head, self._size = False, 0
        self._stop()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
