"""A subtask's lines as they are printed, until the subtask has ended and all was shown. Knows nothing of HTTP.

A message that was heard is a hint to look at the store; what is sent is what is stored, so nothing is missed or doubled
over a reconnect. Lines are stored before the result they belong to is committed.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from services.api.rest.live.frame import BEAT, RETRY, frame
from services.api.rest.live.log_line import Cursor
from services.api.rest.live.log_page import Page, Pages
from shared.log.port import LogUnavailable
from shared.log.transact import TaskLog
from shared.store.logs import LogStore, LogsUnavailable
from shared.task.state import Task
from shared.task.words import SubtaskStatus

SIZE: Final = 1000
LOOK: Final = 1.0
"""How often (s) the store and the task are looked at when nothing is heard."""
STORING: Final = 0.02
"""How long (s) after a message was heard it is stored, usually."""
RESTING: Final = frozenset({SubtaskStatus.SUCCESSFUL, SubtaskStatus.FAILED})


class Follow:
    """Server-sent events of one subtask's lines; `tail`: begin with so many of the last ones, else behind `after`."""

    def __init__(
        self,
        logs: LogStore,
        log: TaskLog,
        pages: Pages,
        *,
        task_id: int,
        number: int,
        after: Cursor,
        tail: int | None,
    ) -> None:
        self._logs, self._log, self._pages = logs, log, pages
        self._task_id, self._number = task_id, number
        self._cursor, self._tail = after, tail
        self._stack = AsyncExitStack()
        self._heard = asyncio.Event()
        self._begun = self._over = False

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
        """Return new lines, empty when none came in `seconds`, None when the subtask has ended."""
        if self._over:
            return None
        try:
            return await self._look(seconds)
        except (LogsUnavailable, LogUnavailable):
            await asyncio.sleep(min(seconds, LOOK))
            return b""

    async def _look(self, seconds: float) -> bytes:
        if not self._begun:
            page = await self._pages.before(None, self._tail) if self._tail is not None else None
            self._begun = True
            if page is not None:
                return RETRY + self._shown(page)
        self._heard.clear()
        task = await self._log.load(self._task_id, fresh=True)  # first: what ended before has its lines stored
        page = await self._pages.after(self._cursor, SIZE, upto=await self._pages.last())
        if page.lines or page.more:
            return self._shown(page)
        self._cursor = page.cursor
        if ended := _ended(task, self._number):
            self._over = True
            return frame("end", {"status": ended, "cursor": str(self._cursor)}, str(self._cursor))
        await self._wait(seconds)
        return b""

    def _shown(self, page: Page) -> bytes:
        self._cursor = page.cursor
        return frame("lines", page.shown(), str(self._cursor))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(min(seconds, LOOK)):
                await self._heard.wait()
        except TimeoutError:
            return
        await asyncio.sleep(STORING)


def _ended(task: Task | None, number: int) -> str | None:
    """Return how the subtask has ended, None when more may come by itself."""
    subtask = task.find(number) if task is not None else None
    if task is None or subtask is None:
        return "GONE"
    ended = subtask.status in RESTING or (task.ended and subtask.claim is None)
    return subtask.status.value if ended else None
