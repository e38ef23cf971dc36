"""The feed under a server that drops, repeats and shuffles (F18); no server takes part."""

import asyncio
from typing import Any, cast

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.api.projection.feed import Feed, FeedBroken


class FakeClient:
    """Answers the consumer's creation and notes what is published."""

    def __init__(self) -> None:
        self.stats = {"reconnects": 0}
        self.is_connected = True
        self.published: list[str] = []
        self.callback: Any = None

    def new_inbox(self) -> str:
        """Give a place to listen at."""
        return "inbox"

    async def subscribe(self, subject: str, cb: Any) -> "FakeClient":
        """Keep whom to call."""
        self.callback = cb
        return self

    async def unsubscribe(self) -> None:
        """Nothing to end."""

    async def request(self, subject: str, payload: bytes, **more: Any) -> Msg:
        """Say that all is well."""
        return Msg(_client=cast("Client", self), data=b"{}")

    async def publish(self, subject: str, payload: bytes = b"") -> None:
        """Note the subject."""
        self.published.append(subject)

    async def push(self, *seqs: int) -> None:
        """Deliver messages with these stream sequences."""
        for seq in seqs:
            reply = f"$JS.ACK.TASKS.projector.1.{seq}.{seq}.1700000000.0"
            await self.callback(Msg(_client=cast("Client", self), subject="tasks.1", reply=reply, data=b"x"))

    async def control(self, reply: str = "", **headers: str) -> None:
        """Deliver a heartbeat or a flow control message."""
        found = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.callback(Msg(_client=cast("Client", self), subject="inbox", reply=reply, headers=found))


async def opened(after: int = 0, heartbeat: float = 10.0) -> tuple[FakeClient, Feed]:
    """An open feed and the client behind it."""
    client = FakeClient()
    feed = Feed(cast("Client", client), heartbeat=heartbeat)
    await feed.open(after)
    return client, feed


async def seqs(feed: Feed, limit: int = 100) -> list[int]:
    """The sequences of what the feed gives next."""
    return [message.seq for message in await feed.take(limit)]


async def test_messages_come_in_order_in_parts_of_any_size() -> None:
    """What has arrived is given at once, at most `limit` of it."""
    client, feed = await opened(after=4)
    await client.push(5, 6, 7)

    assert await seqs(feed, 2) == [5, 6]
    assert feed.waiting == 1
    assert await seqs(feed) == [7]


async def test_what_comes_twice_is_given_once() -> None:
    """A sequence that was given is passed over and counted."""
    client, feed = await opened()
    await client.push(1, 2, 2, 1, 3)

    assert await seqs(feed) == [1, 2, 3]
    assert feed.duplicates == 2


@pytest.mark.parametrize("order", [(1, 3, 2), (2, 1, 3), (1, 2, 4, 3)])
async def test_a_gap_ends_the_feed_before_anything_is_given_out_of_order(order: tuple[int, ...]) -> None:
    """What stood before the gap is given, nothing behind it, and the error names what did not come."""
    client, feed = await opened()
    await client.push(*order)
    missing = next(place for place, seq in enumerate(order, start=1) if seq != place)
    if missing > 1:
        assert await seqs(feed) == list(range(1, missing))

    with pytest.raises(FeedBroken) as caught:
        await feed.take(10)
    assert caught.value.gap == missing


async def test_a_heartbeat_that_has_seen_more_ends_the_feed() -> None:
    """The last message was lost on the way: the next heartbeat tells."""
    client, feed = await opened()
    await client.push(1)
    await client.control(Status="100", Nats_Last_Stream="1")
    assert await seqs(feed) == [1]
    await client.control(Status="100", Nats_Last_Stream="2")

    with pytest.raises(FeedBroken) as caught:
        await feed.take(10)
    assert caught.value.gap == 2


async def test_flow_control_is_answered_when_what_came_before_was_taken() -> None:
    """A slow taker holds the server back."""
    client, feed = await opened()
    await client.push(1, 2)
    await client.control(reply="$JS.FC.one")
    await client.push(3)

    assert await seqs(feed, 2) == [1, 2]
    assert client.published == []
    assert await seqs(feed) == [3]
    assert client.published == ["$JS.FC.one"]


async def test_a_stalled_consumer_is_answered_too() -> None:
    """When the flow control message itself was lost, the heartbeat carries its address."""
    client, feed = await opened()
    await client.control(Status="100", Nats_Consumer_Stalled="$JS.FC.two")
    await client.push(1)

    assert await seqs(feed) == [1]
    assert client.published == ["$JS.FC.two"]


async def test_silence_ends_the_feed() -> None:
    """Three missed heartbeats, a lost connection, or one that was made anew."""
    _, silent = await opened(heartbeat=0.01)
    with pytest.raises(FeedBroken, match="no heartbeat"):
        await silent.take(1)

    client, cut = await opened()
    client.is_connected = False
    with pytest.raises(FeedBroken, match="connection"):
        await cut.take(1)

    client, anew = await opened()
    client.stats["reconnects"] = 1
    with pytest.raises(FeedBroken, match="connection"):
        await anew.take(1)


async def test_the_consumer_is_deleted_on_close() -> None:
    """A feed that ends in good order leaves nothing at the server; closing twice is fine."""
    client, feed = await opened()
    await feed.close()
    await feed.close()

    assert [subject.startswith("$JS.API.CONSUMER.DELETE.TASKS.") for subject in client.published] == [True]


async def test_sequences_are_read_from_subjects_with_a_domain_too() -> None:
    """A leaf node's messages carry domain and account before the stream."""
    client, feed = await opened()
    reply = "$JS.ACK.hub.HASH.TASKS.projector.1.1.1.1700000000.0.token"
    await client.callback(Msg(_client=cast("Client", client), subject="tasks.1", reply=reply, data=b"x"))

    assert await seqs(feed) == [1]


async def test_taking_waits_for_what_comes_later() -> None:
    """An idle feed gives a message as soon as it is there."""
    client, feed = await opened()
    waiting = asyncio.create_task(seqs(feed))
    await asyncio.sleep(0)
    await client.push(1)

    assert await waiting == [1]
