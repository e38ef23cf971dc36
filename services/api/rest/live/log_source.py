"""What sends a subtask's lines as they are printed: listens to its log, and waits out outages. Draws no line.

A message that was heard is a hint to look at the store; what is sent is what is stored, so nothing is missed or doubled
over a reconnect.
"""

import asyncio
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from typing import Final

from services.api.rest.live.frame import BEAT
from shared.log.port import LogUnavailable
from shared.store.logs import LogStore, LogsUnavailable

LOOK: Final = 1.0
"""How often (s) the store is looked at when nothing is heard."""
STORING: Final = 0.02
"""How long (s) after a message was heard it is stored, usually."""


class LogSource(ABC):
    """A source of events about one subtask's log."""

    def __init__(self, logs: LogStore, task_id: int, number: int) -> None:
        self._logs, self._task_id, self._number = logs, task_id, number
        self._stack = AsyncExitStack()
        self._heard = asyncio.Event()

    async def open(self) -> None:
        """Begin to listen. Raises `LogsUnavailable`."""
        self._heard = await self._stack.enter_async_context(self._logs.heard(self._task_id, self._number))

    async def close(self) -> None:
        """Listen no more."""
        await self._stack.aclose()

    def beat(self) -> bytes:
        """Return what is sent when there was nothing for a while."""
        return BEAT

    async def next(self, seconds: float) -> bytes | None:
        """Return what is new, empty when nothing came in `seconds`, None at the end."""
        try:
            return await self._more(seconds)
        except (LogsUnavailable, LogUnavailable):
            await asyncio.sleep(min(seconds, LOOK))
            return b""

    @abstractmethod
    async def _more(self, seconds: float) -> bytes | None:
        """Return what is new. Raises `LogsUnavailable`, `LogUnavailable`."""

    async def _hear(self, seconds: float) -> bool:
        """Wait at most `seconds` until something was heard and is stored; return whether it was."""
        try:
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(STORING)
        return True
