"""Tasks as a table, one line each.

Responsible for: what of a task fits on a line. Refuses to know: filters and pages.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from opsledger.cli.look.console import GAP, clean, err, grid, out, show
from opsledger.cli.look.words import clock, count, span, state
from opsledger.cli.rest.view import Task, mapping, text, when

_COLUMNS = ("id", "name", "state", "steps", "about", "by", "started", "time")
_ROOMY = 100
"""Columns of a terminal from which on everything has room."""
_LEAST = 8


def print_tasks(tasks: Iterable[Task]) -> None:
    """The table. A narrow terminal leaves out by whom and when; names give way before states do."""
    console = out()
    rows = [_row(console, task) for task in tasks]
    left_out = {"by", "started"} if console.is_terminal and console.width < _ROOMY else set()
    columns = [column for column in _COLUMNS if column not in left_out]
    table = grid(*columns, right=("id", "steps", "time"))
    for row in rows:
        table.add_row(*(row[column] for column in columns))
    taken = sum(_widest(rows, column) for column in columns if column not in {"name", "about"})
    room = max(0, console.width - taken - GAP * (len(columns) - 1))
    about = min(_widest(rows, "about"), max(_LEAST, room // 3))
    table.columns[columns.index("about")].max_width = about
    table.columns[columns.index("name")].max_width = max(_LEAST, room - about)
    show(console, table)


def _row(console: Console, task: Task) -> dict[str, Text]:
    return {
        "id": Text(str(task.id)),
        "name": Text(clean(task.name or task.type)),
        "state": state(console, task.word),
        "steps": Text(_steps(task), style="label"),
        "about": Text(clean(text(task.json.get("object")))),
        "by": Text(clean(text(task.json.get("creator"))), style="label"),
        "started": Text(clock(when(task.json.get("startTime")), task.now), style="label"),
        "time": Text(span(task.seconds()), style="label"),
    }


def _widest(rows: list[dict[str, Text]], column: str) -> int:
    return max([len(column), *(row[column].cell_len for row in rows)])


def whats_more(page: Mapping[str, Any]) -> None:
    """How many pages there are, when there are several."""
    pages, total = page.get("totalPages"), page.get("totalElements")
    if isinstance(pages, int) and pages > 1:
        at_least = "at least " if page.get("totalExact") is False else ""
        of_all = f" · {at_least}{count(total, 'task')}" if isinstance(total, int) else ""
        line = f"page {page.get('number')} of {pages:,}{of_all}; the next with --page, all with --all"
        err().print(Text(line, style="label"))


def _steps(task: Task) -> str:
    """How many are done; of a task too large to be listed with its steps, from its counts."""
    counts = mapping(task.json.get("counts"))
    total, done = counts.get("total"), counts.get("successful")
    if isinstance(total, int) and isinstance(done, int):
        return f"{done}/{total}" if total else ""
    steps = task.steps
    return f"{sum(step.status == 'SUCCESSFUL' for step in steps)}/{len(steps)}" if steps else ""
