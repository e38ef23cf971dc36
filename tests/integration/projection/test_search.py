"""Searching the view: every filter against a plain answer, sorts, cursors, totals, and the trigrams' upkeep."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.projection import listing
from services.api.projection.engine import engine_for
from services.api.projection.listing import COUNT_LIMIT
from services.api.projection.migrate import upgrade
from services.api.projection.page import SORTS, Cursor
from services.api.projection.reads import Filter, Thing
from services.api.projection.rebuild import rebuild
from services.api.projection.view import Page
from shared.runtime.clock import now
from shared.task import commands as cmd
from shared.task.state import TaskState
from tests.integration.projection.crowd import BEGAN, KINDS, MANY, NAMES, PEOPLE, PLACES, TYPES, Crowd
from tests.integration.projection.filters import filters
from tests.integration.projection.world import World, running

TIMED = ("id", "created_at", "started_at", "finished_at")


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Crowd]:
    """Three hundred tasks on SQLite, then on PostgreSQL."""
    await upgrade(database_url)
    engine = engine_for(database_url)
    found = Crowd(engine)
    try:
        await found.open(MANY)
        yield found
    finally:
        await found.close()
        await engine.dispose()


@pytest.fixture(params=["gathered", "walked"])
def plan(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lists as they are with few tasks, and as they are when every condition leaves too many to gather."""
    if request.param == "walked":
        monkeypatch.setattr(listing, "COUNT_LIMIT", 5)
        monkeypatch.setattr(listing, "COUNT_ROWS", 12)
        monkeypatch.setattr(listing, "SAMPLE", 60)
        monkeypatch.setattr(listing, "NEWEST", 30)
    return str(request.param)


