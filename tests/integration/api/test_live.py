"""Commits as server-sent events: every one once and in order, whatever breaks, to those who may see it."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.api.access import Role
from services.api.rest.live import commits as reader
from services.api.rest.live import response as lasting
from services.api.rest.live import tail
from shared.messages import subjects
from shared.runtime.nats import api as jetstream
from tests.integration.api.harness import INSTANCES, PASSWORD, ServedApi, plan, refused, served
from tests.integration.api.test_process import Process
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer
from tests.support.sse import Reading, events

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIVE = "/api/v2/events"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def second(module_nats: NatsServer, api: ServedApi) -> AsyncIterator[ServedApi]:
    """Another replica beside `api`: same NATS, same database; it stands by."""
    async with served(module_nats.url, api.settings.database_url, rescue_after_seconds=60) as running:
        yield running


async def seqs_of(api: ServedApi, task_id: int) -> list[int]:
    """Where the task's commits lie, as the log says."""
    return [stored.seq for stored in await api.log.history(task_id)]


async def collect(reading: Reading, upto: int) -> list[int]:
    """The ids of commits up to this one."""
    found: list[int] = []
    async for event in reading:
        if event.name == "commit":
            assert event.id == str(event.data["seq"])
            found.append(event.data["seq"])
            if found[-1] >= upto:
                break
    return found


async def test_every_commit_of_a_task_comes_once_with_its_entries(api: ServedApi) -> None:
    """From the first on, past and live joined; the entries are those of the history."""
    task = await api.create(plan("a", "b"))
    async with events(api.admin, LIVE, task=task["id"], after=0) as reading:
        answer = reading.answer
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
        assert "content-length" not in answer.headers
        assert (await reading.next("open")).data == {"seq": 0}
        first = await reading.next("commit")
        assert first.data["seq"] == task["logSeq"]
        last = await api.finish(task["id"], 1)
        found = [first, await reading.next("commit"), await reading.next("commit")]
    history = (await api.admin.get(f"{INSTANCES}/{task['id']}/events")).json()["data"]["contents"]
    assert [entry for event in found for entry in event.data["decisions"]] == history
    assert found[-1].data["seq"] == last
    assert {event.data["task"] for event in found} == {task["id"]}


async def test_without_a_position_it_begins_now(api: ServedApi) -> None:
    """`open` says where that is; what was before does not come."""
    task = await api.create(plan("a"))
    async with events(api.admin, LIVE) as reading:
        begun = await reading.next("open")
        assert begun.data == {"seq": await api.last_seq()}
        seq = await api.claim(task["id"], 1)
        assert (await reading.next("commit")).data["seq"] == seq == begun.data["seq"] + 1


async def test_a_copied_commit_is_marked(api: ServedApi) -> None:
    """What the fold ignores is shown as ignored, live as in the history; noise is shown as unreadable."""
    task = await api.create(plan("a"))
    subject = subjects.task(task["id"])
    first = (await api.log.history(task["id"]))[0]
    async with events(api.admin, LIVE, task=task["id"], after=task["logSeq"]) as reading:
        await api.nats.jetstream().publish(subject, first.body)
        await api.nats.jetstream().publish(subject, b"noise")
        live = [entry for _ in range(2) for entry in (await reading.next("commit")).data["decisions"]]
    assert [entry["outcome"] for entry in live] == ["ignored", "unreadable"]
    assert (live[0]["was"], live[1]["error"]["kind"]) == ("accepted", "bad_json")
    history = (await api.admin.get(f"{INSTANCES}/{task['id']}/events")).json()["data"]["contents"]
    assert history[-2:] == live
    async with events(api.admin, LIVE, after=task["logSeq"]) as reading:
        everybody = [entry for _ in range(2) for entry in (await reading.next("commit")).data["decisions"]]
    assert everybody == live


async def write(api: ServedApi, tasks: list[int], number: int) -> None:
    """Make commits on some tasks: claims, and what follows."""
    for _ in range(number):
        task_id = random.choice(tasks)
        state = await api.log.load(task_id)
        ready = state.ready() if state is not None else []
        if ready:
            await api.finish(task_id, ready[0])
        else:
            tasks.append((await api.create(plan("a", "b", "c")))["id"])
        await asyncio.sleep(random.uniform(0, 0.004))


