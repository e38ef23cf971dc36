"""The log's storages: in memory, on one real server, and on a cluster of three (long). One contract for all."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count

import pytest

from shared.log.jetstream import JetStreamStorage
from shared.log.memory import MemoryStorage
from shared.log.port import Storage
from shared.log.transact import TaskLog
from shared.runtime.nats import connect
from shared.store.streams import create, tasks
from tests.support.nats_server import NatsCluster, NatsServer

_ids = count(1000)

NewLog = Callable[..., Awaitable[TaskLog]]


@pytest.fixture(scope="session")
def log_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for all contract tests: each keeps to a task of its own."""
    with NatsServer(tmp_path_factory.mktemp("log")) as server:
        yield server


@pytest.fixture(scope="session")
def log_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    """Three servers, where the log has three replicas."""
    cluster = NatsCluster(tmp_path_factory.mktemp("logs"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def task_id() -> int:
    """A task id that no other test uses."""
    return next(_ids)


@pytest.fixture(params=["memory", "jetstream", pytest.param("cluster", marks=pytest.mark.long)])
async def new_log(request: pytest.FixtureRequest) -> AsyncIterator[NewLog]:
    """Makes logs as different processes have them: each with a cache, and a connection, of its own."""
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "memory":
            memory = MemoryStorage()

            async def in_memory(**settings: int) -> TaskLog:
                return TaskLog(memory, **settings)

            yield in_memory
            return
        replicas = 3 if request.param == "cluster" else 1
        url = request.getfixturevalue("log_cluster" if replicas == 3 else "log_server").url

        async def on_server(**settings: int) -> TaskLog:
            return TaskLog(await opened(stack, url, replicas), **settings)

        yield on_server


@pytest.fixture
async def new_storage(new_log: NewLog) -> Callable[[], Awaitable[Storage]]:
    """Makes bare storages."""

    async def made() -> Storage:
        return (await new_log()).storage

    return made


async def opened(
    stack: contextlib.AsyncExitStack, url: str, replicas: int = 1, *, timeout: float = 5.0
) -> JetStreamStorage:
    """A storage over a connection of its own, which ends with the stack; the log is created when it is missing."""
    client = await connect(url, name="contract")
    stack.push_async_callback(client.close)
    await create(client, tasks(replicas))
    storage = JetStreamStorage(client, timeout=timeout)
    await storage.open()
    return storage
