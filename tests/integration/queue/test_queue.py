"""The queue on real JetStream: one item a subject, no prefetch, nothing lost by outages of any kind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from nats.aio.client import Client

from shared.messages import subjects
from shared.queue.dispatch import put_all
from shared.queue.jetstream import JetStreamQueue, consumer_of
from shared.queue.port import Delivery, QueueUnavailable
from shared.queue.pull import Puller
from shared.queue.work_item import WorkItem
from shared.runtime.nats import api, connect
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer

ACK_WAIT = 1.0


def item(number: int, pool: str = "default", attempt: int = 1) -> WorkItem:
    """The item of subtask `number` of task 7."""
    return WorkItem(pool, 7, number, 1, attempt, 42)


@pytest.fixture
async def client(nats_server: NatsServer) -> AsyncIterator[Client]:
    """A connection to a server of this test's own."""
    connected = await connect(nats_server.url, name="queue tests")
    yield connected
    await connected.close()


@pytest.fixture
async def queue(client: Client) -> JetStreamQueue:
    """An empty queue with the pool `default`."""
    made = JetStreamQueue(client, ack_wait=ACK_WAIT, timeout=1)
    assert await made.ensure({"default"})
    return made


class Hands:
    """An executor's hands: so many slots, and what they hold."""

    def __init__(self, client: Client, queue: JetStreamQueue, slots: int) -> None:
        self.slots = slots
        self.held: list[Delivery] = []
        self.poisoned: list[str] = []
        self.most = 0
        self.puller = Puller(client, queue, "default", free=self.free, take=self.take, poison=self.poison)

    def free(self) -> int:
        """How many slots are free."""
        return self.slots - len(self.held)

    def take(self, delivery: Delivery) -> None:
        """Hold a delivery."""
        self.held.append(delivery)
        self.most = max(self.most, len(self.held))

    def poison(self, subject: str, body: bytes, why: str) -> None:
        """Note what could not be read."""
        self.poisoned.append(f"{subject} {body!r}: {why}")

    async def finish(self) -> list[WorkItem]:
        """Acknowledge all that is held."""
        done, self.held = self.held, []
        for delivery in done:
            await delivery.ack()
        self.puller.wake()
        return [delivery.item for delivery in done]

    def has(self, count: int) -> Callable[[], bool]:
        """A check that so many are held."""
        return lambda: len(self.held) == count


@contextlib.asynccontextmanager
async def pulling(client: Client, queue: JetStreamQueue, slots: int) -> AsyncIterator[Hands]:
    """Hands that pull until the block ends."""
    hands = Hands(client, queue, slots)
    running = asyncio.create_task(hands.puller.run())
    try:
        yield hands
    finally:
        hands.puller.stop()
        await running


async def waiting(client: Client) -> int:
    """How many items the stream holds."""
    return int((await api(client, f"STREAM.INFO.{subjects.WORK}"))["state"]["messages"])


async def test_an_item_is_queued_once(client: Client, queue: JetStreamQueue) -> None:
    """A second copy is answered with "already queued", also while the first is in flight, and no more after the ack."""
    assert await queue.put(item(1))
    assert not await queue.put(item(1))
    async with pulling(client, queue, 1) as hands:
        await eventually(hands.has(1))
        assert not await queue.put(item(1))
        await hands.finish()
        await client.flush()
        assert await eventually(lambda: queue.put(item(1)))


async def test_another_attempt_is_another_item(queue: JetStreamQueue) -> None:
    """The subject names generation and attempt."""
    assert await put_all(queue, [item(1), item(1, attempt=2), item(2), item(1)]) == 3


async def test_many_items_are_queued_at_once(client: Client, queue: JetStreamQueue) -> None:
    """Five hundred ready subtasks, some of them queued already."""
    assert await put_all(queue, [item(number) for number in range(1, 101)]) == 100
    assert await put_all(queue, [item(number) for number in range(1, 501)]) == 400
    assert await waiting(client) == 500
    assert await put_all(queue, []) == 0


async def test_a_missing_queue_says_so_and_is_made_once(client: Client, queue: JetStreamQueue) -> None:
    """Putting does not create; `ensure` does, changes nothing that is there, and adds a pool that is new."""
    await api(client, f"STREAM.DELETE.{subjects.WORK}")
    assert await queue.stamp() is None
    assert await queue.bound("default") is None
    for attempt in (queue.put(item(1)), put_all(queue, [item(1), item(2)])):
        with pytest.raises(QueueUnavailable):
            await attempt
    assert await queue.ensure({"default"})
    assert not await queue.ensure({"default"})
    stamp = await queue.stamp()
    assert await queue.bound("default") == (stamp, consumer_of("default", stamp or ""))
    assert await queue.bound("db") is None
    assert await JetStreamQueue(client, ack_wait=99).ensure({"default", "db"})
    info = await api(client, f"CONSUMER.INFO.{subjects.WORK}.{consumer_of('default', stamp or '')}")
    assert info["config"]["ack_wait"] == ACK_WAIT * 1e9


async def test_two_rescuers_make_one_queue(client: Client, queue: JetStreamQueue) -> None:
    """Both create what is missing at once; neither fails."""
    await api(client, f"STREAM.DELETE.{subjects.WORK}")
    made = await asyncio.gather(*(queue.ensure({"default", "db"}) for _ in range(4)))
    assert any(made)
    assert await queue.bound("db") is not None


