"""A stretch of the whole log, read back in its order: what a reader of all tasks has missed. Knows no connection."""

from collections.abc import Awaitable, Callable

from services.api.rest.live.chains import Chains, item_of
from services.api.rest.live.fan import Item
from shared.log.port import LogUnavailable, Stored
from shared.log.transact import TaskLog
from shared.messages import headers, subjects
from shared.runtime.direct import BatchReads
from shared.runtime.nats import Unreachable

TIMEOUT = 5.0


class Behind:
    """For one reader; `read` is asked with rising positions."""

    def __init__(self, reads: BatchReads, task_log: TaskLog, whole: Callable[[int], Awaitable[Stored | None]]) -> None:
        self._reads = reads
        self._chains = Chains(task_log)
        self._whole = whole

    async def read(self, after: int, size: int) -> tuple[list[Item], int]:
        """Return at most `size` commits behind `after`, and the position reached. Raises `LogUnavailable`."""
        try:
            found, _ = await self._reads.read(subjects.TASKS, "tasks.*", after, size, TIMEOUT)
        except Unreachable as problem:
            raise LogUnavailable("The log cannot be reached; nothing was stored.", maybe=False) from problem
        items: list[Item] = []
        for message in found:
            about = message.headers or {}
            after = int(about[headers.SEQUENCE])
            task_id = subjects.task_of(about.get("Nats-Subject", message.subject))
            if task_id is None:
                continue
            chain = await self._chains.at(task_id, after, first=about.get(headers.EXPECTED) == "0")
            stored = Stored(after, about.get(headers.MESSAGE_ID, ""), message.data)
            items.append(await item_of(chain, stored, self._whole))
        return items, after
