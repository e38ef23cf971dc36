"""LOGS read backwards: however others' batches lie between, the last ones before a place are found, and all of them."""

import random

import pytest
from nats.aio.client import Client

from shared.messages import subjects
from shared.runtime.nats import connect
from shared.store.logs import LogStore
from shared.store.streams import create, others
from tests.support.nats_server import NatsServer


async def filled(client: Client, *, mine: int, between: int) -> tuple[LogStore, list[int]]:
    """A store with so many batches of subtask 1, at most so many of another one between two; where they lie."""
    for settings in others(1):
        if settings["name"] == subjects.LOGS:
            await create(client, settings)
    logs = LogStore(client)
    seqs, seq = [], 0
    for number in range(mine):
        for _ in range(random.randint(0, between)):
            await logs.append(7, 2, b"other")
            seq += 1
        await logs.append(7, 1, b"%d" % number)
        seq += 1
        seqs.append(seq)
    return logs, seqs


@pytest.mark.parametrize("between", [0, 1, 30])
async def test_the_last_ones_before_any_place(nats_server: NatsServer, between: int) -> None:
    """From the end, from the middle of nowhere, from before the first; more than there are, and one."""
    client = await connect(nats_server.url, name="test")
    try:
        logs, seqs = await filled(client, mine=80, between=between)
        assert await logs.last(7, 1) == seqs[-1]
        places = [1, seqs[0], seqs[0] + 1, seqs[-1], seqs[-1] + 1, *random.sample(range(1, seqs[-1]), 15)]
        for place in places:
            for size in (1, 3, 32, 200):
                found = [batch.seq for batch in await logs.before(7, 1, place, size=size)]
                assert found == [seq for seq in seqs if seq < place][-size:]
            after = [batch.seq for batch in await logs.after(7, 1, place, size=5)]
            assert after == [seq for seq in seqs if seq > place][:5]
        assert [batch.seq async for batch in logs.batches(7, 1)] == seqs
        newest, whole = await logs.newest(7, 1, 1_000_000)
        assert ([batch.seq for batch in newest], whole) == (seqs, True)
        newest, whole = await logs.newest(7, 1, 1)
        assert ([batch.seq for batch in newest], whole) == (seqs[-32:], False)
    finally:
        await client.close()


async def test_nothing_is_before_nothing(nats_server: NatsServer) -> None:
    """A subtask that has printed nothing."""
    client = await connect(nats_server.url, name="test")
    try:
        logs, _ = await filled(client, mine=1, between=0)
        assert await logs.last(7, 9) == 0
        assert await logs.before(7, 9, 1) == []
        assert await logs.before(7, 9, 100) == []
        assert await logs.newest(7, 9, 100) == ([], True)
        assert not (await logs.kept()).expired
    finally:
        await client.close()
