"""Each API process answers for itself; one that stopped is not there any more."""

import os

import pytest

from services.api.bus.replicas import Replica, Replicas
from shared.runtime.nats import connect
from tests.integration.api.harness import ServedApi, served
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_process_answers(api: ServedApi, module_nats: NatsServer) -> None:
    """The oldest first; one of them writes the view, the others stand by."""
    asked = Replicas(api.nats)

    async with served(module_nats.url, api.settings.database_url, rescue_after_seconds=60):
        both = await eventually(lambda: _of(asked, 2), what="both answer in time")
    alone = await eventually(lambda: _of(asked, 1), what="the one answers in time")

    assert [one.pid for one in both] == [os.getpid()] * 2
    assert both[0].started_at < both[1].started_at
    assert [one.projecting for one in both] == [True, False]
    assert [one.started_at for one in alone] == [both[0].started_at]


async def _of(asked: Replicas, number: int) -> list[Replica]:
    """The answers, none when a busy machine kept some of them back for longer than a page waits."""
    found = await asked.all()
    return list(found) if len(found) == number else []


async def test_nobody_answers_without_a_connection(module_nats: NatsServer) -> None:
    """And nothing is raised: pages that are looked at in an outage ask this."""
    client = await connect(module_nats.url, name="gone")
    await client.close()

    assert await Replicas(client).all() == []
