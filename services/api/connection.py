"""The connection to the log: opening it at the start, and looking twice after every reconnect."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from services.api.projection.faults import ViewUnavailable
from shared.log.jetstream import JetStreamStorage
from shared.log.port import NotStored
from shared.log.transact import TaskLog
from shared.runtime.logging import get
from shared.runtime.nats import ApiError, Unanswered, Unreachable

LOOK_SECONDS = 0.2

log = get(__name__)


class CannotStart(Exception):  # noqa: N818  what the world did
    """Something this needs is not there; the message says what to do."""


async def open_log(storage: JetStreamStorage, seconds: float) -> None:
    """Open the log, waiting at most so long for it. Raises `CannotStart`."""
    why = "no answer"
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await storage.open()
                except (ApiError, Unreachable, Unanswered) as problem:
                    why = str(problem)
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise CannotStart(f"there is no log ({why}): run `python -m services.api init` first") from None


class Connection(Protocol):
    """What a client tells of its connection."""

    stats: dict[str, int]

    @property
    def is_connected(self) -> bool:
        """Whether it is connected now."""


async def watch(client: Connection, task_log: TaskLog, check: Callable[[], Awaitable[None]]) -> None:
    """After a reconnect the log may be another one: check it, and trust nothing that was cached.

    Raises what `check` raises when the log has forgotten something.
    """
    connected, seen = True, client.stats["reconnects"]
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        here, reconnects = client.is_connected, client.stats["reconnects"]
        if connected and not here:
            log.warning("NATS is away: reads go on, commands are refused")
        if here and (reconnects != seen or not connected):
            task_log.forget()
            try:
                await check()
            except (NotStored, ViewUnavailable) as problem:
                log.debug("log not checked yet", why=str(problem))
                continue
            seen = reconnects
            log.info("connected to NATS again")
        connected = here
