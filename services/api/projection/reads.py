"""Plain SELECTs over the view: one task, lists, totals, what the rescuer looks for. Changes nothing.

Every read is one transaction, so a task and its subtasks come from one moment. A database
that is away makes each raise `ViewUnavailable`.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.api.projection.checkpoint import Checkpoint, read_checkpoint
from services.api.projection.faults import reading
from services.api.projection.listing import Listing, state_counts
from services.api.projection.page import SORTS, Cursor, Place
from services.api.projection.search import Filter, Thing
from services.api.projection.tables import NOT_STANDING, UNFINISHED, set_aside, subtasks, tasks
from services.api.projection.view import Details, Page, SetAside, SubtaskBrief, SubtaskRow, TaskRow
from shared.task.state import TaskState

__all__ = ["SORTS", "Cursor", "Filter", "Reads", "Thing"]

MANY = 500

_TASK = [tasks.c[name] for name in TaskRow.columns()]
_SUBTASK = [subtasks.c[name] for name in SubtaskRow.columns()]
_BRIEF = [subtasks.c[name] for name in SubtaskBrief.columns()]
_SET_ASIDE = [set_aside.c[name] for name in SetAside.columns()]
_OWN_PLANS = text(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('random_page_cost', '1.1', true)"
)
"""A list's best plan depends on the very words, so PostgreSQL must not take the one it made for others; and what lists
read lies in memory or on a disk that does not turn."""


class Reads:
    """Queries over one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def task(self, task_id: int, *, deleted: bool = False) -> Details | None:
        """Return the task with its subtasks, or None; a deleted one only when `deleted`."""
        mine = select(*_SUBTASK).where(subtasks.c.task_id == task_id).order_by(subtasks.c.number)
        async with reading(self._engine) as connection:
            found = (await connection.execute(select(*_TASK).where(tasks.c.id == task_id))).one_or_none()
            if found is None or (found.deleted and not deleted):
                return None
            rows = (await connection.execute(mine)).all()
        return Details(TaskRow.of(found), [SubtaskRow.of(row) for row in rows])

    async def subtask(self, task_id: int, number: int) -> SubtaskRow | None:
        """Return one subtask, or None."""
        query = select(*_SUBTASK).where(subtasks.c.task_id == task_id, subtasks.c.number == number)
        async with reading(self._engine) as connection:
            found = (await connection.execute(query)).one_or_none()
        return SubtaskRow.of(found) if found is not None else None

    async def tasks(
        self,
        where: Filter | None = None,
        *,
        page: int = 1,
        size: int = 10,
        sort: str = "id",
        descending: bool = True,
        after: Cursor | None = None,
    ) -> Page:
        """Return page `page` (from 1) of `size` tasks, sorted by a key of `SORTS` (KeyError for any other).

        `after`: go on behind the page this cursor came with, which says sort, direction and number.
        """
        place = Place(sort, descending, size, page)
        if after is not None:
            place = Place(after.sort, after.descending, size, after.number, after)
        async with self._listing() as connection:
            found = await Listing(connection, where or Filter(), place).find()
            shown = found.keys[:size]
            ids = [task_id for task_id, _ in shown]
            rows = {}
            for start in range(0, len(ids), MANY):
                some = select(*_TASK).where(tasks.c.id.in_(ids[start : start + MANY]))
                rows.update({row.id: TaskRow.of(row) for row in await connection.execute(some)})
        following = None
        if len(found.keys) > size:
            task_id, key = shown[-1]
            following = place.next(key, task_id)
        contents = [rows[task_id] for task_id in ids]
        return Page(contents, place.number, size, found.total, found.exact, following)

    async def briefs(self, ids: Iterable[int]) -> dict[int, list[SubtaskBrief]]:
        """Return what lists show of the subtasks of these tasks, in number order; every id has an entry."""
        wanted = list(ids)
        found: dict[int, list[SubtaskBrief]] = {task_id: [] for task_id in wanted}
        async with reading(self._engine) as connection:
            for start in range(0, len(wanted), MANY):
                some = subtasks.c.task_id.in_(wanted[start : start + MANY])
                query = select(*_BRIEF).where(some).order_by(subtasks.c.task_id, subtasks.c.number)
                for row in await connection.execute(query):
                    found[row.task_id].append(SubtaskBrief.of(row))
        return found

    async def stale(self, before_seq: int, limit: int = 500, *, after_seq: int = 0) -> list[tuple[int, int]]:
        """Return (id, last sequence) of unfinished tasks silent since `before_seq`, the longest silent first (rescuer).

        Standing tasks are left out: they have nothing that could be queued.
        `after_seq`: go on behind this sequence, where an earlier page ended.
        """
        silent = (UNFINISHED, NOT_STANDING, tasks.c.seq > after_seq, tasks.c.seq <= before_seq)
        query = select(tasks.c.id, tasks.c.seq).where(*silent).order_by(tasks.c.seq).limit(limit)
        async with reading(self._engine) as connection:
            return [(row.id, row.seq) for row in await connection.execute(query)]

    async def counts(self) -> dict[TaskState, int]:
        """Return how many tasks are in each state, deleted ones left out."""
        async with reading(self._engine) as connection:
            return await state_counts(connection)

    async def counts_of(self, where: Filter) -> tuple[dict[TaskState, int], bool]:
        """Return how many tasks of a filter are in each state, and whether the numbers are exact or bounded."""
        async with self._listing() as connection:
            return await Listing(connection, where, Place("id", descending=True, size=1)).states()

    @asynccontextmanager
    async def _listing(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection for the several statements of a list, which must all see one moment."""
        async with reading(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ")
                await connection.execute(_OWN_PLANS)
            yield connection

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the view has come, or None when it is empty."""
        return await read_checkpoint(self._engine)

    async def set_aside(self, *, after: int = 0, limit: int = 100) -> list[SetAside]:
        """Return messages that could not be read, in log order, behind sequence `after`."""
        query = select(*_SET_ASIDE).where(set_aside.c.seq > after).order_by(set_aside.c.seq).limit(limit)
        async with reading(self._engine) as connection:
            return [SetAside.of(row) for row in await connection.execute(query)]
