"""What any executor of a pool answers to the APIs: plans before they are made, and object lists. Nothing is stored."""

from collections.abc import Callable

from faststream.nats import NatsBroker, NatsMessage

from services.executor.catalog import Catalog
from services.executor.foresight import foreseen
from services.executor.sync.telling import Disclosed, lists_told
from shared.messages import subjects

GROUP = "executors"
"""One executor of a pool answers."""


def subscribe(broker: NatsBroker, pool: str, offers: Callable[[], Catalog], disclosed: Disclosed) -> None:
    """Answer questions to this pool with what is on offer and what connections there are."""

    @broker.subscriber(subjects.foresee(pool), queue=GROUP, title=f"foresee.{pool}", decoder=as_it_came)
    async def foresee(body: bytes) -> bytes:
        """Say what plan a task type would make of these parameters; nothing is stored."""
        return await foreseen(body, offers(), pool)

    @broker.subscriber(subjects.object_lists(pool), queue=GROUP, title=f"lists.{pool}", decoder=as_it_came)
    async def object_lists(body: bytes) -> bytes:
        """Say what object lists a synchronisation has written, or what stands in one."""
        return await lists_told(body, disclosed)


async def as_it_came(message: NatsMessage) -> bytes:
    """Bodies are read by our own hands: FastStream would make a dict of JSON, and refuse it as bytes, unheard (T26)."""
    return message.body
