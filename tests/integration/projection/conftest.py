"""A world for each projection test: an empty NATS of its own with our log, and a fresh, migrated database."""

from collections.abc import AsyncIterator

import pytest

from services.api.projection.engine import engine_for
from services.api.projection.migrate import upgrade
from shared.log.jetstream import JetStreamStorage
from shared.runtime.nats import connect
from shared.store import streams
from tests.integration.projection.world import World
from tests.support.nats_server import NatsServer


@pytest.fixture
async def world(nats_server: NatsServer, database_url: str) -> AsyncIterator[World]:
    """A log and a view, once on SQLite and once on PostgreSQL."""
    client = await connect(nats_server.url, name="test")
    engine = engine_for(database_url)
    try:
        await streams.create(client, streams.tasks(1))
        storage = JetStreamStorage(client)
        await storage.open()
        await upgrade(database_url)
        yield World(client, storage, engine, database_url)
    finally:
        await engine.dispose()
        await client.close()
