"""Filling one table: one thread, one connection, one transaction. Blocks; `thread.py` is the way to it.

```text
mark there? ── yes ──▶ committed by an earlier attempt: report what it kept
    │ no
BEGIN · set the mark · clear · read what is referred to · rows, batch by batch · keep the report · COMMIT
```

The mark (a row in `opsledger_mock_runs` beside the table, keyed by task and subtask) and the rows stand or fall
together. Whoever runs the subtask again after a crash finds either both or neither, even when nobody heard of the
commit; a second attempt beside a first one that still runs waits for its mark.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from pydantic_core import from_json, to_json

from services.executor.fault import Cancelled, PermanentFault
from services.executor.mock.params import TableRule
from services.executor.mock.part import Recipe
from services.executor.mock.recipe import Maker
from services.executor.mock.schema import Table
from services.executor.mock.session import Session

TELL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Job:
    """What one subtask is to do. `subtask` is the same for all its attempts; `first` says that none came before.

    `clearing` names the tables that the task empties later: those that refer to this one are emptied with it.
    """

    rule: TableRule
    seed: int
    locale: str
    subtask: str
    first: bool
    clearing: tuple[TableRule, ...] = ()


@dataclass(slots=True)
class Tell:
    """What the thread says on its way."""

    progress: Callable[[float, str], None]
    info: Callable[[str], None]
    stop: Event


def fill(session: Session, job: Job, tell: Tell) -> dict[str, Any]:
    """Fill the table and return the report. Raises faults; nothing of the table is kept then."""
    label = job.rule.label
    try:
        return _fill(session, job, tell)
    except Exception as error:
        fault = session.fault(error, label)
        if tell.stop.is_set():
            raise Cancelled(f"Stopped; nothing of {label} was kept.") from None
        if fault is None:
            raise
        raise fault from None


def _fill(session: Session, job: Job, tell: Tell) -> dict[str, Any]:
    rule = job.rule
    table = session.inspect(rule.schema_, rule.table)
    session.prepare(table)
    if job.first:
        session.forget(table, job.subtask)
    elif before := session.done(table, job.subtask):
        tell.info(f"{table.label} was filled by an earlier attempt, whose end nobody heard of.")
        return dict(from_json(before))
    began = time.monotonic()
    session.begin()
    try:
        session.claim(table, job.subtask)
    except Exception:
        session.rollback()
        if (before := session.done(table, job.subtask)) is None:
            raise
        tell.info(f"{table.label} was filled by an earlier attempt, just now.")
        return dict(from_json(before))
    others = _clear_referring(session, table, job, tell)
    cleared = session.clear(table) if rule.truncate else 0
    recipe = Maker(table, rule, job.seed, job.locale, session).recipe()
    for note in recipe.notes:
        tell.info(note)
    _send(session, table, recipe, job, tell)
    tell.progress(0.99, "ending the transaction")
    counts = session.finish(rule.total)
    seconds = max(time.monotonic() - began, 1e-6)
    output: dict[str, Any] = {
        "kind": "mock",
        "table": table.label,
        "written": counts.written,
        "conflicting": counts.conflicting,
        "ignored": counts.ignored,
        "cleared": cleared,
        "cleared_others": others,
        "seed": job.seed,
        "locale": job.locale,
        "strategy": rule.strategy,
        "rows_per_second": round(rule.total / seconds),
        "columns": recipe.generators,
    }
    session.keep(table, job.subtask, to_json(output).decode())
    _unless_stopped(tell)
    session.commit()
    tell.progress(1.0, f"{counts.written:,} rows in {table.label}")
    tell.info(
        f"{table.label}: {counts.written:,} written, {counts.conflicting:,} conflicting, {counts.ignored:,} ignored,"
        f" {cleared:,} cleared; seed {job.seed}, {output['rows_per_second']:,} rows/s"
    )
    return output


def _send(session: Session, table: Table, recipe: Recipe, job: Job, tell: Tell) -> None:
    rule = job.rule
    session.open(table, recipe, rule.strategy)
    streams = session.streams.streams
    total, told, done = rule.total, 0.0, 0
    while done < total:
        _unless_stopped(tell)
        count = min(rule.batch_size, total - done)
        columns: list[Sequence[Any]] = []
        for stream in streams:
            columns += stream.next(count)
        session.send(columns, count)
        done += count
        now = time.monotonic()
        if now - told > TELL_SECONDS:
            told = now
            tell.progress(0.98 * done / total, f"{done:,} of {total:,} rows for {table.label}")


def _clear_referring(session: Session, table: Table, job: Job, tell: Tell) -> dict[str, int]:
    """Empty the tables that the task empties anyway and that refer to this one: rows in use cannot be deleted."""
    if not job.rule.truncate or not job.clearing:
        return {}
    known = [session.inspect(other.schema_, other.table) for other in job.clearing]
    order: list[Table] = []

    def visit(parent: Table) -> None:
        for child in known:
            refers = any((key.schema, key.parent) == (parent.schema, parent.name) for key in child.foreign)
            if refers and child not in order and child != table:
                visit(child)
                order.append(child)

    visit(table)
    cleared = {child.label: session.clear(child) for child in order}
    for name, rows in cleared.items():
        tell.info(f"{name}: {rows:,} cleared, since its rows refer to {table.label}")
    return cleared


def _unless_stopped(tell: Tell) -> None:
    if tell.stop.is_set():
        raise Cancelled("Stopped before the commit; nothing was kept.")


def refuse_missing(session: Session, rules: Sequence[TableRule]) -> list[Table]:
    """Return what the tables are. Raises `PermanentFault` for the first that is not there, or stands twice."""
    tables = [session.inspect(rule.schema_, rule.table) for rule in rules]
    seen: set[str] = set()
    for table in tables:
        if table.label in seen:
            raise PermanentFault(f"Table {table.label} stands twice in the task; name it once.")
        seen.add(table.label)
    return tables
