"""What REST, the console and the rescuer ask the view."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from services.api.projection import listing as module
from services.api.projection.reads import SORTS, Filter
from services.api.projection.tables import UNFINISHED
from shared.runtime.clock import now
from shared.task import commands as cmd
from shared.task.allowed import allowed_on_subtask, allowed_on_task
from shared.task.events import ObjectRef
from shared.task.state import Actor, SubtaskStatus, Task, TaskState
from tests.integration.projection.world import World, chain, running

BOB = Actor("user", "bob", "cli")
HOST = ObjectRef(kind="host", id="h-1", name="db01")


@pytest.fixture
async def filled(world: World) -> World:
    """Six tasks: done, failed, running, unplanned, deleted, and one of bob's about a host."""
    async with running(world.projector()):
        await world.finish(1, name="Alpha 100%")
        await world.fail(2)
        await world.create(3, name="ÄRGER", labels={"team": "core", "env": "prod"})
        await world.claim(3, 1)
        await world.create(4, subtasks=(), task_type="host.inspect", parent=1)
        await world.finish(5)
        await world.decide(5, cmd.DeleteTask(now()))
        await world.create(6, by=BOB, about=HOST, labels={"team": "core"})
        await world.seen()
    return world


async def _ids(world: World, **where: object) -> list[int]:
    page = await world.reads.tasks(Filter(**where), sort="id", descending=False)  # type: ignore[arg-type]
    assert page.total == len(page.contents)
    assert page.total_exact
    return [task.id for task in page.contents]


async def test_filters_restrict_each_in_its_way(filled: World) -> None:
    """Name part whatever its case, states, types, people, objects, labels, parent, time, ids; never a deleted task."""
    later = now() + timedelta(hours=1)
    cases: list[tuple[dict[str, object], list[int]]] = [
        ({}, [1, 2, 3, 4, 6]),
        ({"name": "alpha"}, [1]),
        ({"name": "0%"}, [1]),
        ({"name": "%"}, [1]),
        ({"name": "_"}, []),
        ({"name": "' OR 1=1"}, []),
        ({"name": "ärger"}, [3]),
        ({"states": frozenset({TaskState.FAILED, TaskState.RUNNING})}, [2, 3]),
        ({"types": ("host.inspect",)}, [4]),
        ({"creators": ("bob", "eve")}, [6]),
        ({"object_kind": "host", "object_name": "db01"}, [6]),
        ({"object_id": "h-2"}, []),
        ({"labels": {"team": "core"}}, [3, 6]),
        ({"labels": {"team": "core", "env": "prod"}}, [3]),
        ({"parent": 1}, [4]),
        ({"ids": (1, 5, 6)}, [1, 6]),
        ({"created_before": later}, [1, 2, 3, 4, 6]),
        ({"created_from": later}, []),
    ]
    for where, expected in cases:
        assert await _ids(filled, **where) == expected, where


async def test_pages_are_sorted_as_asked(filled: World) -> None:
    """Every sort key works in both directions, newest first unless told; pages follow each other."""
    first = await filled.reads.tasks(size=2)
    second = await filled.reads.tasks(size=2, page=2)
    assert [task.id for task in first.contents + second.contents] == [6, 4, 3, 2]
    assert (first.total, first.total_pages, second.number) == (5, 3, 2)
    for sort in SORTS:
        up = await filled.reads.tasks(sort=sort, descending=False)
        down = await filled.reads.tasks(sort=sort, descending=True)
        assert sorted(task.id for task in up.contents) == [1, 2, 3, 4, 6]
        if not SORTS[sort].nullable:  # what has no value comes last both ways
            assert [task.id for task in up.contents] == [task.id for task in reversed(down.contents)]
    with pytest.raises(KeyError):
        await filled.reads.tasks(sort="params")


