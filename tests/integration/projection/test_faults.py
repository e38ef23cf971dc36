"""Faults of NATS and of the database: nothing is lost, nothing is written twice, and it heals by itself (P13, F14)."""

import asyncio
import sqlite3

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

    assert projector.feeds == 2
    assert not await _consumers(world)
    await world.verified()


async def test_a_database_that_is_slow_bounds_what_is_held_in_memory(world: World) -> None:
    """While the database hangs, the server stops sending: what waits here stays below the flow control window."""
    big = b"x" * 100_000
    projector = world.projector(batch=1)
    held = asyncio.Event()
    write = projector._writer.write

    async def slow(*arguments: object) -> None:
        await held.wait()
        await write(*arguments)  # type: ignore[arg-type]  passed on as they came

    projector._writer.write = slow  # type: ignore[method-assign]
    async with running(projector):
        for _ in range(600):
            await world.client.publish("tasks.2", big)
        await world.client.flush()
        state = (await api(world.client, f"STREAM.INFO.{subjects.TASKS}"))["state"]
        [consumer] = await eventually(lambda: _consumers(world))

        async def stalled() -> int:
            info = await api(world.client, f"CONSUMER.INFO.{subjects.TASKS}.{consumer}")
            return int(info["num_pending"])

        waiting = await eventually(stalled)
        assert 0 < waiting < state["messages"]
        held.set()
        projector._batch = 512
        await world.seen(state["last_seq"], timeout=30)
    assert projector.set_aside == 600


async def test_a_locked_sqlite_is_waited_for(world: World) -> None:
    """Another program holds the write lock: commits go on, and the view catches up when it is free (F14)."""
    path = file_of(normal(world.database_url))
    if path is None:
        pytest.skip("PostgreSQL has no such lock")
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
            for table in ("tasks", "subtasks", "counts"):
                await connection.execute(text(f"DELETE FROM {table}"))
        await world.finish(2)
        await world.seen()

    assert projector.failures > 0 or projector.feeds > 1
    await world.verified()


async def test_postgresql_killed_and_restarted(world: World, postgres_server: PostgresServer) -> None:
    """The database crashes: commands are still taken, reads say so, and the view catches up (P15, F14)."""
    if not world.database_url.startswith("postgresql"):
        pytest.skip("about PostgreSQL")
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
