"""Faults of NATS and of the database: nothing is lost, nothing is written twice, and it heals by itself (P13, F14)."""

import asyncio
import sqlite3
from typing import Any

import pytest
from sqlalchemy import text

from services.api.projection.engine import engine_for, file_of, normal
from services.api.projection.faults import ViewUnavailable
from services.api.projection.migrate import upgrade
from services.api.projection.reads import Reads
from shared.messages import subjects
from shared.runtime.nats import api
from tests.integration.projection.world import World, running
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer
from tests.support.postgres import PostgresServer


async def test_nats_killed_and_restarted_under_load(world: World, nats_server: NatsServer) -> None:
    """The feed is opened anew behind the last commit used."""
    projector = world.projector()
    async with running(projector):
        for turn in range(3):
            await asyncio.gather(*(world.finish(10 * turn + task_id) for task_id in range(1, 4)))
            reconnects = world.client.stats["reconnects"]
            nats_server.kill9()
            nats_server.start()
            await world.reconnected(reconnects)
        await world.finish(100)
        await world.seen()

    assert projector.set_aside == 0
    await world.verified()


async def test_a_paused_nats_delays_the_view_and_no_more(world: World, nats_server: NatsServer) -> None:
    """Silence without a lost connection is noticed by the missing heartbeat (F6, F8)."""
    projector = world.projector()
    async with running(projector):
        await world.finish(1)
        await world.seen()
        feeds = projector.feeds
        nats_server.pause()
        await eventually(lambda: projector.failures > 0 or projector.feeds > feeds, timeout=15)
        nats_server.resume()
        await world.finish(2)
        await world.seen()
    await world.verified()


async def test_a_deleted_consumer_is_made_again(world: World) -> None:
    """An administrator deletes the projector's consumer: the watchdog opens a new feed (T22, F11)."""
    projector = world.projector()
    async with running(projector):
        await world.finish(1)
        await world.seen()
        for name in await _consumers(world):
            await api(world.client, f"CONSUMER.DELETE.{subjects.TASKS}.{name}")
        await world.finish(2)
        await world.seen()

    async def gone() -> bool:
        return not await _consumers(world)

    assert projector.feeds == 2
    await eventually(gone, what="no consumer is left behind")
    await world.verified()


async def test_a_database_that_is_slow_bounds_what_is_held_in_memory(world: World) -> None:
    """While the database hangs, the server stops sending: most of 40 MB stays there (F23)."""
    for _ in range(20):
        await asyncio.gather(*(world.raw("tasks.2", b"x" * 100_000) for _ in range(20)))
    projector = world.projector()
    held = asyncio.Event()
    write = projector._writer.write

    async def slow(*arguments: Any) -> None:
        await held.wait()
        await write(*arguments)

    projector._writer.write = slow  # type: ignore[method-assign, assignment]
    async with running(projector):
        [consumer] = await eventually(lambda: _consumers(world))
        looks: list[int] = []

        async def stalled() -> bool:
            info = await api(world.client, f"CONSUMER.INFO.{subjects.TASKS}.{consumer}")
            looks.append(info["num_pending"])
            return looks[-5:] == [looks[-1]] * 5

        await eventually(stalled, interval=0.05)
        assert looks[-1] > 200
        held.set()
        await world.seen(timeout=30)
    assert projector.set_aside == 400


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_locked_sqlite_is_waited_for(world: World) -> None:
    """Another program holds the write lock: commits go on, and the view catches up when it is free (F14)."""
    path = file_of(normal(world.database_url))
    assert path is not None
    projector = world.projector()
    async with running(projector):
        await world.finish(1)
        await world.seen()
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            await world.finish(2)
            await eventually(lambda: projector.failures > 0, timeout=15)
            before = await world.reads.task(2)
            other.execute("ROLLBACK")
        other.close()
        await world.seen()
    assert before is None
    await world.verified()


async def test_somebody_else_who_moves_the_checkpoint_is_noticed(world: World) -> None:
    """A writer whose checkpoint was moved writes nothing over it, but begins anew where it stands now."""
    projector = world.projector(batch=1)
    async with running(projector):
        await world.finish(1)
        await world.seen()
        async with world.engine.begin() as connection:
            await connection.execute(text("DELETE FROM checkpoint"))
            for table in ("tasks", "subtasks", "counts", "audit"):
                await connection.execute(text(f"DELETE FROM {table}"))
        await world.finish(2)
        await world.seen()

    assert projector.failures > 0 or projector.feeds > 1
    await world.verified()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_postgresql_killed_and_restarted(world: World, postgres_server: PostgresServer) -> None:
    """The database crashes: commands are still taken, reads say so, and the view catches up (P15, F14)."""
    url = postgres_server.url.render_as_string(hide_password=False)
    await upgrade(url)
    engine = engine_for(url)
    own = World(world.client, world.storage, engine, url)
    projector = own.projector()
    try:
        async with running(projector):
            await own.finish(1)
            await own.seen()
            postgres_server.kill9()
            await own.finish(2)
            with pytest.raises(ViewUnavailable):
                await Reads(engine).task(1)
            await eventually(lambda: projector.failures > 0)
            postgres_server.start()
            await own.seen(timeout=20)
            async with engine.connect() as connection:
                await connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE pid <> pg_backend_pid() AND datname = current_database()"
                    )
                )
            await own.finish(3)
            await own.seen(timeout=20)
        await own.verified()
    finally:
        await engine.dispose()


async def _consumers(world: World) -> list[str]:
    return (await api(world.client, f"CONSUMER.NAMES.{subjects.TASKS}"))["consumers"] or []
