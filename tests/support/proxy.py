"""A TCP proxy that misbehaves on demand: half-open, one-way, slow, byte-wise, reset (fault F8).

Knows nothing of the protocol that passes through it. A fault holds for open and new connections alike, until `heal`.
While a direction drops or holds, the end of a connection does not pass either: the other side sees silence.
"""

import asyncio
import contextlib
import dataclasses
import socket
import struct
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

Way = Literal["to_server", "to_client"]
BOTH: tuple[Way, Way] = ("to_server", "to_client")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of bytes that go one way."""

    mode: Literal["pass", "drop", "hold"] = "pass"
    delay_seconds: float = 0.0
    piece: int = 65_536


class Proxy:
    """Listens on `port` of 127.0.0.1 and passes everything on to one server; use it as an async context."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.port = 0
        self._target = (host, port)
        self._fates: dict[Way, Fate] = dict.fromkeys(BOTH, Fate())
        self._accepting = True
        self._healed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()

    @classmethod
    def before(cls, url: str) -> Self:
        """A proxy before the server that a URL with a port names."""
        parts = urlsplit(url)
        if parts.port is None:
            raise ValueError("the URL names no port")
        return cls(parts.port, parts.hostname or "127.0.0.1")

    def url(self, url: str) -> str:
        """The same URL with the proxy's address in place of the server's."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))

    @property
    def connections(self) -> int:
        """How many connections pass through it now."""
        return len(self._connections)

    def drop(self, *ways: Way) -> None:
        """Swallow what goes these ways (default: both)."""
        self._set(Fate("drop"), ways)

    def hold(self, *ways: Way) -> None:
        """Keep what goes these ways (default: both) until healed, then pass it on."""
        self._set(Fate("hold"), ways)

    def slow(self, *ways: Way, delay_seconds: float, piece: int = 65_536) -> None:
        """Wait before every piece that goes these ways (default: both); `piece=1` lets bytes trickle."""
        self._set(Fate("pass", delay_seconds, piece), ways)

    def reset(self, *, refuse: bool = False) -> None:
        """End every connection with RST; with `refuse`, new ones too until healed."""
        self._accepting = not refuse
        for writer in tuple(self._writers):
            _abort(writer)

    def turn_to(self, port: int, host: str = "127.0.0.1") -> None:
        """Send new connections to another server."""
        self._target = (host, port)

    def heal(self) -> None:
        """Pass everything again, what was held first, and accept connections."""
        self._set(Fate(), BOTH)
        self._accepting = True
        self._healed.set()

    def _set(self, fate: Fate, ways: tuple[Way, ...]) -> None:
        self._healed.clear()
        self._fates.update(dict.fromkeys(ways or BOTH, fate))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in tuple(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._pass_on(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        self._writers.add(writer)
        try:
            if not self._accepting:
                return
            server_reader, server_writer = await asyncio.open_connection(*self._target)
            ends.append(server_writer)
            self._writers.add(server_writer)
            there = asyncio.create_task(self._pump(reader, server_writer, "to_server"))
            back = asyncio.create_task(self._pump(server_reader, writer, "to_client"))
            try:
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                back.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
        except OSError:
            return  # the server refuses: so does the proxy
        finally:
            for end in ends:
                self._writers.discard(end)
                _abort(end)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self._fates[way].mode == "hold":
                    await self._healed.wait()
                fate = self._fates[way]
                if fate.mode == "drop":
                    continue
                for start in range(0, len(data), fate.piece):
                    await asyncio.sleep(fate.delay_seconds)
                    writer.write(data[start : start + fate.piece])
                    await writer.drain()
        if self._fates[way].mode != "pass":
            await self._healed.wait()


def _abort(writer: asyncio.StreamWriter) -> None:
    peer = writer.get_extra_info("socket")
    if peer is not None and not writer.transport.is_closing():
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
