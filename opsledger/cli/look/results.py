"""Results drawn for people: what a script did, its failed statements and result sets; rows as a table.

Responsible for: what of an output fits on a line. Refuses to know: where rows are from.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from opsledger.cli.look.console import clean, err, grid, out, show
from opsledger.cli.look.words import count
from opsledger.cli.rest.view import mapping, objects, text

_WIDEST = 60
"""Characters of a cell or a statement that a terminal shows."""
_OURS = frozenset({"subtask", "key", "name", "kind", "status", "files", "download", "results", "records"})
_FACTS_AT_MOST = 12


def print_results(found: Mapping[str, Any]) -> None:
    """Every step that tells of results."""
    console, entries, task = out(), objects(found.get("results")), text(found.get("task"))
    if not entries:
        err().print(Text(f"no step of task {task} tells of results", style="label"))
        return
    sets = 0
    for place, entry in enumerate(entries):
        if place:
            console.print()
        sets += _print_entry(console, entry)
    if sets:
        ask = f"rows: opsledger task results {task} --set N; all as CSV: opsledger task download {task}"
        err().print(Text(ask, style="label"), soft_wrap=True)


def print_rows(found: Mapping[str, Any]) -> None:
    """A page of rows, then on stderr where it lies in the whole."""
    console = out()
    columns = [text(column.get("name")) for column in objects(found.get("columns"))]
    rows = [row for row in found.get("rows", []) if isinstance(row, list)]
    table = _table(columns)
    for row in rows:
        table.add_row(*(_cell(console, value) for value in row[: len(columns)]))
    show(console, table)
    page, size, total = (int(found.get(name) or 0) for name in ("page", "size", "totalRows"))
    first = (page - 1) * size + 1
    said = f"rows {first:,} to {first + len(rows) - 1:,} of {total:,}" if rows else f"no rows here, of {total:,}"
    more = f"; the next with --page {page + 1}" if rows and page * size < total else ""
    kept = "; the statement had more than the script was to keep" if found.get("truncated") is True else ""
    err().print(Text(said + more + kept, style="label"))


def _print_entry(console: Console, entry: Mapping[str, Any]) -> int:
    """One step; how many result sets it has."""
    sets, records = objects(entry.get("results")), objects(entry.get("records"))
    line = Text.assemble((clean(text(entry.get("key"))), "head"), f"  {clean(text(entry.get('kind')))}")
    console.print(line)
    facts = Table.grid(padding=(0, 3, 0, 0))
    facts.add_column(style="label", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, said in _facts(entry):
        facts.add_row(name, Text(clean(said)))
    for record in records:
        said = f"statement {text(record.get('index'))}: {text(record.get('error'))}"
        sql = clean(_short(console, text(record.get("sql"))))
        facts.add_row("failed", Text.assemble((clean(said), "bad"), "  ", (sql, "label")))
    if entry.get("recordsTruncated") is True:
        facts.add_row("failed", Text("and more, which only the log has", style="warn"))
    for file in objects(entry.get("files")) if not sets else []:
        said = f"{text(file.get('name'))}  {text(file.get('bytes'))} bytes  {text(file.get('path'))}"
        facts.add_row("file", Text(clean(said)))
    show(console, facts)
    if sets:
        table = grid("set", "rows", "columns", "statement", right=("set", "rows"))
        for one in sets:
            names = ", ".join(text(column.get("name")) for column in objects(one.get("columns")))
            rows = f"{text(one.get('rows'))}{'+' if one.get('truncated') is True else ''}"
            shown = (clean(_short(console, part)) for part in (names, text(one.get("sql"))))
            table.add_row(text(one.get("index")), rows, *(Text(part) for part in shown))
        show(console, table)
    return len(sets)


def _facts(entry: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if entry.get("kind") == "sql":
        counts = (count(int(entry.get("statements") or 0), "statement"), f"{entry.get('success', 0)} done")
        failed = f"{entry.get('failure', 0)} failed"
        yield "did", ", ".join((*counts, failed))
        yield "on", " ".join(filter(None, (text(entry.get("connection")), f"({text(entry.get('dialect'))})")))
        return
    plain = [(key, value) for key, value in entry.items() if key not in _OURS]
    for key, value in plain[:_FACTS_AT_MOST]:
        inner = mapping(value)
        said = ", ".join(f"{name} {text(part)}" for name, part in inner.items()) if inner else text(value)
        if said:
            yield key, said


def _table(columns: list[str]) -> Table:
    """A table whose columns may have one name twice."""
    table = grid()
    for name in columns:
        table.add_column(clean(name), no_wrap=True, overflow="ellipsis")
    return table


def _cell(console: Console, value: Any) -> Text:
    if value is None:
        return Text("NULL", style="quiet")
    shown = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return Text(clean(_short(console, shown)))


def _short(console: Console, value: str) -> str:
    """As much of a text as a terminal has room for; without one, all of it."""
    return value if not console.is_terminal or len(value) <= _WIDEST else f"{value[: _WIDEST - 1]}…"
