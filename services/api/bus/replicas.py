"""`replicas.look`: which API processes there are. Each answers for itself; who does not in a moment is not there."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from shared.messages import subjects
from shared.runtime.logging import get

PATIENCE: Final = 0.25
"""How long (s) answers are waited for."""

log = get(__name__)


class Replica(BaseModel):
    """One API process. Times are by its own clock."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    host: str
    pid: int
    version: str
    started_at: AwareDatetime
    position: int = Field(description="Log position that its view has reached.")
    projecting: bool = Field(description="Whether it is the one that writes the view.")


def subscribe(broker: NatsBroker, said: Callable[[], dict[str, Any]]) -> None:
    """Answer with what `said` returns, a `Replica` as JSON. No queue group: every process is asked."""

    @broker.subscriber(subjects.REPLICAS, title=subjects.REPLICAS)
    async def look() -> dict[str, Any]:
        """Say how this API process is."""
        return said()


class Replicas:
    """Asks over one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def all(self) -> list[Replica]:
        """Return those that answered in time, the oldest first; nobody while NATS is away."""
        found: list[Replica] = []

        async def heard(message: Msg) -> None:
            try:
                found.append(Replica.model_validate_json(message.data))
            except ValidationError as error:
                log.warning("a replica's answer cannot be read", why=str(error.errors()[0]["msg"]))

        if not self._client.is_connected:
            return []
        try:
            inbox = self._client.new_inbox()
            subscription = await self._client.subscribe(inbox, cb=heard)
            await self._client.publish(subjects.REPLICAS, b"{}", reply=inbox)
            await asyncio.sleep(PATIENCE)
            await subscription.unsubscribe()
        except (NatsError, OSError) as problem:
            log.warning("replicas not asked", why=str(problem))
        return sorted(found, key=lambda one: one.started_at)
