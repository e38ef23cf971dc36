"""Plain SELECTs over the view: one task, lists, totals, what the rescuer looks for. Changes nothing.

Every read is one transaction, so a task and its subtasks come from one moment. A database
that is away makes each raise `ViewUnavailable`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.api.projection.checkpoint import Checkpoint, read_checkpoint
from services.api.projection.faults import reading
from services.api.projection.tables import UNFINISHED, counts, set_aside, subtasks, task_labels, tasks
from services.api.projection.text import folded, indexed
from services.api.projection.view import Details, Page, SetAside, SubtaskBrief, SubtaskRow, TaskRow
from shared.task.state import TaskState

COUNT_LIMIT = 10_000
"""Totals beyond this are not counted out, unless they are maintained."""
MANY = 500

SORTS: Mapping[str, Sequence[ColumnElement[Any]]] = {
    "id": (tasks.c.created_seq,),  # "newest" is the sequence of creation
    "name": (tasks.c.name_folded, tasks.c.created_seq),
    "type": (tasks.c.type, tasks.c.created_seq),
    "state": (tasks.c.state, tasks.c.created_seq),
    "creator": (tasks.c.creator_name, tasks.c.created_seq),
    "created_at": (tasks.c.created_seq,),
    "started_at": (tasks.c.started_at, tasks.c.created_seq),
    "finished_at": (tasks.c.finished_at, tasks.c.created_seq),
}
"""What a list can be sorted by; where two are equal, the newer one counts as more."""

_TASK = [column for column in tasks.columns if column.name not in {"name_folded", "head"}]
_BRIEF = [subtasks.c[name] for name in ("task_id", "number", "key", "name", "description", "status", "operation")]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks a list shows; what is None or empty does not restrict. Deleted tasks are in no list.

    `name` is a part of the name, whatever its case. `labels` must all be there. Times are aware, `created_before`
    itself is not included.
    """

    name: str | None = None
    states: frozenset[TaskState] = frozenset()
    types: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()
    object_kind: str | None = None
    object_id: str | None = None
    object_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    parent: int | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    ids: tuple[int, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether the maintained counts answer for the total."""
        return self == Filter(states=self.states)


class Reads:
    """Queries over one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def task(self, task_id: int, *, deleted: bool = False) -> Details | None:
        """Return the task with its subtasks, or None; a deleted one only when `deleted`."""
        mine = select(subtasks).where(subtasks.c.task_id == task_id).order_by(subtasks.c.number)
        async with reading(self._engine) as connection:
            found = (await connection.execute(select(*_TASK).where(tasks.c.id == task_id))).mappings().one_or_none()
            if found is None or (found["deleted"] and not deleted):
                return None
            rows = (await connection.execute(mine)).mappings().all()
        return Details(TaskRow.of(found), [SubtaskRow.of(row) for row in rows])

    async def subtask(self, task_id: int, number: int) -> SubtaskRow | None:
        """Return one subtask, or None."""
        query = select(subtasks).where(subtasks.c.task_id == task_id, subtasks.c.number == number)
        async with reading(self._engine) as connection:
            found = (await connection.execute(query)).mappings().one_or_none()
        return SubtaskRow.of(found) if found is not None else None

    async def tasks(
        self,
        where: Filter | None = None,
        *,
        page: int = 1,
        size: int = 10,
        sort: str = "id",
        descending: bool = True,
    ) -> Page:
        """Return page `page` (from 1) of `size` tasks, sorted by a key of `SORTS` (KeyError for any other)."""
        where = where or Filter()
        order = [column.desc() if descending else column.asc() for column in SORTS[sort]]
        query = select(*_TASK).where(*_conditions(where)).order_by(*order).limit(size).offset((page - 1) * size)
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings().all()
            total, exact = await _total(connection, where)
        return Page([TaskRow.of(row) for row in rows], page, size, total, exact)

    async def briefs(self, ids: Iterable[int]) -> dict[int, list[SubtaskBrief]]:
        """Return what lists show of the subtasks of these tasks, in number order; every id has an entry."""
        wanted = list(ids)
        found: dict[int, list[SubtaskBrief]] = {task_id: [] for task_id in wanted}
        async with reading(self._engine) as connection:
            for start in range(0, len(wanted), MANY):
                some = subtasks.c.task_id.in_(wanted[start : start + MANY])
                query = select(*_BRIEF).where(some).order_by(subtasks.c.task_id, subtasks.c.number)
                for row in (await connection.execute(query)).mappings():
                    found[row["task_id"]].append(SubtaskBrief.of(row))
        return found

    async def stale(self, before_seq: int, limit: int = 500, *, after_seq: int = 0) -> list[tuple[int, int]]:
        """Return (id, last sequence) of unfinished tasks silent since `before_seq`, the longest silent first (rescuer).

        `after_seq`: go on behind this sequence, where an earlier page ended.
        """
        silent = (UNFINISHED, tasks.c.seq > after_seq, tasks.c.seq <= before_seq)
        query = select(tasks.c.id, tasks.c.seq).where(*silent).order_by(tasks.c.seq).limit(limit)
        async with reading(self._engine) as connection:
            return [(row.id, row.seq) for row in await connection.execute(query)]

    async def counts(self) -> dict[TaskState, int]:
        """Return how many tasks are in each state, deleted ones left out."""
        async with reading(self._engine) as connection:
            return await _counts(connection)

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the view has come, or None when it is empty."""
        return await read_checkpoint(self._engine)

    async def set_aside(self, *, after: int = 0, limit: int = 100) -> list[SetAside]:
        """Return messages that could not be read, in log order, behind sequence `after`."""
        query = select(set_aside).where(set_aside.c.seq > after).order_by(set_aside.c.seq).limit(limit)
        async with reading(self._engine) as connection:
            return [SetAside.of(row) for row in (await connection.execute(query)).mappings()]


async def _counts(connection: AsyncConnection) -> dict[TaskState, int]:
    found: dict[TaskState, int] = dict.fromkeys(TaskState, 0)
    for state, number in await connection.execute(select(counts.c.state, counts.c.n)):
        found[TaskState(state)] = number
    return found


async def _total(connection: AsyncConnection, where: Filter) -> tuple[int, bool]:
    if where.counted:
        found = await _counts(connection)
        return sum(number for state, number in found.items() if not where.states or state in where.states), True
    some = select(tasks.c.id).where(*_conditions(where)).limit(COUNT_LIMIT + 1).subquery()
    number = (await connection.execute(select(func.count()).select_from(some))).scalar_one()
    return min(number, COUNT_LIMIT), number <= COUNT_LIMIT


def _conditions(where: Filter) -> list[ColumnElement[bool]]:
    c = tasks.c
    found: list[ColumnElement[bool]] = [c.deleted.is_(False)]
    if where.name:
        found.append(c.name_folded.contains(folded(where.name), autoescape=True))
    for column, words in (
        (c.state, sorted(state.value for state in where.states)),
        (c.type, where.types),
        (c.creator_name, where.creators),
    ):
        if words:
            found.append(column.in_([indexed(word) for word in words]))
    for column, word in (
        (c.object_kind, where.object_kind),
        (c.object_id, where.object_id),
        (c.object_name, where.object_name),
    ):
        if word is not None:
            found.append(column == indexed(word))
    found.extend(_labelled(key, value) for key, value in where.labels.items())
    if where.parent is not None:
        found.append(c.parent == where.parent)
    if where.ids:
        found.append(c.id.in_(where.ids))
    return [*found, *_in_time(where)]


def _in_time(where: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if where.created_from is not None:
        found.append(tasks.c.created_at >= where.created_from)
    if where.created_before is not None:
        found.append(tasks.c.created_at < where.created_before)
    return found


def _labelled(key: str, value: str) -> ColumnElement[bool]:
    label = task_labels.c
    return exists().where(label.task_id == tasks.c.id, label.key == indexed(key), label.value == indexed(value))
