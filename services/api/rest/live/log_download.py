"""The whole log of a subtask as a text, sent while it is read: a few batches in memory, however long it is.

Laid out as OCP's log: a separator before each run and its end behind its lines, in the order in which lines were
stored. A client that takes nothing is waited for, so many seconds; a store that goes away breaks the connection, for
half a file must not look like a whole one.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.api.rest.live.log_line import Wanted, lines_of
from services.api.rest.live.response import SEND_SECONDS, gone
from services.api.rest.log_text import Key, LogText, Run
from shared.store.logs import LogStore


async def text_of(logs: LogStore, task_id: int, number: int, text: LogText, wanted: Wanted) -> AsyncGenerator[bytes]:
    """Yield the log in pieces. Raises `LogsUnavailable`."""
    layout = _Layout(text)
    async for stored in logs.batches(task_id, number):
        lines = [line for line in lines_of(stored) if wanted.fits(line)] if wanted.may_be_in(stored.body) else []
        if lines:
            shown = [*layout.until(lines[0].run), *(line.plain() for line in lines)]
            yield "".join(f"{line}\n" for line in shown).encode(errors="replace")
        await asyncio.sleep(0)
    rest = list(layout.rest())
    if rest:
        yield "".join(f"{line}\n" for line in rest).encode(errors="replace")


class _Layout:
    """Puts separators and ends between lines as they come."""

    def __init__(self, text: LogText) -> None:
        self._runs: list[tuple[Key | None, Run]] = list(text.runs)
        self._place = -1  # the run whose lines come now

    def until(self, key: Key) -> Iterator[str]:
        """Yield what stands between the lines so far and those of this run."""
        current = self._runs[self._place][0] if self._place >= 0 else None
        if key == current:
            return
        ahead = [place for place in range(self._place + 1, len(self._runs)) if self._runs[place][0] == key]
        if not ahead:  # late lines of a run before, or of none we know
            yield f"[run {key[0]}-{key[1]} {key[2]}]"
            return
        for place in range(self._place, ahead[0]):
            yield from self._between(place)
        self._place = ahead[0]
        yield from self._head(self._place)

    def rest(self) -> Iterator[str]:
        """Yield what stands behind the last line."""
        for place in range(self._place, len(self._runs)):
            yield from self._between(place)

    def _between(self, place: int) -> Iterator[str]:
        if place > self._place:
            yield from self._head(place)
        if place >= 0:
            yield from self._runs[place][1].end

    def _head(self, place: int) -> Iterator[str]:
        run = self._runs[place][1]
        if run.head:
            yield run.head
        yield from run.lines  # notes


class Download(Response):
    """Sends a text as a file, packed if that was asked for."""

    def __init__(self, pieces: AsyncGenerator[bytes], *, name: str, packed: bool) -> None:
        media = "application/gzip" if packed else "text/plain; charset=utf-8"
        name = f"{name}.gz" if packed else name
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        super().__init__(headers={**headers, "X-Content-Type-Options": "nosniff"}, media_type=media)
        self.raw_headers = [(key, value) for key, value in self.raw_headers if key != b"content-length"]
        self._pieces = _packed(pieces) if packed else pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  as ASGI has it
        """Send it, unless the client goes away."""
        first = await anext(self._pieces, b"")  # what cannot be read at all is answered as on any other route
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        leaving = asyncio.create_task(gone(receive))
        try:
            await _sent(send, first)
            async for piece in self._pieces:
                if leaving.done():
                    return
                await _sent(send, piece)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            await self._pieces.aclose()


async def _sent(send: Send, piece: bytes) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _packed(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    packer = zlib.compressobj(5, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    async for piece in pieces:
        if out := packer.compress(piece):
            yield out
    yield packer.flush()
