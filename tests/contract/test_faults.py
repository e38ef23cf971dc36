"""The log on a server that is frozen, killed, cut off, or full: the same promises, with real faults (T3-T7, T14)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from shared.log.jetstream import JetStreamStorage
from shared.log.port import LogRefused, LogUnavailable
from shared.log.transact import TaskLog
from shared.messages import subjects
from shared.messages.codec import decode
from shared.runtime.nats import api, connect
from shared.store.streams import tasks
from shared.task import commands as cmd
from shared.task.state import SubtaskStatus, TaskState
from tests.contract.conftest import opened
from tests.contract.players import NOW, agrees, claim, commits, create, deciding, note
from tests.support.eventually import eventually
from tests.support.nats_server import NatsCluster, NatsServer
from tests.support.proxy import Proxy
from tests.unit.task.given import node

CANCEL = deciding(cmd.CancelTask(NOW))


@pytest.fixture
async def stack() -> AsyncIterator[contextlib.AsyncExitStack]:
    """Closes what the test opens, even when the server is gone by then."""
    async with contextlib.AsyncExitStack() as opened_things:
        yield opened_things


async def test_a_frozen_server_stores_once(nats_server: NatsServer, stack: contextlib.AsyncExitStack) -> None:
    """A publish that nobody answers is stored when the server wakes up; the repeats do not store it again (T5)."""
    log = TaskLog(await opened(stack, nats_server.url, timeout=0.2), patience=20)
    await create(log, 7)
    nats_server.pause()
    claiming = asyncio.create_task(claim(log, 7, 1))
    await eventually(lambda: log.storage.client.stats["out_msgs"] >= 5)  # type: ignore[attr-defined]
    nats_server.resume()
    fence = await claiming
    assert await log.last(7) == fence
    assert [len(commit.decisions) for commit in await commits(log, 7)] == [1, 1]
    await agrees(log, 7)


async def test_a_frozen_server_leaves_doubt(nats_server: NatsServer, stack: contextlib.AsyncExitStack) -> None:
    """Out of patience, the caller is told that the command may take effect; its key tells the truth later (P4)."""
    log = TaskLog(await opened(stack, nats_server.url, timeout=0.2), patience=0.1)
    await create(log, 7)
    nats_server.pause()
    with pytest.raises(LogUnavailable) as outage:
        await log.transact(7, CANCEL, note(command="cancel", key="k", body_hash="h"))
    assert outage.value.maybe
    nats_server.resume()
    log.patience = 20
    again = await log.transact(7, CANCEL, note(command="cancel", key="k", body_hash="h"))
    assert again.task.state is TaskState.CANCELLED
    assert len(await commits(log, 7)) == 2


async def test_nothing_is_published_later(nats_server: NatsServer, stack: contextlib.AsyncExitStack) -> None:
    """A command that failed while disconnected is not stored when the server comes back: no ghosts (T4)."""
    storage = await opened(stack, nats_server.url)
    log = TaskLog(storage, patience=0.1)
    await create(log, 7)
    nats_server.kill9()
    await eventually(lambda: not storage.client.is_connected)
    with pytest.raises(LogUnavailable) as outage:
        await log.transact(7, CANCEL, note(command="cancel"))
    assert not outage.value.maybe
    nats_server.start()
    await eventually(lambda: storage.client.is_connected, timeout=10)
    await storage.client.flush()
    log.patience = 10
    assert len(await commits(log, 7)) == 1
    assert (await agrees(log, 7)).state is TaskState.READY


@pytest.mark.parametrize("way", ["to_server", "to_client"])
async def test_a_cut_wire_leaves_doubt(
    nats_server: NatsServer, nats_proxy: Proxy, stack: contextlib.AsyncExitStack, way: str
) -> None:
    """Whether the question or the answer was lost cannot be told from here; the log tells when the wire is mended."""
    log = TaskLog(await opened(stack, nats_proxy.url(nats_server.url), timeout=0.2), patience=0.3)
    other = TaskLog(await opened(stack, nats_server.url))
    await create(log, 7)
    nats_proxy.drop("to_server" if way == "to_server" else "to_client")
    with pytest.raises(LogUnavailable) as outage:
        await log.transact(7, CANCEL, note(command="cancel", key="k", body_hash="h"))
    assert outage.value.maybe
    assert len(await commits(other, 7)) == (1 if way == "to_server" else 2)
    nats_proxy.reset()  # what was swallowed is gone for good with the connection
    nats_proxy.heal()
    log.patience = 20
    again = await log.transact(7, CANCEL, note(command="cancel", key="k", body_hash="h"))
    assert (again.replayed is None) is (way == "to_server")
    assert len(await commits(other, 7)) == 2


async def test_a_killed_server_loses_nothing(nats_server: NatsServer, stack: contextlib.AsyncExitStack) -> None:
    """Killed with -9 and restarted, three times, under the load of two processes: each decision is stored once (T3)."""
    logs = [TaskLog(await opened(stack, nats_server.url, timeout=1), patience=30) for _ in range(2)]
    width = 400
    await create(logs[0], 7, *(node(f"n{number}") for number in range(width)))
    fences: dict[int, int] = {}

    async def work(worker: int) -> None:
        for number in range(worker + 1, width + 1, 8):
            fences[number] = await claim(logs[worker % 2], 7, number, f"e{worker}")
            settle = cmd.Settle(number, fences[number], cmd.Succeeded(), NOW)
            await logs[worker % 2].transact(7, deciding(settle), note())

    async def trouble() -> None:
        for share in (0.2, 0.45, 0.7):
            await eventually(lambda share=share: len(fences) >= share * width, timeout=60)  # type: ignore[misc]
            nats_server.kill9()
            await asyncio.to_thread(nats_server.start)

    await asyncio.gather(trouble(), *(work(worker) for worker in range(8)))
    task = await agrees(logs[0], 7)
    assert task.state is TaskState.SUCCESSFUL
    assert [subtask.run_time for subtask in task.subtasks] == [1] * width
    starts = {
        event.subtask: stored.seq
        for stored in await logs[1].history(7)
        for decision in decode(stored.body).decisions
        for event in decision.events
        if event.type == "subtask.started"
    }
    assert starts == fences
    ids = [decision.id for commit in await commits(logs[1], 7) for decision in commit.decisions]
    assert len(ids) == len(set(ids)) == 1 + 2 * width


async def test_a_full_log_says_so_at_once(nats_server: NatsServer, stack: contextlib.AsyncExitStack) -> None:
    """At its limit the stream refuses; nothing old is dropped, and nobody waits for his patience to end (T14)."""
    client = await connect(nats_server.url, name="admin")
    stack.push_async_callback(client.close)
    await api(client, f"STREAM.CREATE.{subjects.TASKS}", {**tasks(1), "max_bytes": 20_000})
    log = TaskLog(JetStreamStorage(client), patience=60)
    await log.storage.open()  # type: ignore[attr-defined]
    created = await create(log, 7, *(node(f"n{number}") for number in range(40)))
    answers = [(await asyncio.gather(claim(log, 7, number), return_exceptions=True))[0] for number in range(1, 41)]
    refusals = [answer for answer in answers if isinstance(answer, LogRefused)]
    assert refusals
    assert not any(refusal.maybe for refusal in refusals)
    history = await commits(log, 7)
    assert len(history) > 1
    assert (await log.history(7))[0].seq == created.seq
    assert (await agrees(log, 7)).counts[SubtaskStatus.RUNNING] == len(history) - 1


async def test_a_missing_log_is_an_outage(nats_server: NatsServer, stack: contextlib.AsyncExitStack) -> None:
    """Without the stream nobody is told that a task does not exist (T25)."""
    storage = await opened(stack, nats_server.url)
    await api(storage.client, f"STREAM.DELETE.{subjects.TASKS}")
    log = TaskLog(storage, patience=0.1)
    for ask in (create(log, 7), claim(log, 7, 1), log.load(7), log.last(7)):
        with pytest.raises(LogUnavailable) as outage:
            await ask
        assert not outage.value.maybe


@pytest.mark.long
async def test_a_log_of_three_replicas_keeps_its_referee(
    nats_cluster: NatsCluster, stack: contextlib.AsyncExitStack
) -> None:
    """Two writers on one exact subject while leaders die: no commit rests on a state that was not the last (T3, T7)."""
    logs = [TaskLog(await opened(stack, nats_cluster.url, 3, timeout=2), patience=60) for _ in range(2)]
    admin = await connect(nats_cluster.url, name="admin")
    stack.push_async_callback(admin.close)
    width = 600
    await create(logs[0], 7, *(node(f"n{number}") for number in range(width)))
    fences: dict[int, int] = {}

    async def work(worker: int) -> None:
        for number in range(worker + 1, width + 1, 16):
            fences[number] = await claim(logs[worker % 2], 7, number, f"e{worker}")
            settle = cmd.Settle(number, fences[number], cmd.Succeeded(), NOW)
            await logs[worker % 2].transact(7, deciding(settle), note())

    async def trouble() -> None:
        for share in (0.2, 0.5, 0.8):
            await eventually(lambda share=share: len(fences) >= share * width, timeout=90)  # type: ignore[misc]
            info = await api(admin, f"STREAM.INFO.{subjects.TASKS}", timeout=10)
            leader = nats_cluster.server_named(info["cluster"]["leader"])
            leader.kill9()
            await asyncio.to_thread(leader.start)

    await asyncio.gather(trouble(), *(work(worker) for worker in range(16)))
    task = await agrees(logs[0], 7)
    assert task.state is TaskState.SUCCESSFUL
    assert task.ignored == 0
    assert [subtask.run_time for subtask in task.subtasks] == [1] * width
    stored = await commits(logs[1], 7)
    assert sum(len(commit.decisions) for commit in stored) == 1 + 2 * width
    assert logs[0].conflicts + logs[1].conflicts > 0
