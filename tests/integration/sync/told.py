"""Somebody who answers questions about object lists as an executor does, without one: with its code."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.client import Client
from nats.aio.msg import Msg

from services.executor.operations.contract import Connection, PermanentFault
from services.executor.sync.telling import lists_told


class Known:
    """Connections of tasks of one team, None: of tasks without a team."""

    def __init__(self, *known: Connection, team: str | None = None) -> None:
        self._known = {one.name: one for one in known}
        self._team = team

    def __call__(self, team: str | None) -> "Known":
        """Return them for a team."""
        return self if team == self._team else Known()

    async def connection(self, name: str) -> Connection:
        """Return the one of this name."""
        if name not in self._known:
            raise PermanentFault(f"There is no connection '{name}'.")
        return self._known[name]


@asynccontextmanager
async def telling(nats: Client, known: Known, most: int = 1_000_000) -> AsyncIterator[None]:
    """Answer so many questions to the pool `default`; what follows is answered with something that is no answer."""
    left = most

    async def answer(message: Msg) -> None:
        nonlocal left
        left -= 1
        await message.respond(await lists_told(message.data, known) if left >= 0 else b"no answer")

    served = await nats.subscribe("lists.default", queue="executors", cb=answer)
    await nats.flush()
    try:
        yield
    finally:
        await served.unsubscribe()
