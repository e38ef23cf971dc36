"""Ids, buckets, result files, logs and stream settings on real JetStream."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.aio.client import Client

from shared.messages import subjects
from shared.runtime.nats import ApiError, api, connect
from shared.store.ids import IdsUnavailable, TaskIds
from shared.store.kv import Bucket, BucketUnavailable, Entry
from shared.store.logs import LogStore, LogsUnavailable
from shared.store.objects import ResultDamaged, ResultMissing, Results, ResultsUnavailable
from shared.store.streams import create, provision, tasks, work
from shared.task.ids import MAX_TASK_ID
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer

LEASE = timedelta(seconds=45)


@pytest.fixture
async def client(nats_server: NatsServer) -> AsyncIterator[Client]:
    """A connection to a server of this test's own, with everything provisioned."""
    connected = await connect(nats_server.url, name="store tests")
    await provision(connected, replicas=1, lease=LEASE)
    yield connected
    await connected.close()


async def settings_of(client: Client) -> dict[str, object]:
    """The configuration of every stream."""
    names = (await api(client, "STREAM.NAMES", {}))["streams"]
    return {name: (await api(client, f"STREAM.INFO.{name}"))["config"] for name in names}


async def test_provisioning_is_idempotent(client: Client) -> None:
    """Twice is once, and every name of ours is there."""
    before = await settings_of(client)
    await provision(client, replicas=1, lease=LEASE)
    assert await settings_of(client) == before
    streams = {subjects.TASKS, subjects.WORK, subjects.COMMANDS, subjects.LOGS, subjects.IDS}
    buckets = {subjects.CATALOG, subjects.EXECUTORS, subjects.IDEMPOTENCY, subjects.ACCESS, subjects.CONNECTIONS}
    assert set(before) == (
        streams
        | {f"KV_{name}" for name in (*buckets, subjects.SECRETS, subjects.VALUES, subjects.REPLAYS)}
        | {f"OBJ_{subjects.RESULTS}", subjects.SET_ASIDE.upper()}
    )


async def test_what_is_there_is_never_changed(client: Client) -> None:
    """Settings belong to whoever runs the system, once it runs (T25)."""
    await api(client, f"STREAM.UPDATE.{subjects.LOGS}", {**_logs(await settings_of(client)), "max_bytes": 1_000_000})
    before = await settings_of(client)
    await provision(client, replicas=1, lease=timedelta(seconds=5))
    assert await settings_of(client) == before
    assert not await create(client, {**tasks(1), "max_bytes": 1})


def _logs(settings: dict[str, object]) -> dict[str, object]:
    found = settings[subjects.LOGS]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("call", "payload"),
    [("STREAM.PURGE.TASKS", {}), ("STREAM.MSG.DELETE.TASKS", {"seq": 1})],
)
async def test_the_log_cannot_be_thinned(client: Client, call: str, payload: dict[str, int]) -> None:
    """Neither a purge nor a deletion; nor may it expire or roll up (T15, T16)."""
    await client.jetstream().publish("tasks.1", b"x")
    with pytest.raises(ApiError):
        await api(client, call, payload)
    with pytest.raises(ApiError):
        await api(client, f"STREAM.UPDATE.{subjects.TASKS}", {**tasks(1), "deny_purge": False})
    info = await api(client, f"STREAM.INFO.{subjects.TASKS}")
    assert info["state"]["messages"] == 1
    assert not info["config"].get("max_age")
    assert not info["config"].get("allow_rollup_hdrs")
    assert not info["config"].get("allow_msg_ttl")


def test_log_and_queue_do_not_swallow_rescues() -> None:
    """The queue's duplicate window is minimal, and nothing expires in either of them."""
    assert work(1)["duplicate_window"] <= 100_000_000
    assert work(3)["num_replicas"] == tasks(3)["num_replicas"] == 3
    assert "max_age" not in work(1)


