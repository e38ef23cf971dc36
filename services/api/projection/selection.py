"""Which tasks a bulk command is for: ids alone, and the teams they belong to. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from services.api.access import TEAM
from services.api.projection.listing import Listing
from services.api.projection.page import Place
from services.api.projection.reads import MANY, Filter, Reads
from services.api.projection.tables import task_labels


@dataclass(frozen=True, slots=True)
class Selected:
    """The ids of tasks, the newest first. `more`: there are others that fit."""

    ids: list[int]
    more: bool


class Selections(Reads):
    """Reads that give ids."""

    async def select(self, where: Filter, limit: int) -> Selected:
        """Return the newest `limit` tasks that fit. Raises `ViewUnavailable`."""
        async with self._listing() as connection:
            found = await Listing(connection, where, Place("id", descending=True, size=limit)).find()
        ids = [task_id for task_id, _ in found.keys]
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
