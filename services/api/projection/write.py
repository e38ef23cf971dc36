"""A batch into the database: checkpoint and rows in one transaction. One writer at a time, by a lock it holds.

The checkpoint moves first, and only from where this writer left it: whoever else writes finds out before any row.

Speaks to the drivers directly: prepared statements and whole runs of rows are what makes a rebuild fast. The statements
come from `tables.py`. Inserts are for rows that the batch made, updates touch the changing columns only.

    Displaced         the checkpoint is not where this writer left it: somebody else writes
    Unwritable        the database refuses the batch for what it holds
    ViewUnavailable   the database is away
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Table

from services.api.projection.audit import audit_rows
from services.api.projection.checkpoint import Checkpoint
from services.api.projection.fold import Batch
from services.api.projection.project import (
    label_rows,
    subtask_changing,
    subtask_fixed,
    task_changing,
    task_fixed,
)
from services.api.projection.sync_table import sync_counts
from services.api.projection.tables import SUBTASK_CHANGING, TASK_CHANGING, subtasks, tasks
from services.api.projection.text import When
from shared.task.state import Task

Rows = list[tuple[Any, ...]]


class Displaced(Exception):  # noqa: N818  a fact about the database
    """The checkpoint is not where this writer left it."""


class Unwritable(Exception):  # noqa: N818  a fact about the batch
    """The database refuses what the batch holds."""


class Writer(Protocol):
    """The one that writes. All but `release` raise `ViewUnavailable`."""

    async def take(self) -> bool:
        """Become the writer unless somebody else is; until then nothing else may be called."""

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the view has come."""

    async def write(self, batch: Batch, before: Checkpoint | None, after: Checkpoint) -> None:
        """Write rows and checkpoint in one transaction. Raises `Displaced` or `Unwritable`."""

    async def release(self) -> None:
        """Stop being the writer; a lost connection does not matter."""


@dataclass(slots=True)
class RowSet:
    """The rows of a batch by statement."""

    new_tasks: Rows = field(default_factory=list)
    labels: Rows = field(default_factory=list)
    tasks: Rows = field(default_factory=list)
    new_subtasks: Rows = field(default_factory=list)
    subtasks: Rows = field(default_factory=list)
    counts: Rows = field(default_factory=list)
    set_aside: Rows = field(default_factory=list)
    audit: Rows = field(default_factory=list)
    sync_counts: Rows = field(default_factory=list)


def rows_of(batch: Batch, when: When) -> RowSet:
    """Return the rows that a batch changes: only the last state of each task and of each subtask that changed."""
    found = RowSet()
    counts: dict[str, int] = {}
    for task_id, after in batch.after.items():
        if after is None:
            continue
        before = batch.before[task_id]
        for state, step in _listed(before, -1), _listed(after, 1):
            if state is not None:
                counts[state] = counts.get(state, 0) + step
        if before is None:
            found.new_tasks.append(task_fixed(after, when) + task_changing(after, when))
            found.labels.extend(label_rows(after))
        else:
            found.tasks.append((*task_changing(after, when), task_id))
        _subtask_rows(found, before, after, when)
    found.counts.extend((state, step) for state, step in counts.items() if step)
    found.sync_counts.extend((*key, number) for key, number in batch.synced.items())
    for applied in batch.audited:
        if applied.task is not None:
            found.audit.extend(audit_rows(applied.seq, applied.commit, applied.task, when))
    found.set_aside.extend((m.seq, m.subject, m.reason, m.message, m.bytes) for m in batch.set_aside)
    return found


def _listed(task: Task | None, step: int) -> tuple[str | None, int]:
    return (None if task is None or task.deleted else task.state.value), step


def _subtask_rows(found: RowSet, before: Task | None, after: Task, when: When) -> None:
    if before is None or not before.subtasks:
        found.new_subtasks.extend(
            subtask_fixed(after, subtask) + subtask_changing(subtask, when) for subtask in after.subtasks
        )
        return
    for number in after.changed:
        found.subtasks.append((*subtask_changing(after.subtasks[number - 1], when), after.id, number))


def marks(numbered: bool) -> Iterator[str]:
    """Yield a driver's parameter marks: `?`, or `$1`, `$2`, …."""
    place = 0
    while True:
        place += 1
        yield f"${place}" if numbered else "?"


def insert(table: Table, *, numbered: bool) -> str:
    """Return the statement that inserts a whole row, columns in the table's order."""
    mark = marks(numbered)
    names = [column.name for column in table.columns]
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join(next(mark) for _ in names)})"  # noqa: S608


def update(table: Table, changing: Sequence[str], *, numbered: bool) -> str:
    """Return the statement that updates columns of the row with a primary key, which comes last."""
    mark = marks(numbered)
    changes = ", ".join(f"{name} = {next(mark)}" for name in changing)
    key = " AND ".join(f"{column.name} = {next(mark)}" for column in table.primary_key)
    return f"UPDATE {table.name} SET {changes} WHERE {key}"  # noqa: S608


def update_task(*, numbered: bool) -> str:
    """Return the statement for `RowSet.tasks`."""
    return update(tasks, TASK_CHANGING, numbered=numbered)


def update_subtask(*, numbered: bool) -> str:
    """Return the statement for `RowSet.subtasks`."""
    return update(subtasks, SUBTASK_CHANGING, numbered=numbered)


def count(*, numbered: bool) -> str:
    """Return the statement for `RowSet.counts`."""
    mark = marks(numbered)
    return (
        f"INSERT INTO counts (state, n) VALUES ({next(mark)}, {next(mark)}) "  # noqa: S608
        "ON CONFLICT (state) DO UPDATE SET n = counts.n + excluded.n"
    )


def sync_count(*, numbered: bool) -> str:
    """Return the statement for `RowSet.sync_counts`."""
    key = ", ".join(column.name for column in sync_counts.primary_key)
    added = f"ON CONFLICT ({key}) DO UPDATE SET num = sync_counts.num + excluded.num"
    return f"{insert(sync_counts, numbered=numbered)} {added}"


def advance(before: Checkpoint | None, after: Checkpoint, *, numbered: bool) -> tuple[str, tuple[Any, ...]]:
    """Return the statement, with its values, that moves the checkpoint if it is still where it was."""
    mark = marks(numbered)
    values = (after.stream_created, after.seq, after.commit_id)
    if before is None:
        places = ", ".join(next(mark) for _ in values)
        insert_one = f"INSERT INTO checkpoint (id, stream_created, seq, commit_id) VALUES (1, {places})"  # noqa: S608
        return f"{insert_one} ON CONFLICT (id) DO NOTHING", values
    changes = ", ".join(f"{name} = {next(mark)}" for name in ("stream_created", "seq", "commit_id"))
    found = " AND ".join(f"{name} = {next(mark)}" for name in ("stream_created", "seq", "commit_id"))
    known = (before.stream_created, before.seq, before.commit_id)
    return f"UPDATE checkpoint SET {changes} WHERE id = 1 AND {found}", values + known  # noqa: S608