async def test_ids_are_never_given_twice(client: Client) -> None:
    """Four processes, six hundred ids, all different, all small (ids are for people, too)."""
    allotters = [TaskIds(client) for _ in range(4)]
    ids = await asyncio.gather(*(allotters[number % 4].next() for number in range(600)))
    assert len(set(ids)) == 600
    assert min(ids) == 1
    assert max(ids) <= 800
    for allotter in range(4):
        own = ids[allotter::4]
        assert own == sorted(own)


async def test_an_id_survives_nobody(nats_server: NatsServer, client: Client) -> None:
    """A new process, and a killed server, go on behind every block that was handed out."""
    first = await TaskIds(client, block=10).next()
    nats_server.kill9()
    await eventually(lambda: not client.is_connected)
    nats_server.start()
    await eventually(lambda: client.is_connected, timeout=10)
    second = await eventually(lambda: TaskIds(client, block=10).next(), ignoring=(IdsUnavailable,))
    assert (first, second) == (1, 11)


async def test_no_ids_without_their_stream(client: Client) -> None:
    """The caller is told; a lost counter does not begin again at one by itself."""
    ids = TaskIds(client, timeout=0.5)
    await api(client, f"STREAM.DELETE.{subjects.IDS}")
    with pytest.raises(IdsUnavailable):
        await ids.next()


async def test_ids_end_where_javascript_does(client: Client) -> None:
    """Beyond 2^53 a client would see another number."""
    ids = TaskIds(client, block=MAX_TASK_ID)
    assert await ids.next() == 1
    with pytest.raises(IdsUnavailable):
        await TaskIds(client).next()


async def test_a_bucket_keeps_creates_and_deletes(client: Client) -> None:
    """Get, put, create if absent, delete, all."""
    bucket = Bucket(client, subjects.CATALOG)
    assert await bucket.get("a.b/c") is None
    assert await bucket.all() == []
    assert await bucket.create("a.b/c", b"1")
    assert not await bucket.create("a.b/c", b"2")
    revision = await bucket.put("a.b/c", b"3")
    assert await bucket.get("a.b/c") == Entry("a.b/c", b"3", revision)
    await bucket.put("d", b"4")
    assert {entry.key: entry.value for entry in await bucket.all()} == {"a.b/c": b"3", "d": b"4"}
    await bucket.delete("a.b/c")
    assert await bucket.get("a.b/c") is None
    assert [entry.key for entry in await bucket.all()] == ["d"]
    assert await bucket.create("a.b/c", b"5")


async def test_all_entries_are_all_of_them(client: Client) -> None:
    """However many ask at once: a bucket that looked empty for a moment would shut everybody out."""
    bucket = Bucket(client, subjects.ACCESS)
    for number in range(120):
        await bucket.put(f"user/{number}", b"%d" % number)
    for _ in range(5):
        found = await asyncio.gather(*(bucket.all() for _ in range(10)))
        assert [len(entries) for entries in found] == [120] * 10


async def test_an_entry_is_replaced_and_deleted_only_unchanged(client: Client) -> None:
    """At the revision that was read; else nothing happens."""
    bucket = Bucket(client, subjects.ACCESS)
    first = await bucket.put("a", b"1")
    second = await bucket.replace("a", b"2", first)
    assert second is not None
    assert await bucket.replace("a", b"3", first) is None
    assert not await bucket.delete("a", first)
    assert await bucket.get("a") == Entry("a", b"2", second)
    assert await bucket.delete("a", second)
    assert await bucket.replace("a", b"4", second) is None
    assert await bucket.get("a") is None


async def test_of_many_creators_one_wins(client: Client) -> None:
    """What two requests with one key rest on."""
    made = await asyncio.gather(*(Bucket(client, subjects.IDEMPOTENCY).create("k", b"%d" % n) for n in range(8)))
    assert sum(made) == 1


