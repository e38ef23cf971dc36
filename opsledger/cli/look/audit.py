"""Who commanded what, as a table; and what following a hash chain found.

Responsible for: one line a decision where there is room, else the why on a line of its own. Refuses to know: filters.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from opsledger.cli.look.console import GAP, clean, err, grid, out, show
from opsledger.cli.look.words import clock, count
from opsledger.cli.rest.view import mapping, objects, text, when

_COLUMNS = ("at", "by", "command", "on", "outcome")
_ROOMY = 40
"""Columns that the why needs to stand beside the rest."""


def print_audit(page: Mapping[str, Any], now: datetime) -> None:
    """The decisions of a page, and how to get the next one."""
    console, rows = out(), objects(page.get("contents"))
    if not rows:
        err().print(Text("nothing like that was commanded", style="label"))
        return
    lines = [(_cells(row, now), Text(clean(_why(row)))) for row in rows]
    widths = [max(len(name), *(cells[place].cell_len for cells, _ in lines)) for place, name in enumerate(_COLUMNS)]
    if console.width - sum(widths) - GAP * len(widths) >= _ROOMY:
        table = grid(*_COLUMNS, "why", wide="why")
        for cells, why in lines:
            table.add_row(*cells, why)
        show(console, table)
    else:
        _print_folded(console, lines, widths)
    if following := text(page.get("next")):
        err().print(Text(f"there is more: --after {clean(following)}", style="label"), soft_wrap=True)


def _print_folded(console: Console, lines: list[tuple[list[Text], Text]], widths: list[int]) -> None:
    heads = [Text(name, style="label") for name in _COLUMNS]
    for cells, why in [(heads, Text()), *lines]:
        line = Text(" " * GAP).join(_padded(cell, width) for cell, width in zip(cells, widths, strict=True))
        line.rstrip()
        console.print(line, no_wrap=True, overflow="ellipsis")
        if why:
            console.print(Padding(why, (0, 0, 0, widths[0] + GAP)))


def _padded(cell: Text, width: int) -> Text:
    padded = cell.copy()
    padded.pad_right(max(0, width - cell.cell_len))
    return padded


def _cells(row: Mapping[str, Any], now: datetime) -> list[Text]:
    refused = row.get("outcome") == "refused"
    return [
        Text(clock(when(row.get("at")), now), style="label"),
        Text(clean(text(row.get("by")))),
        Text(clean(text(row.get("command")))),
        Text(_on(row)),
        Text(clean(text(row.get("outcome"))), style="bad" if refused else "good"),
    ]


def _on(row: Mapping[str, Any]) -> str:
    """The task, and of a command on a step its number."""
    subtask = row.get("subtask")
    step = f" step {subtask % 10_000}" if isinstance(subtask, int) else ""
    return f"task {text(row.get('task'))}{step}  {clean(text(row.get('taskName')))}".rstrip()


def _why(row: Mapping[str, Any]) -> str:
    """The reason that was given, and the refusal."""
    reason = text(row.get("reason"))
    refusal, _, _ = text(mapping(row.get("error")).get("message")).partition(" Allowed now:")
    return "  ".join(filter(None, (f"“{reason}”" if reason else "", refusal)))


def print_chain(chain: Mapping[str, Any]) -> None:
    """Whether every commit follows from the one before, or where one does not."""
    task, commits = text(chain.get("task")), chain.get("commits")
    if chain.get("whole") is True:
        how_many = count(commits, "commit") if isinstance(commits, int) else "commits"
        line = f"task {task}: {how_many}, every one follows from the one before"
        out().print(Text(line, style="good"), soft_wrap=True)
    for broken in objects(chain.get("broken")):
        line = f"task {task}, log position {text(broken.get('seq'))}: {clean(text(broken.get('message')))}"
        out().print(Text(line, style="bad"), soft_wrap=True)
