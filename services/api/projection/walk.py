"""One page of a list by going through it in its own order, asking every task: right where many tasks fit.

Each order has its index, so nothing is sorted; a list by id of what one condition lists goes by that condition's own.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.projection.page import Place
from services.api.projection.search import Condition
from services.api.projection.tables import LISTED, tasks

Keys = list[tuple[int, Any]]
"""Ids with their sort keys, in the list's order."""


class Walk:
    """One walk on one connection."""

    def __init__(self, connection: AsyncConnection, conditions: Sequence[Condition], place: Place) -> None:
        self._connection = connection
        self._conditions = conditions
        self._place = place

    async def find(self) -> Keys:
        """Return the page by going through the list in its order."""
        place, column = self._place, self._place.order.column
        only = self._conditions[0] if len(self._conditions) == 1 else None
        if only is not None and only.ordered and place.order.by_id:
            return await self._stream(only)
        fits = [condition.fits for condition in self._conditions]
        query = select(tasks.c.id, column.label("key")).where(LISTED, *fits, *await self._beginning())
        query = query.with_hint(tasks, f"INDEXED BY {self._index()}", "sqlite")
        if not place.order.nullable:
            query = query.where(*place.behind(column, tasks.c.id)).order_by(*place.by(column, tasks.c.id))
            return await self._run(query, place.skipped)
        return await self._in_two(query)

    async def _in_two(self, query: Select[Any]) -> Keys:
        """Walk the tasks with a value, then those without, which is the same in both databases and both directions."""
        place, column, task_id = self._place, self._place.order.column, tasks.c.id
        found: Keys = []
        skipped = place.skipped
        if place.after is None or place.after.key is not None:
            valued = query.where(column.is_not(None), *place.behind(column, task_id, valued=True))
            found = await self._run(valued.order_by(*place.by(column, task_id)), skipped)
            if len(found) == place.limit:
                return found
            if skipped and not found:
                seen = select(func.count()).select_from(valued.limit(skipped).subquery())
                skipped -= (await self._connection.execute(seen)).scalar_one()
            else:
                skipped = 0
        last = place.after if place.after is not None and place.after.key is None else None
        rest = query.where(column.is_(None)).order_by(task_id.desc() if place.descending else task_id)
        if last is not None:
            rest = rest.where(task_id < last.id if place.descending else task_id > last.id)
        return found + await self._run(rest, skipped, place.limit - len(found))

    async def _stream(self, condition: Condition) -> Keys:
        """Walk the indexes that list one condition's tasks by id, all at once."""
        place, parts = self._place, []
        for source in condition.sources:
            column = next(iter(source.selected_columns))
            part = source.order_by(column.desc() if place.descending else column)
            if place.after is not None:
                part = part.where(column < place.after.id if place.descending else column > place.after.id)
            parts.append(part.limit(place.limit + place.skipped))
        if len(parts) == 1:
            return await self._run(parts[0].limit(self._place.limit), place.skipped)
        every = union_all(*(select(part.subquery()) for part in parts)).subquery()
        found = select(every.c.id).order_by(every.c.id.desc() if place.descending else every.c.id)
        return await self._run(found.distinct() if condition.overlapping else found, place.skipped)

    async def _run(self, query: Select[Any], skipped: int, limit: int | None = None) -> Keys:
        rows = await self._connection.execute(query.limit(limit or self._place.limit).offset(skipped))
        return [(row[0], row[-1]) for row in rows]

    async def _beginning(self) -> list[ColumnElement[bool]]:
        """Return where a walk by id may begin, when a time bounds the list that may lie far from its end."""
        if not self._place.order.by_id:
            return []
        down, found = self._place.descending, []
        for condition in self._conditions:
            edge = condition.newest if down else condition.oldest
            if edge is not None:
                last = (await self._connection.execute(edge)).scalar_one()
                found.append(false() if last is None else tasks.c.id <= last if down else tasks.c.id >= last)
        return found

    def _index(self) -> str:
        """Return the index of `tasks` to walk on SQLite, which knows nothing about how values are spread."""
        if self._place.order.by_id:
            own = (condition.index for condition in self._conditions if condition.ordered and condition.index)
            return next(own, self._place.order.index)
        return self._place.order.index
