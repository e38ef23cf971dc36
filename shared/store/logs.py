"""LOGS: what operations print, in batches, by task and subtask. Bounded by age and bytes; never the truth."""

import json

from nats.aio.client import Client

from shared.messages import headers, subjects
from shared.runtime.direct import BatchReads
from shared.runtime.nats import Unanswered, Unreachable, request


class LogsUnavailable(Exception):  # noqa: N818  what the world did
    """The lines could not be stored, or read."""


class LogStore:
    """LOGS over one connection."""

    def __init__(self, client: Client, *, timeout: float = 5.0) -> None:
        self._client = client
        self._timeout = timeout
        self._reads = BatchReads(client)

    async def append(self, task_id: int, subtask: int, body: bytes) -> None:
        """Store one batch. Raises `LogsUnavailable`; a batch may then be stored twice by a repeat."""
        try:
            raw = await request(self._client, subjects.logs(task_id, subtask), body, timeout=self._timeout)
        except (Unreachable, Unanswered) as problem:
            raise LogsUnavailable(str(problem)) from problem
        error = json.loads(raw).get("error")
        if error:
            raise LogsUnavailable(str(error.get("description")))

    async def read(self, task_id: int, subtask: int) -> list[bytes]:
        """Return all batches of a subtask, in order. Raises `LogsUnavailable`."""
        bodies: list[bytes] = []
        after = 0
        while True:
            try:
                found, more = await self._reads.read(
                    subjects.LOGS, subjects.logs(task_id, subtask), after, 256, self._timeout
                )
            except Unreachable as problem:
                raise LogsUnavailable(str(problem)) from problem
            bodies.extend(message.data for message in found)
            if not found or not more:
                return bodies
            after = int((found[-1].headers or {})[headers.SEQUENCE])
