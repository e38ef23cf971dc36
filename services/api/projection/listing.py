"""One page of a list, and how many tasks there are, without ever reading a million rows for it.

If one condition leaves at most `COUNT_ROWS` tasks, by its own index, these are gathered, asked the rest, sorted and
counted: exact. Otherwise every condition leaves many, so the list is walked in its own order and the page is full soon;
such a list is counted as far as `COUNT_LIMIT` tasks, among the `COUNT_ROWS` that one condition lists first.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Subquery,
    cast,
    column,
    func,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.util import ClauseAdapter
from sqlalchemy.types import BigInteger

from services.api.projection.page import Place
from services.api.projection.search import Condition, Filter, conditions
from services.api.projection.tables import LISTED, counts, tasks
from services.api.projection.walk import Keys, Walk
from shared.task.state import TaskState

COUNT_LIMIT = 10_000
"""Totals beyond this are not counted out, unless they are maintained."""
COUNT_ROWS = 20_000
"""So many rows are looked at for what no index answers: which of the tasks that fit one condition fit the others."""
BOUND = 5_000
"""So many of the tasks that words list, when these are too many, tell at least how many fit the rest as well."""
SAMPLE, NEWEST = 2_500, 1_000
SURE = 6
"""How many rows a sample takes, and of how many of the newest; how many times the limit it must speak for."""


@dataclass(frozen=True, slots=True)
class Found:
    """The ids of a page with their sort keys, one more than was asked for when there are more; and the total."""

    keys: Keys
    total: int
    exact: bool


class Listing:
    """One list on one connection."""

    def __init__(self, connection: AsyncConnection, where: Filter, place: Place) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._where = where
        self._place = place
        self._conditions = conditions(where, self._dialect)
        self._walk = Walk(connection, self._conditions, place)

    async def find(self) -> Found:
        """Return the page and the total. Raises `ViewUnavailable`."""
        if self._where.counted or not self._conditions:
            total = await maintained(self._connection, self._where)
            return Found(await self._walk.find(), total, exact=True)
        sizes = await self._sizes()
        least = min(sizes, key=lambda condition: sizes[condition], default=None)
        most = COUNT_LIMIT if len(self._conditions) == 1 else COUNT_ROWS
        if least is not None and sizes[least] <= most:
            if self._conditions == [least] and least.ordered and self._place.order.by_id:
                return Found(await self._walk.find(), sizes[least], exact=True)
            return await self._among(self._listed(least, most), least)
        return await self._search(least, most)

    async def _search(self, least: Condition | None, most: int) -> Found:
        """Return the page and the total when only words may leave few tasks."""
        if self._conditions == [least] or await self._abundant():
            return await self._walked(COUNT_LIMIT)
        some = (self._listed(least, COUNT_ROWS), least) if least is not None else None
        for dear in (condition for condition in self._conditions if condition.dear):
            # SQLite lists matches one after the other: the first of many cost a fraction of all
            first = COUNT_LIMIT if self._dialect == "sqlite" else most
            ids = await self._ids(dear, first)
            if len(ids) > first and first < most:
                if await self._count(self._given(ids), dear) == COUNT_LIMIT:
                    return await self._walked(COUNT_LIMIT)
                ids = await self._ids(dear, most)
            if len(ids) <= most:
                if self._conditions == [dear] and dear.exact and self._place.order.by_id:
                    return self._cut(ids)
                return await self._among(self._given(ids), dear)
            some = self._given(ids[:BOUND]), dear
        assert some is not None  # noqa: S101  each condition is dear, or was asked for its size
        return await self._walked(await self._count(*some))

    async def _sizes(self) -> dict[Condition, int]:
        """Return how many tasks each condition leaves, up to `COUNT_ROWS`; the dear ones are not asked."""
        asked = [condition for condition in self._conditions if condition.sources and not condition.dear]
        if not asked:
            return {}
        every = [
            select(func.count()).select_from(self._listed(condition, COUNT_ROWS + 1)).scalar_subquery()
            for condition in asked
        ]
        row = (await self._connection.execute(select(*every))).one()
        return dict(zip(asked, row, strict=True))

    async def _abundant(self) -> bool:
        """Return whether a sample leaves no doubt that there are more tasks than are counted.

        PostgreSQL's trigrams list all matches or none, but it takes random pages of a table for little. The sample must
        hold several times what it would if there were `COUNT_LIMIT`, wherever these lie. It is taken when it may.
        """
        if self._dialect != "postgresql":
            return False
        every = await maintained(self._connection, Filter())
        share = SURE * COUNT_LIMIT / max(every, 1)
        if share > 1:
            return False
        newest = select(tasks).where(LISTED).order_by(tasks.c.id.desc()).limit(NEWEST).subquery()
        if await self._fitting(newest) < share * NEWEST:
            return False
        sample = tasks.tablesample(func.system(min(100.0, 100 * SAMPLE / every)))
        return await self._fitting(sample, LISTED) >= share * SAMPLE

    async def _fitting(self, some: FromClause, *also: Any) -> int:
        """Return how many of these rows, which have the columns of `tasks`, fit every condition."""
        adapted = ClauseAdapter(some)
        fits = [adapted.traverse(condition.fits) for condition in self._conditions]
        found = select(func.count()).select_from(some).where(*also, *fits)
        return int((await self._connection.execute(found)).scalar_one())

    # ---- gathering -----------------------------------------------------------------------------------------

    async def _ids(self, condition: Condition, most: int) -> list[int]:
        """Return the ids that a condition's sources list, one more than `most` when there are more."""
        found = self._listed(condition, most + 1)
        if self._dialect == "sqlite":
            answer = (await self._connection.execute(select(func.json_group_array(found.c.id)))).scalar_one()
            return list(json.loads(answer))
        answer = (await self._connection.execute(select(func.array_agg(found.c.id)))).scalar_one()
        return list(answer or ())

    def _cut(self, ids: list[int]) -> Found:
        """Return the page of these ids, which are all there are."""
        place, total = self._place, len(ids)
        ids.sort(reverse=place.descending)
        if place.after is not None:
            last, down = place.after.id, place.descending
            ids = [found for found in ids if (found < last if down else found > last)]
        ids = ids[place.skipped : place.skipped + place.limit]
        return Found([(found, found) for found in ids], total, exact=True)

    @staticmethod
    def _listed(condition: Condition, most: int) -> Subquery:
        """Return the ids that a condition's sources list, as a table; each once."""
        parts = [source.limit(most) for source in condition.sources]
        if len(parts) == 1:
            return parts[0].subquery()
        every = union_all(*(select(part.subquery()) for part in parts)).subquery()
        found = select(every.c.id).limit(most)
        return (found.distinct() if condition.overlapping else found).subquery()

    def _given(self, ids: Sequence[int]) -> Subquery:
        """Return these ids as a table: one parameter, however many they are."""
        if self._dialect == "sqlite":
            return select(column("value").label("id")).select_from(func.json_each(json.dumps(ids))).subquery()
        return select(func.unnest(cast(ids, ARRAY(BigInteger))).label("id")).subquery()

    async def _among(self, ids: Subquery, source: Condition) -> Found:
        """Return the page of those of the ids that fit every condition; if these are many after all, walk."""
        place, sorted_by = self._place, self._place.order.column
        fitting = select(ids.c.id).where(*self._rest(ids.c.id, source)).limit(COUNT_LIMIT + 1).subquery()
        if place.order.by_id:
            every = select(fitting.c.id, fitting.c.id.label("key"), func.count().over().label("n"))
        else:
            every = select(fitting.c.id, sorted_by.label("key"), func.count().over().label("n"))
            every = every.select_from(fitting.join(tasks, tasks.c.id == fitting.c.id))
        found = every.subquery()
        key, task_id = found.c.key, found.c.id
        query = select(task_id, key, found.c.n).where(*place.behind(key, task_id))
        query = query.order_by(*([key.is_(None)] if place.order.nullable else []), *place.by(key, task_id))
        rows = (await self._connection.execute(query.limit(place.limit).offset(place.skipped))).all()
        if rows:
            total = rows[0].n
        else:
            total = (await self._connection.execute(select(func.count()).select_from(fitting))).scalar_one()
        if total > COUNT_LIMIT:
            return await self._walked(COUNT_LIMIT)
        return Found([(row.id, row.key) for row in rows], total, exact=True)

    async def _walked(self, total: int) -> Found:
        """Return the page by a walk; there are at least so many tasks, and those that it shows."""
        keys = await self._walk.find()
        return Found(keys, max(total, self._place.skipped + len(keys)), exact=False)

    def _rest(self, task_id: ColumnElement[int], source: Condition) -> list[ColumnElement[bool]]:
        """Return what an id that this condition's sources list is still asked."""
        return [found.has(task_id) for found in self._conditions if found is not source or not found.exact]

    # ---- counting ------------------------------------------------------------------------------------------

    async def _count(self, some: Subquery, source: Condition) -> int:
        """Return how many of these tasks, which a condition's sources list, fit the others."""
        if len(self._conditions) == 1:
            return COUNT_LIMIT
        fitting = select(some.c.id).where(*self._rest(some.c.id, source)).limit(COUNT_LIMIT).subquery()
        return int((await self._connection.execute(select(func.count()).select_from(fitting))).scalar_one())

    async def states(self) -> tuple[dict[TaskState, int], bool]:
        """Return how many tasks are in each state: all, or of those that the likeliest condition lists first."""
        if not self._conditions:
            return await state_counts(self._connection), True
        found: dict[TaskState, int] = dict.fromkeys(TaskState, 0)
        sizes = await self._sizes()
        source = min(sizes, key=lambda condition: sizes[condition], default=self._conditions[0])
        ids = self._listed(source, COUNT_ROWS + 1)
        looked_at = sizes.get(source, COUNT_ROWS + 1)
        fitting = select(ids.c.id).where(*self._rest(ids.c.id, source)).subquery()
        states = select(tasks.c.state, func.count()).join_from(fitting, tasks, tasks.c.id == fitting.c.id)
        states = states.group_by(tasks.c.state)
        for state, number in await self._connection.execute(states):
            found[TaskState(state)] = number
        return found, looked_at <= COUNT_ROWS


async def maintained(connection: AsyncConnection, where: Filter) -> int:
    """Return how many tasks are in these states, or in any, as the view keeps count."""
    found = await state_counts(connection)
    return sum(number for state, number in found.items() if not where.states or state in where.states)


async def state_counts(connection: AsyncConnection) -> dict[TaskState, int]:
    """Return how many tasks are in each state, deleted ones left out."""
    found: dict[TaskState, int] = dict.fromkeys(TaskState, 0)
    for state, number in await connection.execute(select(counts.c.state, counts.c.n)):
        found[TaskState(state)] = number
    return found
