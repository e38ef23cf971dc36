"""Compare the view with the log: every task is folded anew and its digest compared with that of its rows.

Read in one transaction, up to that moment's checkpoint, while the projector goes on. Changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.api.projection.audit import COLUMNS, audit_rows
from services.api.projection.audit_table import audit
from services.api.projection.checkpoint import check_log, read_checkpoint
from services.api.projection.faults import reading
from services.api.projection.fold import READERS
from services.api.projection.project import label_rows, row_of, subtask_row
from services.api.projection.replay import read_task
from services.api.projection.sync_counts import Tally, differences
from services.api.projection.sync_table import sync_counts
from services.api.projection.tables import counts, subtasks, task_labels, tasks
from services.api.projection.text import utc
from shared.log.jetstream import JetStreamStorage
from shared.messages import subjects
from shared.messages.commit import Commit
from shared.runtime.nats import api
from shared.task.state import Task

PAGE = 200
SHOWN = 200
"""Characters shown of a value that differs."""

Shape = tuple[dict[str, Any] | None, list[tuple[Any, ...]], list[dict[str, Any]], list[dict[str, Any]]]
"""A task as rows: its own, its labels, its subtasks, its audit."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A task whose rows are not what the log says; `what` names the first few places."""

    task_id: int
    what: str


@dataclass(slots=True)
class Verified:
    """What was compared, up to log position `seq`."""

    seq: int = 0
    tasks: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether rows and log agree."""
        return not self.differences


def digest(shape: Shape) -> str:
    """Return the SHA-256 of a task's rows."""
    return sha256(repr(shape).encode()).hexdigest()


async def verify(storage: JetStreamStorage, engine: AsyncEngine) -> Verified:
    """Compare every task. Raises `LogRegression`, `NotStored` or `ViewUnavailable`."""
    found = Verified()
    known: set[int] = set()
    synced: Tally = {}
    async with reading(engine) as connection:
        if engine.dialect.name == "postgresql":
            await connection.execution_options(isolation_level="REPEATABLE READ")
        seen = await read_checkpoint(connection)
        await check_log(storage, seen)
        found.seq = seen.seq if seen is not None else 0
        async for page in _pages(connection):
            known.update(page)
            await _compare(storage, page, found, synced)
        await _compare_counts(connection, found)
        await _strays(connection, found)
        rows = await _sync_rows(connection)
    missing = sorted(await task_ids(storage) - known)
    for start in range(0, len(missing), PAGE):
        await _compare(storage, dict.fromkeys(missing[start : start + PAGE], (None, [], [], [])), found, synced)
    found.differences.extend(Difference(task_id, what) for task_id, what in differences(synced, rows))
    return found


async def _compare(storage: JetStreamStorage, page: Mapping[int, Shape], found: Verified, synced: Tally) -> None:
    gate = asyncio.Semaphore(READERS)

    async def compare(task_id: int, rows: Shape) -> None:
        async with gate:
            kept: list[tuple[int, Commit]] = []
            task = await read_task(storage, task_id, below=found.seq + 1, kept=kept, synced=synced)
            shape = _shape(task, kept)
        if digest(shape) != digest(rows):
            found.differences.append(Difference(task_id, _what(shape, rows)))

    await asyncio.gather(*(compare(task_id, rows) for task_id, rows in page.items()))
    found.tasks += len(page)


def _shape(task: Task | None, kept: Iterable[tuple[int, Commit]]) -> Shape:
    if task is None:
        return None, [], [], []
    rows = [row for seq, commit in kept for row in audit_rows(seq, commit, task, utc)]
    decisions = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    return row_of(task), label_rows(task), [subtask_row(task, subtask) for subtask in task.subtasks], decisions


