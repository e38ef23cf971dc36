"""What the log says of one subtask's runs, kept between pages and streams that show it: read once, then what is new.

A task of thousands of subtasks has as many commits; nobody who opens its page should wait for them twice. Bounded.
"""

import asyncio
from collections import OrderedDict
from datetime import datetime
from functools import lru_cache
from typing import Final

from services.api.rest.live.at import Moment
from services.api.rest.live.log_runs import RunAbout, concerns, runs_of
from services.api.rest.log_text import LogText
from services.api.rest.logs import take
from shared.log.transact import TaskLog

KEPT: Final = 256
"""Of how many subtasks it is kept."""


class History:
    """The runs of one subtask, of the past those that there were at a `moment`. Shared by readers: none changes it."""

    def __init__(self, log: TaskLog, task_id: int, number: int, moment: Moment | None = None) -> None:
        self._log, self._task_id, self._number, self._moment = log, task_id, number, moment
        self._lock = asyncio.Lock()
        self._seq = 0
        self.text = LogText(task_id, number)
        self.abouts: list[RunAbout] = []
        self.until: datetime | None = None
        """Up to when, for who looks at the past."""

    async def extend(self) -> None:
        """Read what was committed since. Raises `LogUnavailable`."""
        async with self._lock:
            found = await self._log.history(self._task_id, self._seq)
            if self._moment is not None:
                found = [stored for stored in found if self._moment.reaches(self._task_id, stored)]
                self.until = self._moment.time or (found[-1].stored_at if found else self.until)
            for stored in found:
                if concerns(stored, self._number):
                    take(self.text, stored)
                self._seq = stored.seq
            self.abouts += runs_of(found, self._number)


def history_of(log: TaskLog, task_id: int, number: int) -> History:
    """Return what is kept of a subtask."""
    kept = _kept(log)
    found = kept.setdefault((task_id, number), History(log, task_id, number))
    kept.move_to_end((task_id, number))
    while len(kept) > KEPT:
        kept.popitem(last=False)
    return found


@lru_cache(maxsize=1)
def _kept(_: TaskLog) -> OrderedDict[tuple[int, int], History]:
    """One for the process's log."""
    return OrderedDict()
