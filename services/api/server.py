"""The HTTP server: uvicorn, asked to stop in order. Knows no route."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn


class Server(uvicorn.Server):
    """Ends with code 0 when asked to stop; the library would raise the signal once more.

    `stopping` is called before open connections are waited for: what would never end by itself ends then.
    """

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take INT and TERM as wishes to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end what is open, wait for the rest."""
        self._stopping()
        await super().shutdown(sockets)