async def test_no_more_is_pulled_than_there_are_slots(client: Client, queue: JetStreamQueue) -> None:
    """Ten items, three slots: never more than three in hand, each once, in the order they were queued (T23)."""
    await put_all(queue, [item(number) for number in range(1, 11)])
    seen: list[int] = []
    async with pulling(client, queue, 3) as hands:
        while len(seen) < 10:
            await eventually(lambda: len(hands.held) == min(3, 10 - len(seen)))
            seen.extend(done.subtask for done in await hands.finish())
        assert hands.most == 3
    assert sorted(seen) == list(range(1, 11))
    await eventually(lambda: _empty(client))


async def _empty(client: Client) -> bool:
    return await waiting(client) == 0


async def test_an_item_given_back_comes_again_after_its_delay(client: Client, queue: JetStreamQueue) -> None:
    """The slot is free meanwhile, and the count of hand-outs says that it is not the first."""
    await put_all(queue, [item(1), item(2)])
    async with pulling(client, queue, 1) as hands:
        await eventually(hands.has(1))
        first = hands.held.pop()
        assert first.delivered == 1
        loop = asyncio.get_running_loop()
        since = loop.time()
        await first.nak(0.5)
        hands.puller.wake()
        await eventually(hands.has(1))
        assert hands.held[0].item != first.item
        await hands.finish()
        await eventually(hands.has(1))
        again = hands.held[0]
        assert loop.time() - since > 0.4
        assert (again.item, again.seq, again.stamp, again.delivered) == (first.item, first.seq, first.stamp, 2)


async def test_a_silent_executors_item_goes_to_another(client: Client, queue: JetStreamQueue) -> None:
    """Without a heartbeat the item comes back after AckWait; with one it stays (T11)."""
    await queue.put(item(1))
    async with pulling(client, queue, 1) as alive, pulling(client, queue, 1) as other:
        await eventually(lambda: alive.held or other.held)
        holder, heir = (alive, other) if alive.held else (other, alive)
        loop = asyncio.get_running_loop()
        until = loop.time() + 2 * ACK_WAIT
        while loop.time() < until:
            await holder.held[0].in_progress()
            assert not heir.held
            await asyncio.sleep(ACK_WAIT / 4)
        await eventually(heir.has(1), timeout=10)
        assert heir.held[0].delivered == 2


async def test_poison_is_put_aside_and_does_not_block(client: Client, queue: JetStreamQueue) -> None:
    """What is no item of ours is reported with its reason and ended; the next one is pulled (P10)."""
    bad = {
        "work.default.7.1.1-1": b"no json",
        "work.default.7.2.1-1": b'{"v":2}',
        "work.default.7.3.1-1": b'{"v":1}',
        "work.default.7.4.1-1": b'{"v":1,"after":null}',
        "work.default.7.5.1-1": b"[" * 60_000,
        "work.default.x.1.1-1": b'{"v":1,"after":1}',
        "work.default.7.1.1": b'{"v":1,"after":1}',
        "work.default.7.1.1-1.9": b'{"v":1,"after":1}',
    }
    for subject, body in bad.items():
        await client.jetstream().publish(subject, body)
    await queue.put(item(9))
    async with pulling(client, queue, 2) as hands:
        await eventually(hands.has(1))
        assert hands.held[0].item == item(9)
        assert len(hands.poisoned) == len(bad)
        await hands.finish()
        await eventually(lambda: _empty(client))


async def test_a_deleted_consumer_is_found_again(client: Client, queue: JetStreamQueue) -> None:
    """When somebody has made it anew the loop goes on by itself (T22)."""
    async with pulling(client, queue, 1) as hands:
        await hands.puller.ready.wait()
        stamp = await queue.stamp()
        await api(client, f"CONSUMER.DELETE.{subjects.WORK}.{consumer_of('default', stamp or '')}")
        await queue.put(item(1))
        assert await queue.ensure({"default"})
        await eventually(hands.has(1), timeout=10)


async def test_a_re_created_queue_has_another_stamp(client: Client, queue: JetStreamQueue) -> None:
    """An old delivery's ack must not remove somebody else's message, though it has the same number."""
    await queue.put(item(1))
    async with pulling(client, queue, 2) as hands:
        await eventually(hands.has(1))
        old = hands.held.pop()
        await api(client, f"STREAM.DELETE.{subjects.WORK}")
        await queue.ensure({"default"})
        await queue.put(item(2))
        await eventually(hands.has(1), timeout=10)
        new = hands.held[0]
        assert (new.seq, new.item.subtask) == (old.seq, 2)
        assert new.stamp != old.stamp
        await old.ack()
        await client.flush()
        assert await waiting(client) == 1


async def test_the_loop_survives_the_server(nats_server: NatsServer, client: Client, queue: JetStreamQueue) -> None:
    """Killed and started again, the server hands out what was queued before and after (P13)."""
    await queue.put(item(1))
    async with pulling(client, queue, 4) as hands:
        await eventually(hands.has(1))
        nats_server.kill9()
        await eventually(lambda: not client.is_connected)
        with pytest.raises(QueueUnavailable):
            await queue.put(item(2))
        nats_server.start()
        await eventually(lambda: client.is_connected, timeout=10)
        hands.puller.reset()
        await eventually(lambda: queue.put(item(3)), timeout=10, ignoring=(QueueUnavailable,))
        await eventually(lambda: {held.item.subtask for held in hands.held} >= {1, 3}, timeout=20)


async def test_a_frozen_server_is_waited_for(nats_server: NatsServer, client: Client, queue: JetStreamQueue) -> None:
    """Nobody is told that an item is queued when nobody answered; the loop goes on afterwards (F6)."""
    async with pulling(client, queue, 1) as hands:
        await hands.puller.ready.wait()
        nats_server.pause()
        with pytest.raises(QueueUnavailable):
            await queue.put(item(1))
        nats_server.resume()
        await eventually(hands.has(1), timeout=20)
        assert hands.held[0].item == item(1)
