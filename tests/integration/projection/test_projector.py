"""The projector: rows equal the fold, whatever happens to whoever projects."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from structlog.testing import capture_logs

from services.api.projection.fold import Applied
from shared.runtime.clock import now
from shared.task import commands as cmd
from shared.task.state import Operation, SubtaskStatus, TaskState
from tests.integration.projection.world import World, running
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("run_projector.py")


async def test_a_task_that_goes_well_is_in_the_view(world: World) -> None:
    """Every commit of a task's life reaches its rows."""
    async with running(world.projector()):
        await world.finish(1)
        await world.seen()

    found = await world.reads.task(1)
    assert found is not None
    assert (found.task.state, found.task.successful, found.task.active) == (TaskState.SUCCESSFUL, 3, 0)
    assert [(s.number, s.status, s.output) for s in found.subtasks] == [
        (number, SubtaskStatus.SUCCESSFUL, {"n": number}) for number in (1, 2, 3)
    ]
    assert found.task.seq == world.last
    assert (await world.reads.counts())[TaskState.SUCCESSFUL] == 1
    await world.verified()


async def test_every_turn_of_a_task_is_in_the_view(world: World) -> None:
    """Failure, retry, cancel, rollback and deletion show as the fold has them."""
    async with running(world.projector()):
        await world.fail(1)
        await world.decide(1, cmd.RetryTask(now()))
        fence = await world.claim(1, 2)
        await world.decide(1, cmd.CancelTask(now()))
        await world.seen()
        canceling = await world.reads.subtask(1, 2)
        await world.settle(1, 2, fence, cmd.Cancelled())
        await world.decide(1, cmd.RollBackTask(now()))
        await world.step(1, 2, cmd.Undone())
        await world.step(1, 1, cmd.Undone())
        await world.seen()
        undone = await world.reads.task(1)
        await world.decide(1, cmd.DeleteTask(now()))
        await world.seen()

    assert canceling is not None
    assert (canceling.status, canceling.operation) == (SubtaskStatus.CANCELING, Operation.CANCEL)
    assert undone is not None
    assert (undone.task.state, undone.task.operation) == (TaskState.SUCCESSFUL, Operation.ROLLBACK)
    assert await world.reads.task(1) is None
    assert await world.reads.task(1, deleted=True) is not None
    assert (await world.reads.tasks()).total == 0
    await world.verified()


async def test_many_tasks_at_once_in_small_batches_equal_the_fold(world: World) -> None:
    """Interleaved histories, cut anywhere, with a cache that holds hardly anything, fold to the same rows."""
    projector = world.projector(batch=7)
    projector._folder._limit = 20
    async with running(projector):
        await asyncio.gather(*(world.finish(task_id) for task_id in range(1, 21)), world.fail(21), world.fail(22))
        await world.seen()

    assert projector._folder.cold_reads > 0
    assert (await world.verified()).tasks == 22
    counts = await world.reads.counts()
    assert (counts[TaskState.SUCCESSFUL], counts[TaskState.FAILED]) == (20, 2)


async def test_a_commit_is_visible_within_milliseconds(world: World) -> None:
    """An idle projector shows a commit at once, and `wait_for` tells when."""
    projector = world.projector()
    took = []
    async with running(projector):
        await world.create(1)
        await projector.position.wait_for(world.last, 5)
        for task_id in range(2, 32):
            await world.create(task_id)
            began = perf_counter()
            assert await projector.position.wait_for(world.last, 5)
            took.append(perf_counter() - began)
            assert await world.reads.task(task_id) is not None

    assert median(took) < 0.05


async def test_waiting_for_a_position_that_does_not_come_ends_in_time(world: World) -> None:
    """`wait_for` says no after its patience, and yes at once for what is there."""
    projector = world.projector()
    async with running(projector):
        await world.create(1)
        assert await projector.position.wait_for(world.last, 5)
        assert not await projector.position.wait_for(world.last + 1, 0.05)
        assert await projector.position.wait_for(1, 0)


async def test_listeners_hear_every_commit_in_order(world: World) -> None:
    """A listener gets each commit once, after the rows are there; one that fails disturbs nobody."""
    heard: list[int] = []

    def listen(seq: int, applied: Sequence[Applied]) -> None:
        assert not applied or seq == applied[-1].seq
        heard.extend(commit.seq for commit in applied)

    def stumble(seq: int, applied: Sequence[Applied]) -> None:
        raise RuntimeError("listener")

    projector = world.projector()
    projector.listeners += [stumble, listen]
    with capture_logs() as logs:
        async with running(projector):
            await asyncio.gather(*(world.finish(task_id) for task_id in range(1, 4)))
            await projector.position.wait_for(world.last, 5)

    assert "a listener of the projection failed" in {line["event"] for line in logs}
    assert heard == list(range(1, world.last + 1))


async def test_a_new_projector_goes_on_at_the_checkpoint(world: World) -> None:
    """What was projected before is not projected again, and nothing between is left out."""
    async with running(world.projector()):
        await world.fail(1)
        await world.seen()
    before = world.last
    await world.decide(1, cmd.SkipTask(now()))
    await world.finish(2)
    second = world.projector()
    async with running(second):
        await world.seen()

    assert second.commits == world.last - before
    await world.verified()


async def test_a_second_projector_stands_by_and_takes_over(world: World) -> None:
    """Of two on one database one projects; the other answers `min_seq` and takes over when the first ends."""
    first, second = world.projector(), world.projector()
    async with contextlib.AsyncExitStack() as later:
        async with running(first):
            await eventually(lambda: first.active)
            await later.enter_async_context(running(second))
            await world.finish(1)
            assert await second.position.wait_for(world.last, 5)
            assert not second.active
        assert not first.active
        await world.finish(2)
        assert await second.position.wait_for(world.last, 10)
        await eventually(lambda: second.active)
    await world.verified()


async def test_a_projector_killed_in_its_transaction_leaves_nothing_half(world: World, nats_server: NatsServer) -> None:
    """Kill -9 between rows and commit: the rows of the batch are not there, and the next process writes them (F3)."""
    await asyncio.gather(*(world.finish(task_id) for task_id in range(1, 11)))
    killed = await _project(nats_server, world, OPSLEDGER_FAILPOINT="projector.rows:2")
    assert await killed.wait() == -signal.SIGKILL
    half = await world.reads.checkpoint()
    assert half is not None
    assert 0 < half.seq < world.last

    async with running(world.projector()):
        await world.seen()
    await world.verified()


async def test_another_process_takes_over_from_a_killed_one(world: World, nats_server: NatsServer) -> None:
    """When the process that projects is killed, the one that stands by follows within seconds."""
    process = await _project(nats_server, world)
    await world.finish(1)
    await world.seen()
    second = world.projector()
    async with running(second):
        await world.finish(2)
        await world.seen()
        assert not second.active
        process.kill()
        await process.wait()
        await world.finish(3)
        await world.seen()
        await eventually(lambda: second.active)
    await world.verified()


async def _project(server: NatsServer, world: World, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(SCRIPT),
        server.url,
        world.database_url,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stderr=asyncio.subprocess.DEVNULL,
    )
