"""LOG_REGRESSION: a log that has forgotten what the view holds stops everything; a rebuild settles it (P12, F13)."""

import asyncio
import shutil

import pytest

from services.api.projection.checkpoint import LogRegression
from services.api.projection.rebuild import rebuild
from shared.messages import subjects
from shared.runtime.nats import api
from shared.store import streams
from tests.integration.projection.world import World, running, subject
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer


async def _projected(world: World, tasks: int = 2) -> None:
    async with running(world.projector()):
        for task_id in range(1, tasks + 1):
            await world.finish(task_id)
        await world.seen()


async def _refused(world: World, kind: str) -> str:
    with pytest.raises(LogRegression) as caught:
        await world.projector().check()
    with pytest.raises(LogRegression):
        await world.projector().run()
    assert caught.value.kind == kind
    assert str(caught.value).startswith("LOG_REGRESSION: ")
    assert "opsledger projection rebuild" in str(caught.value)
    return str(caught.value)


async def test_a_missing_stream_is_a_regression(world: World) -> None:
    """The stream is gone."""
    await _projected(world)
    await api(world.client, f"STREAM.DELETE.{subjects.TASKS}")

    assert "is missing" in await _refused(world, "missing")


async def test_a_stream_made_anew_is_a_regression(world: World) -> None:
    """A stream of the same name and settings, made later, is another log, however long it is."""
    await _projected(world)
    before = world.last
    await api(world.client, f"STREAM.DELETE.{subjects.TASKS}")
    await streams.create(world.client, streams.tasks(1))
    for _ in range(before + 1):
        await world.raw(subject(1), b"{}")

    assert "was created at" in await _refused(world, "recreated")


async def test_a_log_that_is_shorter_or_different_is_a_regression(world: World, nats_server: NatsServer) -> None:
    """An older copy of the store is shorter; once others have written to it, it holds other commits."""
    await _projected(world, 1)
    reconnects = world.client.stats["reconnects"]
    nats_server.stop()
    shutil.copytree(nats_server.store_dir, nats_server.folder / "copy")
    nats_server.start()
    await world.reconnected(reconnects)
    async with running(world.projector()):
        await world.finish(2)
        await world.seen()
        checkpoint = await world.reads.checkpoint()
    assert checkpoint is not None
    nats_server.stop()
    shutil.rmtree(nats_server.store_dir)
    shutil.copytree(nats_server.folder / "copy", nats_server.store_dir)
    nats_server.start()
    await world.reconnected(reconnects + 1)

    assert "ends at sequence" in await _refused(world, "shorter")

    for _ in range(checkpoint.seq):
        await world.raw(subject(3), b"{}")
    assert checkpoint.commit_id in await _refused(world, "different")


async def test_a_log_that_changes_under_a_running_projector_stops_it(world: World, nats_server: NatsServer) -> None:
    """The comparison is made after every reconnect, also by a process that stands by."""
    runs = [asyncio.create_task(projector.run()) for projector in (world.projector(), world.projector())]
    await world.finish(1)
    await world.seen()
    nats_server.kill9()
    shutil.rmtree(nats_server.store_dir)
    nats_server.start()
    async with asyncio.timeout(20):
        ends = await asyncio.gather(*runs, return_exceptions=True)
    assert [type(end) for end in ends] == [LogRegression, LogRegression]


async def test_a_hole_in_the_log_is_a_regression(world: World) -> None:
    """A message that the leader no longer has, though the log goes on behind it, is never passed over."""
    await api(world.client, f"STREAM.DELETE.{subjects.TASKS}")
    await streams.create(world.client, streams.tasks(1) | {"deny_delete": False})
    await world.finish(1)
    await api(world.client, f"STREAM.MSG.DELETE.{subjects.TASKS}", {"seq": 3})

    with pytest.raises(LogRegression) as caught:
        await world.projector().run()
    assert caught.value.kind == "hole"


async def test_a_rebuild_accepts_the_log_that_is_there(world: World) -> None:
    """After a person decided that the new log is the one to go on with, a rebuild makes the view follow it."""
    await _projected(world)
    await api(world.client, f"STREAM.DELETE.{subjects.TASKS}")
    await streams.create(world.client, streams.tasks(1))
    world.log.forget()
    await world.finish(7)

    await rebuild(world.storage, world.engine)

    assert (await world.verified()).tasks == 1
    async with running(world.projector()):
        await world.finish(8)
        await world.seen()


async def test_a_log_that_cannot_be_asked_is_no_regression(world: World, nats_server: NatsServer) -> None:
    """While NATS is away the projector waits, and goes on when it is back."""
    await _projected(world, 1)
    nats_server.stop()
    projector = world.projector()
    async with running(projector):
        await eventually(lambda: projector.failures > 1)
        nats_server.start()
        await world.finish(2)
        await world.seen()
    await world.verified()
