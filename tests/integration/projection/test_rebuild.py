"""Rebuilding the view beside the live one, and comparing it with the log (P9, C7)."""

import asyncio

import pytest
from sqlalchemy import text

from services.api.projection.engine import file_of, normal
from services.api.projection.rebuild import RebuildRunning, fold_rate, rebuild
from services.api.projection.tables import counts, metadata
from services.api.projection.verify import verify
from tests.integration.projection.world import World, running


async def _rows(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, except counts that have gone back to nothing."""
    found = {}
    async with world.engine.connect() as connection:
        for table in metadata.sorted_tables:
            query = table.select().order_by(*table.primary_key)
            if table is counts:
                query = query.where(counts.c.n != 0)
            found[table.name] = [tuple(row) for row in await connection.execute(query)]
    return found


async def _filled(world: World) -> None:
    async with running(world.projector(batch=5)):
        await asyncio.gather(*(world.finish(task_id) for task_id in range(1, 6)), world.fail(6))
        await world.create(7, labels={"team": "core"})
        await world.raw("tasks.8", b"nonsense")
        await world.seen()


async def test_a_rebuild_gives_the_same_rows(world: World) -> None:
    """Dropping everything and replaying gives the same rows, whatever the batches were (P9)."""
    await _filled(world)
    live = await _rows(world)
    async with world.engine.begin() as connection:
        for table in metadata.sorted_tables:
            await connection.execute(table.delete())

    done = await rebuild(world.storage, world.engine)

    assert await _rows(world) == live
    assert (done.seq, done.set_aside) == (world.last, 1)
    await world.verified()


async def test_a_rebuild_disturbs_neither_readers_nor_the_live_projector(world: World) -> None:
    """While commits go on, readers find their tasks at every moment, and the projector goes on behind the rebuild."""
    projector = world.projector()
    async with running(projector):
        await asyncio.gather(*(world.finish(task_id) for task_id in range(1, 21)))
        await world.seen()
        rebuilding = asyncio.create_task(rebuild(world.storage, world.engine))
        task_id = 100
        while not rebuilding.done():
            await world.finish(task_id)
            task_id += 1
            assert await world.reads.task(1) is not None
        await rebuilding
        await world.finish(task_id)
        await world.seen()
    await world.verified()


async def test_nothing_is_left_of_what_stood_beside(world: World) -> None:
    """The second file, or the second schema, is gone, also when the rebuild did not come to its end."""
    await _filled(world)
    await rebuild(world.storage, world.engine)
    await fold_rate(world.storage, world.engine)

    path = file_of(normal(world.database_url))
    if path is not None:
        assert not [found for found in path.parent.iterdir() if found.name.startswith(f"{path.name}.rebuild")]
        return
    async with world.engine.connect() as connection:
        schemas = text("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'opsledger%'")
        assert (await connection.execute(schemas)).scalar_one() == 0


async def test_two_rebuilds_at_once_are_refused(world: World) -> None:
    """The second one says so instead of spoiling the first."""
    await _filled(world)
    ends = await asyncio.gather(*(rebuild(world.storage, world.engine) for _ in range(2)), return_exceptions=True)
    assert [type(end) for end in ends].count(RebuildRunning) == 1
    await world.verified()


async def test_the_fold_rate_is_measured_without_touching_the_view(world: World) -> None:
    """It folds the whole log and leaves the live rows alone."""
    await _filled(world)
    before = await _rows(world)

    measured = await fold_rate(world.storage, world.engine)

    assert measured.seq == world.last
    assert measured.rate > 0
    assert await _rows(world) == before


@pytest.mark.parametrize(
    ("damage", "task_id", "says"),
    [
        ("UPDATE tasks SET state = 'FAILED' WHERE id = 1", 1, "state: log 'SUCCESSFUL', row 'FAILED'"),
        ("UPDATE subtasks SET output = '{}' WHERE task_id = 2 AND number = 3", 2, "subtask 3 output"),
        ("DELETE FROM subtasks WHERE task_id = 3 AND number = 3", 3, "subtasks: log 3, rows 2"),
        ("DELETE FROM tasks WHERE id = 4", 4, "has commits, but no rows"),
        ("UPDATE tasks SET id = 99 WHERE id = 4", 99, "has rows, but no commits"),
        ("DELETE FROM task_labels", 7, "labels"),
        ("UPDATE counts SET n = n + 1 WHERE state = 'FAILED'", 0, "counts"),
    ],
)
async def test_verify_names_what_differs(world: World, damage: str, task_id: int, says: str) -> None:
    """Every kind of damage to the rows is found, with its task and place; a rebuild mends it."""
    await _filled(world)
    async with world.engine.begin() as connection:
        await connection.execute(text(damage))

    found = await verify(world.storage, world.engine)

    assert not found.same
    assert says in {difference.task_id: difference.what for difference in found.differences}[task_id]
    await rebuild(world.storage, world.engine)
    await world.verified()
