"""Whatever goes away comes back: no command is lost, none takes effect twice, and the intake needs no hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from shared.messages import subjects
from shared.runtime.nats import api as jetstream
from shared.runtime.nats import connect
from shared.store.streams import others, provision
from tests.integration.api.harness import INSTANCES, ServedApi, plan, served
from tests.integration.api.test_process import Process
from tests.integration.bus.producer import SECRETS_KEY, Producer, producer, producer_at
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer


@pytest.fixture
async def api(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[ServedApi]:
    """An API on it."""
    async with serving(nats_server, tmp_path, "view") as running:
        yield running


def serving(nats_server: NatsServer, folder: Path, view: str) -> contextlib.AbstractAsyncContextManager[ServedApi]:
    """One more API on the same NATS, with a view of its own."""
    database = f"sqlite:///{folder}/{view}.db"
    return served(nats_server.url, database, rescue_after_seconds=60, ack_wait_seconds=2, secrets_key=SECRETS_KEY)


async def consumer(api: ServedApi) -> str | None:
    """The name of the intake's consumer, None when there is none."""
    names = (await jetstream(api.nats, f"CONSUMER.NAMES.{subjects.COMMANDS}"))["consumers"]
    return names[0] if names else None


async def works(api: ServedApi, sender: Producer, name: str) -> None:
    """A creation is answered once the producer is connected again."""
    await eventually(lambda: api.nats.is_connected and api.nats.stats["reconnects"] > 0, timeout=20)
    assert (await sender.ask("create", plan(name=name)))["status"] == 201
    assert not api.stopped.is_set()


async def test_a_deleted_consumer_is_made_again(api: ServedApi) -> None:
    """At once: the server says so to the open request."""
    sender = await producer(api)
    first = await consumer(api)
    for _ in range(3):
        await jetstream(api.nats, f"CONSUMER.DELETE.{subjects.COMMANDS}.{await consumer(api)}")
        answer = await sender.ask("create", plan())
        assert answer["status"] == 201
    assert await consumer(api) == first


async def test_a_stream_made_anew_gets_another_consumer(api: ServedApi) -> None:
    """Without COMMANDS the intake waits for `init`; the new consumer's name differs, so that old acks hit nothing."""
    sender = await producer(api)
    first = await consumer(api)
    await jetstream(api.nats, f"STREAM.DELETE.{subjects.COMMANDS}")
    settings = next(one for one in others(1) if one["name"] == subjects.COMMANDS)
    await jetstream(api.nats, f"STREAM.CREATE.{subjects.COMMANDS}", settings)
    answer = await sender.ask("create", plan())
    assert answer["status"] == 201
    assert await consumer(api) != first
    assert not api.stopped.is_set()


async def test_a_killed_server_is_waited_for(api: ServedApi, nats_server: NatsServer) -> None:
    """New commands work without a restart."""
    sender = await producer(api)
    nats_server.kill9()
    nats_server.start()
    await works(api, sender, "after the kill")


@pytest.mark.long
async def test_a_server_away_for_twenty_seconds(api: ServedApi, nats_server: NatsServer) -> None:
    """The intake neither spins nor gives up."""
    sender = await producer(api)
    nats_server.kill9()
    before = asyncio.get_running_loop().time()
    await eventually(lambda: asyncio.get_running_loop().time() - before > 20, timeout=30, interval=0.5)
    nats_server.start()
    await works(api, sender, "after twenty seconds")


async def test_keys_away_means_later_not_lost(api: ServedApi) -> None:
    """A command that meets an outage goes back to the stream and is decided once, when it is over."""
    sender = await producer(api)
    await jetstream(api.nats, "STREAM.DELETE.KV_idempotency")
    async with sender.inbox() as inbox:
        for place in range(5):
            await sender.send("create", plan(name=f"late-{place}"), key=f"late-{place}", reply_to=inbox.subject)
        await eventually(lambda: given_back(api, 1), timeout=15)
        assert inbox.empty
        await again(api)
        answers = [await inbox.next(30) for _ in range(5)]
    assert {answer["status"] for answer in answers} == {201}
    assert len({answer["task"] for answer in answers}) == 5
    assert await total(api) == 5


