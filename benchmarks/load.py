"""Fill a migrated view with many tasks: the projector's row functions, whole runs of rows, indexes afterwards.

Only the way into the database is another one than the projector's: no triggers and no indexes while rows come in, then
each index made, and the trigrams filled, at once.
"""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import make_url

from benchmarks import folded
from benchmarks.folded import Told
from benchmarks.samples import sample
from services.api.projection import write
from services.api.projection.audit import audit_rows
from services.api.projection.audit_table import audit
from services.api.projection.migrate import upgrade
from services.api.projection.project import label_rows, subtask_changing, subtask_fixed, task_changing, task_fixed
from services.api.projection.tables import checkpoint, counts, subtasks, task_labels, tasks
from services.api.projection.text import When, micros, utc

MANY = 5_000
TRIGRAMS = ("task_names", "task_texts")
Put = Callable[[str, Sequence[tuple[Any, ...]]], Awaitable[None]]


@dataclass(slots=True)
class _Rows:
    tasks: list[tuple[Any, ...]] = field(default_factory=list)
    task_labels: list[tuple[Any, ...]] = field(default_factory=list)
    subtasks: list[tuple[Any, ...]] = field(default_factory=list)
    audit: list[tuple[Any, ...]] = field(default_factory=list)


async def made_up(count: int) -> AsyncIterator[Told]:
    """Yield so many folded tasks that are in no log."""
    templates = folded.Templates()
    for number in range(1, count + 1):
        one = sample(number, count)
        template = await templates.of(one)
        yield folded.varied(template, one, *folded.synthetic(number, template.commits))


async def load(database_url: str, found: AsyncIterator[Told], *, seen: tuple[str, int, str]) -> None:
    """Migrate an empty database and fill it; `seen` is the checkpoint: stream's creation time, sequence, commit id."""
    await upgrade(database_url)
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        await _sqlite(str(url.database), found, seen)
    else:
        await _postgres(url.set(drivername="postgresql").render_as_string(hide_password=False), found, seen)


async def _fill(put: Put, found: AsyncIterator[Told], when: When, seen: tuple[str, int, str]) -> None:
    rows, numbers = _Rows(), Counter[str]()

    async def flush() -> None:
        for name in ("tasks", "task_labels", "subtasks", "audit"):
            await put(name, getattr(rows, name))
            getattr(rows, name).clear()

    async for told in found:
        task = told.task
        rows.tasks.append(task_fixed(task, when) + task_changing(task, when))
        rows.task_labels += label_rows(task)
        rows.subtasks += [subtask_fixed(task, each) + subtask_changing(each, when) for each in task.subtasks]
        rows.audit += [row for seq, commit in told.audited for row in audit_rows(seq, commit, task, when)]
        numbers[task.state.value] += 1
        if len(rows.tasks) == MANY:
            await flush()
    await flush()
    await put("counts", list(numbers.items()))
    await put("checkpoint", [(1, *seen)])


async def _sqlite(path: str, found: AsyncIterator[Told], seen: tuple[str, int, str]) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous = OFF", "journal_mode = OFF", "cache_size = -500000", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    parts = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
    taken = connection.execute(f"{parts} AND tbl_name IN ('tasks', 'task_labels', 'audit')").fetchall()
    for kind, name, _ in taken:
        connection.execute(f"DROP {kind} {name}")
    every = (tasks, task_labels, subtasks, audit, counts, checkpoint)
    statements = {table.name: write.insert(table, numbered=False) for table in every}

    async def put(table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        connection.executemany(statements[table], rows)

    connection.execute("BEGIN")
    await _fill(put, found, micros, seen)
    connection.execute("COMMIT")
    for name in TRIGRAMS:
        connection.execute(f"INSERT INTO {name}({name}) VALUES ('rebuild')")
    for *_, sql in taken:
        connection.execute(sql)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


async def _postgres(url: str, found: AsyncIterator[Told], seen: tuple[str, int, str]) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET maintenance_work_mem = '1GB'; SET synchronous_commit = off")
        of = (
            "tablename IN ('tasks', 'task_labels', 'audit', 'task_names', 'task_texts') AND indexname NOT LIKE '%_pkey'"
        )
        taken = await connection.fetch(
            f"SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND {of}"
        )
        for index in taken:
            await connection.execute(f"DROP INDEX {index['indexname']}")
        triggers = await connection.fetch(
            "SELECT tgname, pg_get_triggerdef(oid) AS sql, pg_get_functiondef(tgfoid) AS body FROM pg_trigger "
            "WHERE tgrelid = 'tasks'::regclass AND tgname = 'trigrams_made'"
        )
        await connection.execute("ALTER TABLE tasks DISABLE TRIGGER USER")

        async def put(table: str, rows: Iterable[tuple[Any, ...]]) -> None:
            await connection.copy_records_to_table(table, records=rows)

        await _fill(put, found, utc, seen)
        for trigger in triggers:  # what each would have done, for all rows at once
            body = trigger["body"].partition("BEGIN")[2].partition("RETURN")[0]
            await connection.execute(body.replace("FROM made", "FROM tasks"))
        await connection.execute("ALTER TABLE tasks ENABLE TRIGGER USER")
        for index in taken:
            await connection.execute(index["indexdef"])
        await connection.execute("VACUUM (ANALYZE, PARALLEL 0)")
    finally:
        await connection.close()
