"""How deep a pool's queue is, on real JetStream: what waits, what is in somebody's hands, and the oldest that waits."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.aio.client import Client

from shared.queue.jetstream import JetStreamQueue
from shared.queue.port import Delivery, Depth
from shared.queue.pull import Puller
from shared.queue.work_item import WorkItem
from shared.runtime.clock import now
from shared.runtime.nats import connect
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer


def item(number: int, pool: str = "default") -> WorkItem:
    """The item of subtask `number` of task 7."""
    return WorkItem(pool, 7, number, 1, 1, 42)


@pytest.fixture
async def client(nats_server: NatsServer) -> AsyncIterator[Client]:
    """A connection to a server of this test's own."""
    connected = await connect(nats_server.url, name="depth tests")
    yield connected
    await connected.close()


async def test_a_queue_without_items_has_depth_zero(client: Client) -> None:
    """One that is not there has none at all."""
    queue = JetStreamQueue(client)
    assert await queue.depth("default") is None
    assert await queue.strays({}) == {}
    await queue.ensure({"default"})

    assert await queue.depth("default") == Depth(0, 0)
    assert await queue.depth("other") is None


async def test_waiting_items_and_those_in_hand_are_told_apart(client: Client) -> None:
    """Two of five are pulled; the oldest that waits is the third, and an acknowledged one is nowhere."""
    queue, held = JetStreamQueue(client), list[Delivery]()
    await queue.ensure({"default", "other"})
    for number in range(1, 6):
        await queue.put(item(number))
    await queue.put(item(9, "other"))
    puller = Puller(
        client, queue, "default", free=lambda: 2 - len(held), take=held.append, poison=lambda *_: pytest.fail("poison")
    )
    pulling = asyncio.create_task(puller.run())
    await eventually(lambda: len(held) == 2)

    found = await queue.depth("default")
    await held[0].ack()
    puller.stop()
    await pulling

    assert found is not None
    assert (found.waiting, found.in_hand) == (3, 2)
    assert found.oldest is not None
    assert (found.oldest.task_id, found.oldest.subtask) == (7, 3)
    assert abs(found.oldest.since - now()) < timedelta(minutes=1)

    async def acknowledged() -> bool:
        depth = await queue.depth("default")
        return depth is not None and depth.in_hand == 1

    await eventually(acknowledged)


async def test_items_of_a_pool_that_nobody_serves_are_found(client: Client) -> None:
    """They lie in the stream without a consumer; pools that are known are left out."""
    queue = JetStreamQueue(client)
    await queue.ensure({"default"})
    for work in (item(1), item(2, "far"), item(3, "far")):
        await queue.put(work)
    default = await queue.depth("default")
    assert default is not None

    found = await queue.strays({"default": default})

    assert list(found) == ["far"]
    assert (found["far"].waiting, found["far"].in_hand) == (2, 0)
    assert found["far"].oldest is not None
    assert found["far"].oldest.subtask == 2
