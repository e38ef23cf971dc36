"""Task ids: small, int64, in blocks from one counter that never goes back."""

import asyncio
import json

from nats.aio.client import Client

from shared.messages import headers, subjects
from shared.runtime.nats import Unanswered, Unreachable, request
from shared.task.ids import MAX_TASK_ID

BLOCK = 100


class IdsUnavailable(Exception):  # noqa: N818  what the world did
    """No id can be had; nothing was stored."""


class TaskIds:
    """Hands out ids of its own block; a lost or unused id is never given again."""

    def __init__(self, client: Client, *, block: int = BLOCK, timeout: float = 5.0) -> None:
        self._client = client
        self._block = block
        self._timeout = timeout
        self._next = 1
        self._end = 0
        self._filling = asyncio.Lock()

    async def next(self) -> int:
        """Return a new task id. Raises `IdsUnavailable`."""
        while self._next > self._end:
            async with self._filling:
                if self._next > self._end:
                    await self._fill()
        value = self._next
        self._next += 1
        return value

    async def _fill(self) -> None:
        try:
            raw = await request(
                self._client,
                subjects.NEXT_TASK_ID,
                b"",
                headers={headers.INCREMENT: f"+{self._block}"},
                timeout=self._timeout,
            )
        except (Unreachable, Unanswered) as problem:
            raise IdsUnavailable(f"No task id can be had: {problem}.") from problem
        answer = json.loads(raw)
        if answer.get("error"):
            raise IdsUnavailable(f"No task id can be had: {answer['error'].get('description')}.")
        end = int(answer["val"])
        if end > MAX_TASK_ID:
            raise IdsUnavailable(f"Task ids are used up: {end} is beyond {MAX_TASK_ID}.")
        self._next, self._end = end - self._block + 1, end
