"""Executors and queue, live: drawn anew every two seconds while somebody looks, and sent when they look different.

What executors say stands in no log, so there is nothing to wait for. "12 s ago" is no difference: browsers count that.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console import executors, pages, queue
from services.api.console.live_address import page_of
from services.api.rest.errors import OUTAGES, Problem
from services.api.rest.live.frame import BEAT, RETRY, frame
from services.api.rest.live.response import EventStream
from services.api.rest.policy import needs
from services.api.rest.ports import api
from shared.queue.port import QueueUnavailable
from shared.runtime.clock import now

EVERY: Final = 2.0
"""How often (s) a page is drawn."""
PIECE: Final = "installation"
_TIME: Final = re.compile(r"(<time [^>]*>)[^<]*")

Context = Callable[[Request], Awaitable[dict[str, Any]]]


class Watched:
    """One reader's page: the first event is all of it, later ones what is different."""

    def __init__(self, template: str, context: Context, request: Request) -> None:
        self._template, self._context, self._request = template, context, request
        self._last: str | None = None
        self._over = False

    async def open(self) -> None:
        """Nothing to prepare."""

    async def next(self, seconds: float) -> bytes | None:
        """Return the page's piece when it looks different; `reset` and the end when there is no such page now."""
        if self._over:
            return None
        first = self._last is None
        if not first:
            await asyncio.sleep(min(seconds, EVERY))
        try:
            drawn = await self._drawn()
        except Problem:
            self._over = True
            return frame("reset", {"reason": "gone"})
        except (*OUTAGES, QueueUnavailable):
            return b""
        plain = _TIME.sub(r"\1", drawn)
        if plain == self._last:
            return b""
        self._last = plain
        return (RETRY if first else b"") + frame("patch", {PIECE: drawn})

    async def _drawn(self) -> str:
        context = {"now": now(), **await self._context(self._request)}
        return pages.pieces(self._template, leaving=_Others(), **context)[PIECE]

    def beat(self) -> bytes:
        """Return what is sent when nothing looked different for a while."""
        return BEAT

    async def close(self) -> None:
        """Nothing is held."""


class _Others:
    """Every block of a template but the piece."""

    def __contains__(self, name: object) -> bool:
        return name != PIECE


def _live(template: str, context: Context) -> Callable[[Request], Awaitable[Response]]:
    @needs(Permission.READ)
    async def live(request: Request) -> Response:
        """Send a page of the installation as it changes."""
        return EventStream(request, Watched(template, context, page_of(request)), api(request).live.streams)

    return live


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/live/executors", _live("executors.html", executors.listed)),
    ("GET", "/live/executors/{incarnation}", _live("executor.html", executors.shown)),
    ("GET", "/live/queue", _live("queue.html", queue.shown)),
)
