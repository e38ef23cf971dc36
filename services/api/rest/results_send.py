"""A download of a known kind: an attachment with a name of ours, whose meaning no browser guesses (S12).

What breaks off in the middle has no end, so that no client takes it for whole: the connection is closed instead.
"""

from collections.abc import AsyncGenerator
from typing import Final

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from services.api.rest import exchange
from services.api.rest.live.log_download import Download
from services.api.rest.policy import principal
from services.api.rest.ports import api
from shared.runtime.logging import get
from shared.store.objects import ResultsUnavailable

ZIP: Final = "application/zip"
BYTES: Final = "application/octet-stream"

log = get(__name__)


class Attachment(Download):
    """Sends pieces as they come; a client that takes nothing is cut off, and one that goes away ends the reading.

    `size` in bytes, when it is known. Each counts as one of the streams that its caller may have open.
    """

    def __init__(
        self, request: Request, pieces: AsyncGenerator[bytes], *, name: str, media: str, size: int | None = None
    ) -> None:
        super().__init__(pieces, name=name, packed=False)
        length = [(b"content-length", str(size).encode())] if size is not None else []
        kept = [(key, value) for key, value in self.raw_headers if key != b"content-type"]
        self._streams, self._who = api(request).live.streams, principal(request).name
        self.raw_headers = [*kept, (b"content-type", media.encode()), *length]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Raises 429, and what the first piece raises; what comes later is logged and ends the connection."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            with self._streams.place(self._who):
                await super().__call__(scope, receive, sending)
        except (ResultsUnavailable, TimeoutError) as error:
            if not started:
                raise
            why = str(error) or "the client took nothing"
            trace_id = exchange.of(scope).trace_id
            log.warning("a download broke off", trace_id=trace_id, path=ascii(scope["path"][:200]), why=why)
