"""The projector on a log with three replicas, while its servers die (F24)."""

import asyncio
from pathlib import Path

import pytest

from services.api.projection.engine import engine_for
from services.api.projection.migrate import upgrade
from shared.log.jetstream import JetStreamStorage
from shared.messages import subjects
from shared.runtime.nats import api, connect
from shared.store import streams
from tests.integration.projection.world import World, running
from tests.support.nats_server import NatsCluster


@pytest.mark.long
async def test_every_server_is_killed_in_turn(nats_cluster: NatsCluster, tmp_path: Path) -> None:
    """Leader, follower, or the one that serves the projector's consumer: no commit is missing and none is twice."""
    client = await connect(",".join(server.url for server in nats_cluster.servers), name="test")
    await streams.create(client, streams.tasks(3))
    storage = JetStreamStorage(client)
    await storage.open()
    url = f"sqlite:///{tmp_path}/view.db"
    await upgrade(url)
    world = World(client, storage, engine_for(url), url)
    projector = world.projector()
    try:
        async with running(projector):
            for turn, server in enumerate(nats_cluster.servers):
                await asyncio.gather(*(world.finish(10 * turn + task_id) for task_id in range(1, 6)))
                server.kill9()
                await asyncio.gather(*(world.finish(100 + 10 * turn + task_id) for task_id in range(1, 6)))
                await world.seen(timeout=60)
                server.start()
                info = await api(client, f"STREAM.INFO.{subjects.TASKS}")
                assert info["cluster"]["leader"]
            await world.finish(500)
            await world.seen(timeout=60)
        assert (await world.verified()).tasks == 31
    finally:
        await world.engine.dispose()
        await client.close()