async def test_a_missing_bucket_is_an_outage(client: Client) -> None:
    """Not "no such key": that would be an answer."""
    bucket = Bucket(client, "nowhere", timeout=0.5)
    for attempt in (bucket.get("k"), bucket.put("k", b""), bucket.create("k", b""), bucket.delete("k"), bucket.all()):
        with pytest.raises(BucketUnavailable):
            await attempt


async def test_a_watch_sees_everything_through_a_restart(nats_server: NatsServer, client: Client) -> None:
    """What is there, every change and deletion; and after an outage what changed meanwhile."""
    bucket = Bucket(client, subjects.CATALOG, timeout=1)
    await bucket.put("a", b"1")
    state: dict[str, bytes | None] = {}

    async def seen(entry: Entry) -> None:
        state[entry.key] = entry.value

    watching = asyncio.create_task(bucket.watch(seen))
    try:
        await eventually(lambda: state == {"a": b"1"})
        await bucket.put("b", b"2")
        await bucket.delete("a")
        await eventually(lambda: state == {"a": None, "b": b"2"})
        nats_server.kill9()
        nats_server.start()
        await eventually(lambda: client.is_connected, timeout=10)
        await eventually(lambda: bucket.put("b", b"3"), timeout=10, ignoring=(BucketUnavailable,))
        await eventually(lambda: state["b"] == b"3", timeout=20)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_lines_come_back_in_order(client: Client) -> None:
    """Six hundred batches, of one subtask alone."""
    logs = LogStore(client)
    for number in range(600):
        await logs.append(7, 1, b"line %d" % number)
    await logs.append(7, 2, b"other")
    await logs.append(71, 1, b"other")
    assert await logs.read(7, 1) == [b"line %d" % number for number in range(600)]
    assert await logs.read(7, 2) == [b"other"]
    assert await logs.read(7, 3) == []


async def test_lost_lines_are_said_to_be_lost(client: Client) -> None:
    """Without the stream nobody is told that nothing was printed."""
    logs = LogStore(client, timeout=0.5)
    await api(client, f"STREAM.DELETE.{subjects.LOGS}")
    with pytest.raises(LogsUnavailable):
        await logs.append(7, 1, b"line")
    with pytest.raises(LogsUnavailable):
        await logs.read(7, 1)


async def test_other_clients_read_and_write_results_too(client: Client) -> None:
    """It is an object store as NATS defines it, whoever writes: our reader reads the library's and the other way."""
    store, results = await client.jetstream().object_store(subjects.RESULTS), Results(client)
    reference = await results.put("9/1", b"y" * 300_000)
    assert (await store.get("9/1")).data == b"y" * 300_000
    await store.put("9/1", b"y" * 300_000)
    assert await results.get(reference) == b"y" * 300_000
    for _ in range(3):
        await results.put("9/1", b"y" * 300_000)
    state = (await api(client, f"STREAM.INFO.OBJ_{subjects.RESULTS}"))["state"]
    assert state["bytes"] < 400_000
    empty = await results.put("9/2", b"")
    assert await results.get(empty) == b""
    await store.delete("9/1")
    with pytest.raises(ResultsUnavailable, match="no such object"):
        await results.get(reference)


async def test_a_result_is_what_was_stored(client: Client) -> None:
    """By name, size and hash; another content under the name is not passed on."""
    results = Results(client)
    reference = await results.put("7/1", b"x" * 1_000_000)
    assert reference["bytes"] == 1_000_000
    assert await results.get(reference) == b"x" * 1_000_000
    await results.check(reference)
    with pytest.raises(ResultDamaged, match="bytes"):
        await results.check({**reference, "bytes": 7})
    await results.put("7/1", b"forged")
    for look in (results.get, results.check):
        with pytest.raises(ResultDamaged, match="hash"):
            await look(reference)
        with pytest.raises(ResultMissing):
            await look({"object": "7/2", "sha256": "", "bytes": 0})
