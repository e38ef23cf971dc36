"""What synchronisations did: sums and series over `sync_counts`. Changes nothing; `ViewUnavailable` as everywhere."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.projection.faults import reading
from services.api.projection.sync_counts import KINDS, bucket
from services.api.projection.sync_table import BUCKET_SECONDS, sync_counts
from services.api.synchronisation import Counts

_at, _kind = sync_counts.c.bucket_at, sync_counts.c.data_type
Series = dict[str, list[tuple[int, int]]]
"""By kind: (beginning in seconds since 1970, how much), the earliest first; where nothing happened, nothing stands."""


class SyncReads:
    """Queries over one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def totals(self, task_ids: Iterable[int], since: datetime, before: datetime) -> dict[int, Counts]:
        """Return each task's sums from `since` up to `before` (beginnings of five minutes); every id has an entry."""
        ids = list(task_ids)
        total = func.sum(sync_counts.c.num).label("total")
        query = select(sync_counts.c.task_id, _kind, total).where(
            sync_counts.c.task_id.in_(ids), *_within(since, before)
        )
        found: dict[int, dict[str, int]] = {task_id: {} for task_id in ids}
        async with reading(self._engine) as connection:
            for row in await connection.execute(query.group_by(sync_counts.c.task_id, _kind)):
                if row.data_type in KINDS:
                    found[row.task_id][KINDS[row.data_type]] = int(row.total)
        return {task_id: Counts(**sums) for task_id, sums in found.items()}

    async def series(
        self, task_id: int, kinds: Sequence[str], since: datetime, before: datetime, step: timedelta
    ) -> Series:
        """Return how much happened in each `step` (a multiple of five minutes) that begins before `before`.

        The first one is that in which `since` lies.
        """
        width = max(BUCKET_SECONDS, int(step.total_seconds()))
        first = int(since.timestamp()) // width * width
        at = (_at - _at % width).label("at")
        query: Select[tuple[str, int, int]] = (
            select(_kind, at, func.sum(sync_counts.c.num).label("total"))
            .where(sync_counts.c.task_id == task_id, _kind.in_(kinds), _at >= first, _at < before.timestamp())
            .group_by(_kind, at)
            .order_by(at)
        )
        found: Series = {kind: [] for kind in kinds}
        async with reading(self._engine) as connection:
            for row in await connection.execute(query):
                found[row.data_type].append((int(row.at), int(row.total)))
        return found


def _within(since: datetime, before: datetime) -> tuple[ColumnElement[bool], ...]:
    return _at >= bucket(since), _at < bucket(before)
