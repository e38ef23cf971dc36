"""What synchronisations did, folded from ends of attempts: counted once, rebuilt the same, watched by verify."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.api.projection.rebuild import rebuild
from services.api.projection.sync_counts import KINDS
from services.api.projection.sync_reads import SyncReads
from services.api.projection.verify import verify
from services.api.synchronisation import FIVE_MINUTES, Counts, month_of
from shared.log.port import Note
from shared.messages.commit import By
from shared.runtime.clock import commit_id
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Problem
from tests.integration.projection.world import ANA, World, chain, running

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
PARENT = 1


async def standing(world: World) -> None:
    """Commit a standing task."""
    create = cmd.CreateTask(PARENT, "a → b", "object.sync", ANA, MARCH, standing=True)
    await world.decide(PARENT, create, new=True)


async def child(world: World, task_id: int, *, retries: int = 0, of: Any = PARENT, parent: int | None = PARENT) -> None:
    """Commit a child with two batches, one after the other."""
    params = {"keys": ["a"], "of": {"task": of}}
    plan = chain(2, retries=retries)
    create = cmd.CreateTask(task_id, "request", "plan", ANA, MARCH, params=params, parent=parent, subtasks=plan)
    await world.decide(task_id, create, new=True)


async def end(world: World, task_id: int, number: int, at: datetime, outcome: cmd.Outcome) -> None:
    """Claim a subtask and end it at this time."""
    fence = await world.claim(task_id, number)
    note = Note(commit_id(), at, By(kind="executor", name="executor-1"))
    settle = cmd.Settle(number, fence, outcome, at)
    done = await world.log.transact(task_id, lambda task: decide(task, settle), note)
    world.last = max(world.last, done.seq)


def said(**counts: Any) -> cmd.Succeeded:
    """A good end that says this."""
    return cmd.Succeeded({"sync": counts})


def failed(*, again: bool = False, **counts: Any) -> cmd.Failed:
    """A bad end that says this."""
    return cmd.Failed(Problem(kind="SYNC", message="no", detail={"sync": counts}), retryable=again)


async def totals(world: World, at: datetime = MARCH) -> Counts:
    """The parent's sums of a month."""
    return (await SyncReads(world.engine).totals([PARENT], *month_of(at)))[PARENT]


async def told(world: World) -> None:
    """Three children, good and bad ends in two months, and a copy of each commit."""
    await standing(world)
    await child(world, 2, retries=1)
    await end(world, 2, 1, MARCH, said(requested=10, synced=7, ignored=2, bytes=7_000, failed=0))
    await end(world, 2, 2, MARCH + timedelta(minutes=4), failed(again=True, synced=1, bytes=5))
    await child(world, 3)
    await end(world, 3, 1, MARCH - timedelta(microseconds=1), said(requested=3, synced=3, bytes=30))
    await end(world, 3, 2, MARCH + timedelta(minutes=5), failed(failed=2))
    for stored in await world.log.history(2):
        await world.raw("tasks.2", stored.body)
    await world.seen()


async def test_ends_are_counted_by_month_once(world: World) -> None:
    """Good ends, bad ones and those that are tried again each add what they say; copied commits add nothing."""
    async with running(world.projector(batch=2)):
        await told(world)
        assert await totals(world) == Counts(requested=10, synced=8, failed=2, ignored=2, bytes=7_005)
        assert await totals(world, MARCH - timedelta(days=1)) == Counts(requested=3, synced=3, bytes=30)
        assert await totals(world, MARCH + timedelta(days=31)) == Counts()
        series = await SyncReads(world.engine).series(
            PARENT, list(KINDS), MARCH, MARCH + timedelta(hours=1), FIVE_MINUTES
        )
    first = int(MARCH.timestamp())
    assert series["SUCCESS"] == [(first, 8)]
    assert series["FAILURE"] == [(first + 300, 2)]
    await world.verified()


async def test_only_children_are_counted_and_only_numbers(world: World) -> None:
    """A task without a parent, one that names another, and what is no count: nothing is added, nothing breaks."""
    async with running(world.projector()):
        await standing(world)
        await child(world, 2, parent=None)
        await child(world, 3, of=99)
        await child(world, 4, of=None)
        for task_id in (2, 3, 4):
            await end(world, task_id, 1, MARCH, said(requested=5, synced=5))
        await child(world, 5)
        strange = {"requested": -1, "synced": True, "failed": "3", "ignored": 2.5, "bytes": 2**60}
        await end(world, 5, 1, MARCH, said(**strange))
        await end(world, 5, 2, MARCH, cmd.Succeeded({"sync": ["x"]}))
        await world.seen()
        assert await totals(world) == Counts()
    await world.verified()


async def test_a_rebuild_gives_the_same_and_verify_sees_what_was_touched(world: World) -> None:
    """Counts are a fold of the log as everything else is; a changed or missing row is a difference of its task."""
    async with running(world.projector()):
        await told(world)
    before = await totals(world)
    async with world.engine.begin() as connection:
        await connection.execute(text("UPDATE sync_counts SET num = num + 1 WHERE data_type = 'SKIP'"))
    (found,) = (await verify(world.storage, world.engine)).differences
    assert (found.task_id, "SKIP" in found.what) == (PARENT, True)
    async with world.engine.begin() as connection:
        await connection.execute(text("DELETE FROM sync_counts"))
    assert not (await verify(world.storage, world.engine)).same

    await rebuild(world.storage, world.engine)

    assert await totals(world) == before
    await world.verified()


async def test_standing_tasks_are_not_stale_and_keep_their_shape(world: World) -> None:
    """The rescuer is not told of them; from the view they are what they are in the log, started or stopped."""
    async with running(world.projector()):
        await standing(world)
        await world.create(2)
        await world.seen()
        assert [task_id for task_id, _ in await world.reads.stale(world.last)] == [2]
        for command in (None, cmd.CancelTask(MARCH), cmd.RetryTask(MARCH)):
            if command is not None:
                await world.decide(PARENT, command)
                await world.seen()
            row, task = await world.reads.task(PARENT), await world.log.load(PARENT)
            assert row is not None
            assert task is not None
            assert (row.task_state().standing, row.task_state().state) == (True, task.state)
        other = await world.reads.task(2)
        assert other is not None
        assert not other.task_state().standing
    await world.verified()