@pytest.mark.parametrize("scope", ["one task", "all tasks"])
async def test_across_reconnects_and_replicas_nothing_is_missed_or_doubled(
    api: ServedApi, second: ServedApi, scope: str
) -> None:
    """While others write, a reader comes and goes between two replicas; what it saw is exactly the log."""
    one = await api.create(plan(*"abcdefghij"))
    tasks = [one["id"]]
    before = one["logSeq"] - 1
    params = {"task": one["id"]} if scope == "one task" else {}
    writing = asyncio.create_task(write(api, tasks, 120))
    seen: list[int] = []
    position = str(before)
    for turn in range(1000):
        done = writing.done()
        last = await api.last_seq()
        client = random.choice([api, second]).admin
        given: dict[str, Any] = {"last_id": position} if turn % 2 else {"after": position}
        async with events(client, LIVE, **params, **given) as reading:
            wanted = (await seqs_of(api, one["id"]))[-1] if params else last
            if seen and seen[-1] >= wanted:
                found = []
            else:
                some = wanted if done else min(wanted, int(position) + random.randint(1, 30))
                found = await collect(reading, some)
        seen += found
        position = str(seen[-1]) if seen else position
        if done:
            break
    await writing
    truth = await seqs_of(api, one["id"]) if params else list(range(before + 1, await api.last_seq() + 1))
    assert seen == truth


async def test_a_replica_that_stops_ends_its_streams_and_the_other_goes_on(
    module_nats: NatsServer, api: ServedApi
) -> None:
    """A stopping process ends fifty streams at once, in order; the readers go on elsewhere where they stood."""
    first = await api.create(plan(*"abcdef"))
    seen: list[int] = []
    async with served(
        module_nats.url, api.settings.database_url, rescue_after_seconds=60, sse_per_principal=100
    ) as leaving:
        async with leaving.client(auth=("admin", PASSWORD)) as client, asyncio.TaskGroup() as group:
            ready = asyncio.Semaphore(0)

            async def read() -> list[int]:
                async with events(client, LIVE, task=first["id"], after=0) as reading:
                    found = [(await reading.next("commit")).data["seq"]]
                    ready.release()
                    found += [event.data["seq"] async for event in reading]
                return found

            readers = [group.create_task(read()) for _ in range(50)]
            for _ in readers:
                await ready.acquire()
            for number in (1, 2):
                await api.finish(first["id"], number)
            began = asyncio.get_running_loop().time()
            stopping = group.create_task(leaving._stack.aclose())
        assert stopping.done()
        assert asyncio.get_running_loop().time() - began < 1.5
        seen = max((reader.result() for reader in readers), key=len)
        for one in readers:
            assert one.result() == seen[: len(one.result())]
    last = await api.finish(first["id"], 3)
    async with events(api.admin, LIVE, task=first["id"], last_id=str(seen[-1])) as reading:
        seen += await collect(reading, last)
    assert seen == await seqs_of(api, first["id"])


async def test_a_client_that_goes_away_leaves_nothing(api: ServedApi, second: ServedApi) -> None:
    """No stream, no task and, after a while, no consumer stays behind."""
    task = await api.create(plan("a"))
    live, other_live = api.running._live, second.running._live
    assert live is not None
    assert other_live is not None
    await eventually(lambda: len(live.streams) == 0 and len(live.tail) == 0)
    await other_live.tail.close()
    await live.tail.close()
    idle = len(asyncio.all_tasks())
    for _ in range(3):
        async with events(api.admin, LIVE, task=task["id"]) as one, events(api.admin, LIVE) as other:
            await one.next("open")
            await other.next("open")
            assert len(live.streams) == 2
    await eventually(lambda: len(live.streams) == 0 and len(live.tail) == 0)
    live.tail._stop()

    async def settled() -> bool:
        consumers = await jetstream(api.nats, f"CONSUMER.NAMES.{subjects.TASKS}")
        names = consumers["consumers"] or []
        return len(asyncio.all_tasks()) <= idle and not [name for name in names if name.startswith("live-")]

    await eventually(settled)