async def _pages(connection: AsyncConnection) -> AsyncIterator[dict[int, Shape]]:
    last = -1
    while True:
        query = select(tasks).where(tasks.c.id > last).order_by(tasks.c.id).limit(PAGE)
        page: dict[int, Shape] = {
            row["id"]: (dict(row), [], [], []) for row in (await connection.execute(query)).mappings()
        }
        if not page:
            return
        ids = list(page)
        last = ids[-1]
        for label in await _of(connection, select(task_labels).where(task_labels.c.task_id.in_(ids))):
            page[label["task_id"]][1].append(tuple(label.values()))
        mine = select(subtasks).where(subtasks.c.task_id.in_(ids)).order_by(subtasks.c.task_id, subtasks.c.number)
        for row in await _of(connection, mine):
            page[row["task_id"]][2].append(dict(row))
        decided = select(audit).where(audit.c.task_id.in_(ids)).order_by(audit.c.seq, audit.c.n)
        for row in await _of(connection, decided):
            page[row["task_id"]][3].append(dict(row))
        for shape in page.values():
            shape[1].sort()
        yield page


async def _of(connection: AsyncConnection, query: Any) -> Sequence[RowMapping]:
    return (await connection.execute(query)).mappings().all()


async def _compare_counts(connection: AsyncConnection, found: Verified) -> None:
    query = select(counts.c.state, counts.c.n).where(counts.c.n != 0)
    kept = {row.state: row.n for row in await connection.execute(query)}
    every = select(tasks.c.state, func.count().label("n")).where(tasks.c.deleted.is_(False)).group_by(tasks.c.state)
    counted = {row.state: row.n for row in await connection.execute(every)}
    if kept != counted:
        found.differences.append(Difference(0, f"counts are {kept}, the rows are {counted}"))


async def _sync_rows(connection: AsyncConnection) -> Tally:
    rows = await connection.execute(select(sync_counts))
    return {(row.task_id, row.bucket_at, row.data_type): row.num for row in rows}


async def _strays(connection: AsyncConnection, found: Verified) -> None:
    """Find rows of the audit whose task has no row."""
    unknown = ~select(tasks.c.id).where(tasks.c.id == audit.c.task_id).exists()
    for row in await connection.execute(select(audit.c.task_id).where(unknown).distinct().limit(PAGE)):
        found.differences.append(Difference(row.task_id, "has rows in the audit, but no task"))


async def task_ids(storage: JetStreamStorage) -> set[int]:
    """Return the ids of all tasks in the log."""
    found: set[int] = set()
    listed = 0
    while True:
        wanted = {"subjects_filter": "tasks.*", "offset": listed}
        names = (await api(storage.client, f"STREAM.INFO.{subjects.TASKS}", wanted))["state"].get("subjects") or {}
        if not names:
            return found
        listed += len(names)
        found.update(_ids(names))


def _ids(names: Iterable[str]) -> Iterable[int]:
    for name in names:
        task_id = subjects.task_of(name)
        if task_id is not None and subjects.task(task_id) == name:
            yield task_id


def _what(log: Shape, rows: Shape) -> str:
    if log[0] is None or rows[0] is None:
        return "has rows, but no commits" if log[0] is None else "has commits, but no rows"
    places = _columns("", log[0], rows[0])
    if log[1] != rows[1]:
        places.append(f"labels: log {log[1]!r:.{SHOWN}}, rows {rows[1]!r:.{SHOWN}}")
    for what, key, mine, theirs in ("subtask", "number", log[2], rows[2]), ("audit", "seq", log[3], rows[3]):
        if len(mine) != len(theirs):
            places.append(f"{what}s: log {len(mine)}, rows {len(theirs)}")
        for one, other in zip(mine, theirs, strict=False):
            places.extend(_columns(f"{what} {one[key]} ", one, other))
    return "; ".join(places[:5])


def _columns(prefix: str, log: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    return [
        f"{prefix}{name}: log {log[name]!r:.{SHOWN}}, row {row[name]!r:.{SHOWN}}"
        for name in log
        if log[name] != row[name]
    ]
