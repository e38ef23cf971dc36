"""A subtask's lines as they are printed, until the subtask has ended and all was shown. Knows nothing of HTTP.

Lines are stored before the result they belong to is committed.
"""

from typing import Final

from services.api.rest.live.frame import RETRY, frame
from services.api.rest.live.log_line import Cursor
from services.api.rest.live.log_page import Page, Pages
from services.api.rest.live.log_source import LOOK, LogSource
from shared.log.transact import TaskLog
from shared.store.logs import LogStore
from shared.task.state import Task
from shared.task.words import SubtaskStatus

SIZE: Final = 1000
RESTING: Final = frozenset({SubtaskStatus.SUCCESSFUL, SubtaskStatus.FAILED})


class Follow(LogSource):
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
        super().__init__(logs, task_id, number)
        self._log, self._pages = log, pages
        self._cursor, self._tail = after, tail
        self._begun = self._over = False

    async def _more(self, seconds: float) -> bytes | None:
        if self._over:
            return None
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
        await self._hear(min(seconds, LOOK))
        return b""

    def _shown(self, page: Page) -> bytes:
        self._cursor = page.cursor
        return frame("lines", page.shown(), str(self._cursor))


def _ended(task: Task | None, number: int) -> str | None:
    """Return how the subtask has ended, None when more may come by itself."""
    subtask = task.find(number) if task is not None else None
    if task is None or subtask is None:
        return "GONE"
    ended = subtask.status in RESTING or (task.ended and subtask.claim is None)
    return subtask.status.value if ended else None