async def test_positions_nobody_can_replay_are_reset(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the log for both kinds, too old for the stream of all tasks; one task's past is never too old."""
    for _ in range(5):
        task = await api.create(plan("a"))
    last = await api.last_seq()
    for params in ({"task": task["id"]}, {}):
        async with events(api.admin, LIVE, after=last + 1000, **params) as reading:
            event = await reading.next()
            assert (event.name, event.id, event.data["seq"]) == ("reset", str(last), last)
    monkeypatch.setattr(reader, "WINDOW", 3)
    async with events(api.admin, LIVE, after=last - 4) as reading:
        assert (await reading.next()).name == "reset"
        seq = await api.claim(task["id"], 1)
        assert (await reading.next()).data["seq"] == seq
    async with events(api.admin, LIVE, task=task["id"], after=0) as reading:
        assert await collect(reading, seq) == [task["logSeq"], seq]


async def test_bad_positions_are_refused(api: ServedApi) -> None:
    """400 for what is no position, 404 for tasks that are not there."""
    for params in ({"after": "x"}, {"after": "-1"}, {"task": "x"}):
        refused(await api.admin.get(LIVE, params=params), 400, 1001)
    refused(await api.admin.get(LIVE, headers={"Last-Event-ID": "what"}), 400, 1001)
    for task in (0, 99_999_999, 10**17):
        refused(await api.admin.get(LIVE, params={"task": task}), 404, 4001)
    stranger = api.client()
    refused(await stranger.get(LIVE), 401, 3000)
    await stranger.aclose()


async def of_team(api: ServedApi, *teams: str) -> httpx2.AsyncClient:
    """A client that sees these teams' tasks alone."""
    client = await api.bearer(Role.TASK_VIEWER, teams=frozenset(teams))

    async def known() -> bool:
        return (await client.get("/api/v2/task-types")).status_code == 200

    await eventually(known)
    return client


async def test_others_tasks_are_not_seen(api: ServedApi) -> None:
    """A team's reader hears its own tasks alone; another team's task is missing for it."""
    mine = await api.create(plan("a", labels={"team": "red"}))
    theirs = await api.create(plan("a", labels={"team": "blue"}))
    nobodys = await api.create(plan("a"))
    client = await of_team(api, "red")
    position = mine["logSeq"] - 1
    for task in (theirs, nobodys):
        refused(await client.get(LIVE, params={"task": task["id"]}), 404, 4001)
        refused(await client.get(f"{INSTANCES}/{task['id']}/events"), 404, 4001)
    async with events(client, LIVE, after=position) as reading, events(client, LIVE, task=mine["id"]) as own:
        await own.next("open")
        for task in (theirs, nobodys, mine):
            last = await api.claim(task["id"], 1)
        assert await collect(reading, last) == [mine["logSeq"], last]
        assert (await own.next("commit")).data["seq"] == last


async def test_a_reader_who_sees_nothing_is_told_how_far_it_is(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats are comments; where there was nothing to see they carry the position."""
    monkeypatch.setattr(lasting, "BEAT_SECONDS", 0.1)
    client = await of_team(api, "nobody-has-this-team")
    async with events(client, LIVE) as reading:
        begun = (await reading.next("open")).data["seq"]
        task = await api.create(plan("a"))
        told = await reading.next("position")
        assert begun < told.data["seq"] == task["logSeq"]
    async with events(api.admin, LIVE, task=task["id"]) as reading:
        await reading.next("open")
        waiting = asyncio.create_task(reading.next())
        await eventually(lambda: "beat" in reading.comments)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_revoked_credential_ends_its_streams(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time between two looks at it; other streams go on."""
    monkeypatch.setattr(lasting, "CHECK_SECONDS", 0.1)
    client = await of_team(api, "green")
    token_id = client.headers["authorization"].split("_")[1]
    async with events(client, LIVE) as reading, events(api.admin, LIVE) as other:
        await reading.next("open")
        await other.next("open")
        await api.nats.jetstream().publish(f"$KV.{subjects.ACCESS}.token/{token_id}", headers={"KV-Operation": "DEL"})
        with pytest.raises(EOFError):
            await asyncio.wait_for(reading.next("commit"), 10)
        task = await api.create(plan("a"))
        assert (await other.next("commit")).data["task"] == task["id"]


async def test_nobody_opens_more_than_their_share(module_nats: NatsServer, tmp_path: Path, api: ServedApi) -> None:
    """429 with Retry-After at the cap; somebody else may still open one, and a closed one makes room."""
    async with served(module_nats.url, api.settings.database_url, sse_per_principal=2) as small:
        viewer = await small.bearer(Role.TASK_VIEWER)
        async with events(small.admin, LIVE) as one, events(small.admin, LIVE) as two:
            await one.next("open")
            await two.next("open")
            answer = await small.admin.get(LIVE)
            refused(answer, 429, 0)
            assert int(answer.headers["retry-after"]) > 0

            async def opens() -> bool:
                async with events(viewer, LIVE) as reading:
                    return reading.answer.status_code == 200

            await eventually(opens)

        async def room() -> bool:
            async with events(small.admin, LIVE) as reading:
                return reading.answer.status_code == 200

        await eventually(room)


async def test_a_slow_reader_catches_up_from_the_log(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that overflows costs no memory and no commit, even when the tail remembers little."""
    monkeypatch.setattr(tail, "RECENT", 8)
    live = api.running._live
    assert live is not None
    task = await api.create(plan(*"abcdefghijklmnopqrst"))
    for task_id in (task["id"], None):
        source = live.commits(task_id, None, task["logSeq"] - 1)
        source._listener._most = 5
        await source.open()
        try:
            for _ in range(10):
                state = await api.log.load(task["id"], fresh=True)
                assert state is not None
                if ready := state.ready():
                    await api.finish(task["id"], ready[0])
            last = await api.last_seq()
            text = b""
            while b"id: %d\n" % last not in text:
                text += await source.next(1.0)
            found = [int(line[4:]) for line in text.split(b"\n") if line.startswith(b"id: ")][1:]
            assert found == list(range(task["logSeq"], last + 1))
        finally:
            await source.close()


async def test_without_nats_streams_wait_and_go_on(tmp_path: Path, nats_server: NatsServer) -> None:
    """The server of the log is killed and comes back: the same connection shows what came after, nothing twice."""
    async with served(nats_server.url, f"sqlite:///{tmp_path}/view.db") as api:
        task = await api.create(plan("a", "b"))
        async with (
            events(api.admin, LIVE, task=task["id"], after=0) as one,
            events(api.admin, LIVE, after=0) as every,
        ):
            assert (await one.next("commit")).data["seq"] == 1
            assert (await every.next("commit")).data["seq"] == 1
            nats_server.kill9()
            refused(await api.admin.get(LIVE), 503, 1006)
            nats_server.start()

            async def claimed() -> int:
                answer = await api.admin.post(f"{INSTANCES}/{task['id']}/cancel", headers={"Idempotency-Key": "k"})
                return int(answer.headers["x-log-seq"]) if answer.status_code == 200 else 0

            seq = await eventually(claimed, timeout=20)
            assert (await asyncio.wait_for(one.next("commit"), 10)).data["seq"] == seq
            assert (await asyncio.wait_for(every.next("commit"), 10)).data["seq"] == seq


async def test_a_killed_process_costs_its_readers_nothing(tmp_path: Path, nats_server: NatsServer) -> None:
    """Kill -9 in the middle of a stream: the reader goes on at the other process, and has what the log has."""
    one, two = Process(tmp_path, nats_server.url), Process(tmp_path, nats_server.url)
    running = []
    try:
        assert (await one.run("init"))[0] == 0
        for process in (one, two):
            running.append(await process.start("serve"))
            await eventually(process.ready, timeout=30, ignoring=(httpx2.HTTPError,))
        async with one.client() as first, two.client() as other:
            seen: list[int] = []
            async with events(first, LIVE, after=0) as reading:
                for _ in range(30):
                    assert (await other.post(INSTANCES, json=plan("a"))).status_code == 201
                seen += await collect(reading, 20)
                running[0].kill()
                with suppress(httpx2.HTTPError):
                    async for event in reading:
                        seen += [event.data["seq"]] if event.name == "commit" else []
            for _ in range(30):
                assert (await other.post(INSTANCES, json=plan("a"))).status_code == 201
            async with events(other, LIVE, last_id=str(seen[-1])) as reading:
                seen += await collect(reading, 60)
        assert seen == list(range(1, 61))
    finally:
        for child in running:
            if child.returncode is None:
                child.kill()
            await child.communicate()
