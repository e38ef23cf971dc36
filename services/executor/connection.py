"""The connection to the log: is it the log the APIs know, at the start and after every reconnect (P12)?

Refuses to know what runs: whoever watches says what is to be done when the connection is back.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from shared.log.jetstream import JetStreamStorage
from shared.log.port import NotStored
from shared.log.transact import TaskLog
from shared.runtime.logging import get
from shared.runtime.nats import ApiError, Unanswered, Unreachable

LOOK_SECONDS = 0.2

log = get(__name__)


class LogRegression(Exception):  # noqa: N818  what the world did
    """The log is not the one the APIs know, or it is shorter than what was seen: nothing may run."""


class Client(Protocol):
    """What a client tells of its connection."""

    stats: dict[str, int]

    @property
    def is_connected(self) -> bool:
        """Whether it is connected now."""


class Connection:
    """One executor's connection to the log. `ask_api` sends a `log.check` request and returns the answer."""

    def __init__(self, storage: JetStreamStorage, task_log: TaskLog, ask_api: Callable[[], Awaitable[bytes]]) -> None:
        self._storage = storage
        self._log = task_log
        self._ask_api = ask_api

    async def open(self) -> None:
        """Open the log, waiting for `opsledger init` if need be, and check it. Raises `LogRegression`."""
        said = False
        known = self._storage.created
        while True:
            try:
                await self._storage.open()
                await self._check(known)
            except (ApiError, Unreachable, Unanswered, NotStored) as problem:
                if not said:
                    log.warning("no log yet; waiting for it (has `opsledger init` run?)", why=str(problem))
                said = True
                await asyncio.sleep(0.5)
            else:
                return

    async def watch(self, client: Client, on_return: Callable[[], None]) -> None:
        """After a reconnect: check the log, trust nothing that was cached, then say so. Raises `LogRegression`."""
        connected, seen = True, client.stats["reconnects"]
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            reconnects = client.stats["reconnects"]
            if client.is_connected and (reconnects != seen or not connected):
                seen = reconnects
                self._log.forget()
                await self.open()
                on_return()
                log.info("connected again")
            connected = client.is_connected

    async def _check(self, known: str) -> None:
        """Compare the log with what this executor and the APIs have seen; an API outage stops no work.

        What was seen is asked before the log's tail: commits in between must not look like a regression.
        """
        if known and self._storage.created != known:
            raise LogRegression(f"TASKS was created {self._storage.created}; the one known here was created {known}.")
        seen = self._log.highest
        answer = await self._answer()
        tail = await self._storage.tail()
        if tail["last_seq"] < seen:
            raise LogRegression(f"TASKS ends at {tail['last_seq']}; this executor has seen {seen}.")
        created, highest = answer.get("created"), int(answer.get("highest") or 0)
        if created is not None and (created != tail["created"] or highest > tail["last_seq"]):
            raise LogRegression(
                f"TASKS ends at {tail['last_seq']} and was created {tail['created']}, but the API has seen "
                f"{highest} of the one created {created}."
            )

    async def _answer(self) -> dict[str, Any]:
        try:
            answer = json.loads(await self._ask_api())
        except (Unreachable, Unanswered, ValueError):
            return {}
        return answer if isinstance(answer, dict) else {}
