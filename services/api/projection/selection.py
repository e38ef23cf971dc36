"""Which tasks a bulk command is for: ids alone, and the teams they belong to. Changes nothing.

Whoever cancels all that runs does not mean the bulk command that does it, nor the synchronisations that run for ever:
these two kinds are chosen by their type, their id or their parent, and by nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.creation import BULK
from services.api.projection.listing import Listing
from services.api.projection.page import Place
from services.api.projection.reads import MANY, Filter, Reads
from services.api.projection.tables import NOT_STANDING, task_labels, tasks
from shared.task.words import TEAM


@dataclass(frozen=True, slots=True)
class Selected:
    """The ids of tasks, the newest first. `more`: there are others that fit."""

    ids: list[int]
    more: bool


class Selections(Reads):
    """Reads that give ids."""

    async def select(self, where: Filter, limit: int) -> Selected:
        """Return the newest `limit` tasks that fit. Raises `ViewUnavailable`."""
        place, ids, more = Place("id", descending=True, size=limit), list[int](), True
        named = bool(where.types or where.ids or where.parent)
        async with self._listing() as connection:
            while more and len(ids) <= limit:
                keys = (await Listing(connection, where, place).find()).keys
                more = len(keys) > limit
                page = [task_id for task_id, _ in keys[:limit]]
                ids += page if named else await _meant(connection, page)
                if more:
                    place = replace(place, after=place.next(page[-1], page[-1]))
        return Selected(ids[:limit], len(ids) > limit)

    async def teams(self, ids: Sequence[int]) -> set[str]:
        """Return the teams of these tasks. Raises `ViewUnavailable`."""
        teams: set[str] = set()
        async with self._listing() as connection:
            for start in range(0, len(ids), MANY):
                mine = task_labels.c.task_id.in_(ids[start : start + MANY])
                query = select(task_labels.c.value).where(task_labels.c.key == TEAM, mine).distinct()
                teams.update((await connection.execute(query)).scalars())
        return teams


async def _meant(connection: AsyncConnection, ids: Sequence[int]) -> list[int]:
    """Return those of the ids that a filter may mean without naming them, in their order."""
    found: set[int] = set()
    for start in range(0, len(ids), MANY):
        mine = tasks.c.id.in_(ids[start : start + MANY])
        query = select(tasks.c.id).where(mine, tasks.c.type.not_like(f"{BULK}%"), NOT_STANDING)
        found.update((await connection.execute(query)).scalars())
    return [task_id for task_id in ids if task_id in found]