async def test_nothing_is_acknowledged_while_it_cannot_be_set_aside(api: ServedApi) -> None:
    """Poison waits for SET-ASIDE to be back, and others go on."""
    sender = await producer(api)
    await jetstream(api.nats, "STREAM.DELETE.SET-ASIDE")
    async with sender.inbox() as inbox:
        await sender.send("create", b"{", reply_to=inbox.subject)
        await eventually(lambda: given_back(api, 1), timeout=15)
        assert inbox.empty
        assert (await sender.ask("create", plan()))["status"] == 201
        await again(api)
        assert (await inbox.next(30))["status"] == 400
    listed = (await api.admin.get("/api/v2/set-aside")).json()["data"]["contents"]
    assert [one["reason"] for one in listed] == ["bad_json"]


async def again(api: ServedApi) -> None:
    """Provide what is missing."""
    await provision(api.nats, replicas=1, lease=timedelta(seconds=2))


async def number(api: ServedApi, name: str) -> float:
    """One of the numbers behind /metrics."""
    lines = (await api.admin.get("/metrics")).text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"opsledger_{name}_total")))


async def given_back(api: ServedApi, least: int) -> bool:
    """Whether so many deliveries were given back."""
    return await number(api, "bus_given_back") >= least


async def total(api: ServedApi) -> int:
    """How many tasks the list shows, the view being up to date."""
    listed = await api.admin.get(INSTANCES, params={"min_seq": await api.last_seq()})
    return int(listed.json()["data"]["page"]["totalElements"])


async def test_two_processes_share_the_load(api: ServedApi, nats_server: NatsServer, tmp_path: Path) -> None:
    """Through one consumer; every command is answered and takes effect once, also when it is sent twice."""
    sender = await producer(api)
    async with serving(nats_server, tmp_path, "second") as second:
        asks = [sender.ask("create", plan(name=f"n{place // 2}"), key=f"n{place // 2}") for place in range(400)]
        answers = await asyncio.gather(*asks)
        assert {answer["status"] for answer in answers} == {201}
        shares = [await number(one, "bus_commands") for one in (api, second)]
        assert sum(shares) == 400
        assert min(shares) > 20, shares
        assert await total(api) == 200


@pytest.mark.long
@pytest.mark.parametrize(
    "place", ["api.create.before_commit", "api.create.after_commit", "api.bus.before_answer", "api.bus.before_ack"]
)
async def test_a_crash_leads_to_one_task_and_an_answer(nats_server: NatsServer, tmp_path: Path, place: str) -> None:
    """Killed between taking a command and acknowledging it, another process finishes it and says that it was there."""
    installation = Process(tmp_path, nats_server.url)
    settings = {"OPSLEDGER_ACK_WAIT_SECONDS": "2", "OPSLEDGER_SECRETS_KEY": SECRETS_KEY}
    assert (await installation.run("init", **settings))[0] == 0
    nats = await connect(nats_server.url, name="test")
    doomed = await installation.start("serve", OPSLEDGER_FAILPOINT=place, **settings)
    try:
        await eventually(installation.ready, timeout=30, ignoring=(httpx2.HTTPError,))
        async with installation.client() as admin:
            sender = await producer_at(admin, nats)
        async with sender.inbox() as inbox:
            await sender.send("create", plan(name="survivor"), key="survivor", reply_to=inbox.subject)
            assert await asyncio.wait_for(doomed.wait(), 20) == -9
            said = not inbox.empty
            heir = await installation.start("serve", **settings)
            try:
                answer = await inbox.next(30)
                if said:
                    answer = await inbox.next(30)
                assert answer["status"] == 201
                assert answer.get("replayed", False) is (place != "api.create.before_commit")
                async with installation.client() as admin:
                    await eventually(installation.ready, timeout=30, ignoring=(httpx2.HTTPError,))
                    listed = await admin.get(INSTANCES, params={"min_seq": answer["seq"]})
                assert [task["id"] for task in listed.json()["data"]["contents"]] == [answer["task"]]
            finally:
                heir.terminate()
                await heir.communicate()
    finally:
        if doomed.returncode is None:
            doomed.kill()
        await doomed.communicate()
        await nats.close()