_EASY = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@_EASY
@given(where=filters, sort=st.sampled_from(sorted(SORTS)), descending=st.booleans(), size=st.sampled_from((7, 60, 400)))
async def test_every_filter_finds_what_a_plain_loop_finds(
    crowd: Crowd, plan: str, where: dict[str, Any], sort: str, *, descending: bool, size: int
) -> None:
    """Any filters, any sort, any page size: page numbers and cursors give the same, complete, rightly sorted list."""
    found = Filter(**where)
    wanted = crowd.fitting(found)
    pages = [await crowd.reads.tasks(found, sort=sort, descending=descending, size=size)]
    while pages[-1].next is not None:
        cursor = Cursor.of(pages[-1].next.text())
        pages.append(await crowd.reads.tasks(found, size=size, after=cursor))
    shown = [task.id for page in pages for task in page.contents]

    assert sorted(shown) == sorted(wanted)
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    if sort in TIMED:
        assert shown == crowd.ordered(wanted, sort, descending=descending)
    for number in {1, len(pages) // 2 + 1, len(pages), len(pages) + 1}:
        page = await crowd.reads.tasks(found, page=number, sort=sort, descending=descending, size=size)
        assert [task.id for task in page.contents] == shown[(number - 1) * size : number * size]
        _check_total(page, len(wanted), plan)


def _check_total(page: Page, wanted: int, plan: str) -> None:
    if plan == "gathered" or page.total_exact:
        assert (page.total, page.total_exact) == (wanted, True)
    else:
        assert len(page.contents) <= page.total <= max(wanted, page.size * page.number)


async def test_each_filter_alone_finds_what_a_plain_loop_finds(crowd: Crowd, plan: str) -> None:
    """Every value that tasks have, every border of a time, and one that none has."""
    about = [task.object for task in crowd.tasks.values() if task.object is not None]
    times = [*(task.created_at for task in crowd.tasks.values()), BEGAN - timedelta(1)][::9]
    ends = [task.finished_at for task in crowd.tasks.values() if task.finished_at is not None][::9]
    cases: dict[str, Sequence[Any]] = {
        "name": [*NAMES, *(task.name for task in crowd.tasks.values())][::7],
        "text": [*NAMES, "path deep", "2.5", "true", "17", "n"],
        "states": [frozenset({state}) for state in TaskState],
        "types": [(kind,) for kind in TYPES],
        "creators": [(person,) for person in PEOPLE],
        "object_kind": KINDS,
        "object_id": list({each.id for each in about if each.id is not None}),
        "object_name": PLACES,
        "things": [(Thing(kind, id=given),) for kind in KINDS[:3] for given in (*PLACES, "h-1")]
        + [(Thing(kind, name=name),) for kind in KINDS[:3] for name in (*PLACES, "cor", "b")],
        "labels": [{key: value} for key in ("team", "host.id") for value in PLACES],
        "teams": [frozenset(), frozenset({"core"}), frozenset({"core", "labs"})],
        "parent": [1, 2],
        "created_from": times,
        "created_before": times,
        "finished_from": ends,
        "finished_before": ends,
    }
    met = 0
    for name, values in cases.items():
        for value in values:
            where = Filter(**{name: value})
            page = await crowd.reads.tasks(where, size=400)
            assert {task.id for task in page.contents} == crowd.fitting(where), where
            met += bool(page.contents)
    assert met > 100


@pytest.mark.parametrize(
    ("sort", "where"),
    [
        ("id", Filter()),
        ("name", Filter(name="back")),
        ("object", Filter(states=frozenset(TaskState) - {TaskState.READY})),
        ("finished_at", Filter()),
    ],
)
@pytest.mark.parametrize("descending", [True, False])
async def test_a_list_read_by_cursor_gives_every_task_once_while_others_arrive(
    crowd: Crowd, plan: str, sort: str, where: Filter, *, descending: bool
) -> None:
    """Whatever is added or removed between two pages, what was there and stays there comes exactly once."""
    there = crowd.fitting(where)
    page = await crowd.reads.tasks(where, sort=sort, descending=descending, size=23)
    shown = [task.id for task in page.contents]
    gone: set[int] = set()
    while page.next is not None:
        await crowd.add(3)
        last = max(there - gone)
        task = crowd.tasks[last].draft()
        task.deleted = True
        await crowd.write([task])
        gone.add(last)
        page = await crowd.reads.tasks(where, size=23, after=page.next)
        shown += [task.id for task in page.contents]
    assert len(shown) == len(set(shown))
    assert there - gone <= set(shown)


async def test_times_without_a_value_come_last_both_ways(crowd: Crowd, plan: str) -> None:
    """In both databases."""
    for sort in "started_at", "finished_at", "object":
        for descending in True, False:
            page = await crowd.reads.tasks(sort=sort, descending=descending, size=400)
            values = [task.object_name if sort == "object" else getattr(task, sort) for task in page.contents]
            absent = [value is None for value in values]
            assert absent == sorted(absent)
            assert any(absent)
            assert not all(absent)


async def test_names_are_found_literally_by_any_part(crowd: Crowd) -> None:
    """No pattern, no quote and no operator of a search language has a meaning; words of one letter are found, too."""
    for word in (
        "%",
        "_",
        "'",
        '"',
        "\\",
        "*",
        "a_b",
        "100%",
        'y"',
        "x' OR '1'='1",
        "back AND",
        "NEAR(",
        "name:",
        "^b",
    ):
        where = Filter(name=word)
        page = await crowd.reads.tasks(where, size=400)
        assert {task.id for task in page.contents} == crowd.fitting(where), word
    assert crowd.fitting(Filter(name="%"))
    assert not crowd.fitting(Filter(name="*"))


async def test_a_deleted_task_leaves_lists_totals_and_trigrams(crowd: Crowd) -> None:
    """And comes back into them should its row ever do so."""
    where = Filter(name="backup", labels={"team": "core"})
    first = min(crowd.fitting(where))
    for deleted in True, False:
        task = crowd.tasks[first].draft()
        task.deleted = deleted
        await crowd.write([task])
        for found in where, Filter(name="backup"), Filter(labels={"team": "core"}), Filter(text="backup"):
            page = await crowd.reads.tasks(found, size=400)
            assert {task.id for task in page.contents} == crowd.fitting(found)
            assert page.total == len(page.contents)


async def test_rows_changed_by_hand_keep_their_trigrams(crowd: Crowd) -> None:
    """Whoever writes tasks keeps the index: triggers do."""
    async with crowd.engine.begin() as connection:
        await connection.execute(text("UPDATE tasks SET name_folded = 'quetzal' WHERE id = 5"))
        await connection.execute(text("UPDATE tasks SET deleted = true WHERE id = 6"))
        await connection.execute(text("UPDATE tasks SET id = 9999, name_folded = 'quetzal' WHERE id = 7"))
        await connection.execute(text("DELETE FROM tasks WHERE id = 8"))
        await connection.execute(text("UPDATE tasks SET deleted = false WHERE id IN (5, 9999)"))
    page = await crowd.reads.tasks(Filter(name="quetzal"))
    assert [task.id for task in page.contents] == [9999, 5]
    await _check_trigrams(crowd.engine)


async def test_a_rebuild_keeps_the_trigrams(world: World) -> None:
    """Its rows come by another way, past the projector; lists find them all the same."""
    async with running(world.projector()):
        await world.create(1, name="Quetzal one", labels={"host": "db-1"})
        await world.create(2, name="Quetzal two")
        await world.finish(3, name="Quetzal three")
        await world.decide(3, cmd.DeleteTask(now()))
        await world.seen()
    await rebuild(world.storage, world.engine)
    await _check_trigrams(world.engine)
    for where, ids in (
        (Filter(name="QUETZAL"), [2, 1]),
        (Filter(things=(Thing("host", name="b-1"),)), [1]),
        (Filter(text="place two"), [2]),
    ):
        assert [task.id for task in (await world.reads.tasks(where)).contents] == ids
    await world.verified()


async def _check_trigrams(engine: AsyncEngine) -> None:
    """The index has what the tasks have: every row on PostgreSQL, and on SQLite, which can tell, every word."""
    async with engine.begin() as connection:
        listed = (await connection.execute(text("SELECT count(*) FROM tasks WHERE NOT deleted"))).scalar_one()
        for table in "task_names", "task_texts":
            assert (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == listed
            if engine.dialect.name == "sqlite":
                await connection.execute(text(f"INSERT INTO {table}({table}, rank) VALUES ('integrity-check', 1)"))


async def test_counts_are_those_of_what_one_may_see(crowd: Crowd, plan: str) -> None:
    """Everybody's are maintained; those of some teams are counted, exactly as long as they are few."""
    for teams in None, frozenset({"core"}), frozenset({"core", "labs"}), frozenset[str]():
        found, exact = await crowd.reads.counts_of(Filter(teams=teams))
        visible = [crowd.tasks[each].state for each in crowd.fitting(Filter(teams=teams))]
        if exact:
            assert found == {state: visible.count(state) for state in TaskState}
        else:
            assert all(found[state] <= visible.count(state) for state in TaskState)
        assert exact or plan == "walked"


async def test_a_list_is_one_moment(crowd: Crowd) -> None:
    """Its statements see the same rows, though others are written between them."""

    async def disturb() -> None:
        for _ in range(20):
            await crowd.add(5)

    busy = asyncio.create_task(disturb())
    while not busy.done():
        page = await crowd.reads.tasks(Filter(types=TYPES), size=2000)
        assert page.total == len(page.contents)
    await busy
    assert page.total <= COUNT_LIMIT