async def test_totals_are_maintained_or_bounded(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a filter, or by state alone, totals come from the counts; others are counted up to the limit."""
    monkeypatch.setattr(module, "COUNT_LIMIT", 1)

    every = await filled.reads.tasks()
    failed = await filled.reads.tasks(Filter(states=frozenset({TaskState.FAILED})))
    many = await filled.reads.tasks(Filter(labels={"team": "core"}))
    several = await filled.reads.tasks(Filter(labels={"team": "core"}, creators=("ana",)))
    few = await filled.reads.tasks(Filter(types=("host.inspect",)))

    assert (every.total, every.total_exact) == (5, True)
    assert (failed.total, failed.total_exact) == (1, True)
    assert (many.total, many.total_exact) == (2, False)  # the page shows as many
    assert (several.total, several.total_exact) == (1, True)  # of two conditions the smaller one is gathered
    assert (few.total, few.total_exact) == (1, True)


async def test_counts_leave_deleted_tasks_out(filled: World) -> None:
    """Each state has its number."""
    assert await filled.reads.counts() == {
        TaskState.INITIALIZING: 1,
        TaskState.READY: 1,
        TaskState.RUNNING: 1,
        TaskState.SUCCESSFUL: 1,
        TaskState.FAILED: 1,
        TaskState.CANCELLED: 0,
    }


async def test_details_tell_what_is_allowed_without_the_log(filled: World) -> None:
    """A task built from its rows answers the rules exactly as the folded one does."""
    for task_id in (1, 2, 3, 4, 6):
        found = await filled.reads.task(task_id)
        folded = await filled.log.load(task_id)
        assert found is not None
        assert folded is not None
        again = found.task_state()
        assert allowed_on_task(again) == allowed_on_task(folded)
        assert _allowed(again) == _allowed(folded)
        assert again.counts == folded.counts
        assert again.subtasks == [] or again.subtasks[0].plan == folded.subtasks[0].plan


def _allowed(task: Task) -> list[list[str]]:
    return [allowed_on_subtask(task, subtask) for subtask in task.subtasks]


async def test_what_is_not_there_is_none(filled: World) -> None:
    """Unknown and deleted tasks, unknown subtasks."""
    assert await filled.reads.task(99) is None
    assert await filled.reads.task(5) is None
    assert (await filled.reads.task(5, deleted=True)) is not None
    assert await filled.reads.subtask(1, 9) is None
    one = await filled.reads.subtask(2, 2)
    assert one is not None
    assert (one.status, one.problem) == (SubtaskStatus.FAILED, {"kind": "BROKEN", "message": "It broke."})


async def test_briefs_of_a_page_come_at_once(filled: World) -> None:
    """Every id has an entry, subtasks in number order."""
    found = await filled.reads.briefs([1, 4, 99])

    assert [(brief.number, brief.key, brief.status) for brief in found[1]] == [
        (number, f"s{number}", SubtaskStatus.SUCCESSFUL) for number in (1, 2, 3)
    ]
    assert found[4] == found[99] == []


async def test_the_rescuer_finds_silent_unfinished_tasks(filled: World) -> None:
    """Unfinished ones without a commit behind a position, the longest silent first, found through their own index."""
    silent = await filled.reads.stale(filled.last)
    one = await filled.reads.stale(filled.last, limit=1)
    rest = await filled.reads.stale(filled.last, after_seq=one[0][1])
    none = await filled.reads.stale(silent[0][1] - 1)

    assert [task_id for task_id, _ in silent] == [3, 4, 6]
    assert [task_id for task_id, _ in one] == [3]
    assert [task_id for task_id, _ in rest] == [4, 6]
    assert none == []
    if filled.engine.dialect.name == "sqlite":
        async with filled.engine.connect() as connection:
            plan = await connection.execute(
                text(f"EXPLAIN QUERY PLAN SELECT id FROM tasks WHERE {UNFINISHED} AND seq <= 5 ORDER BY seq")
            )
            assert "tasks_unfinished" in str(plan.all())


async def test_a_wide_task_reads_back_whole(world: World) -> None:
    """A task of 300 subtasks, written by COPY on PostgreSQL, has every row."""
    async with running(world.projector()):
        await world.create(1, subtasks=chain(300))
        await world.step(1, 1)
        await world.seen()

    found = await world.reads.task(1)
    assert found is not None
    assert [subtask.number for subtask in found.subtasks] == list(range(1, 301))
    assert (found.task.step_number, found.task.step) == (2, "Step 2")
    assert found.subtasks[4].upstreams == [4]
    assert found.subtasks[4].downstreams == [6]
    await world.verified()
