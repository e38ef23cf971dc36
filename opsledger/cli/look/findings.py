"""What a report task found out, drawn for people: how bad, what, why, and what to do about it.

Responsible for: showing findings of any shape near {severity, what, why, advice}. Refuses to know: how they were found.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from opsledger.cli.look.console import clean
from opsledger.cli.look.words import count
from opsledger.cli.rest.view import Task, objects, outputs, text

_LOOKS = {
    "critical": ("✖", "bad"),
    "error": ("✖", "bad"),
    "high": ("✖", "bad"),
    "warning": ("▲", "warn"),
    "medium": ("▲", "warn"),
    "notice": ("●", "live"),
    "low": ("●", "live"),
    "info": ("●", "live"),
    "ok": ("✔", "good"),
}
_RANK = {severity: rank for rank, severity in enumerate(_LOOKS)}
_DETAILS = ("why", "do", "evidence", "advice", "next")
_REPORT_KEYS = ("path",)


def findings(task: Task) -> list[Mapping[str, Any]] | None:
    """All findings of a task, worst first; None when it is not the kind of task that has any."""
    found = [objects(value) for _, value in outputs(task, "findings") if isinstance(value, list)]
    if not found:
        return None
    return sorted((item for part in found for item in part), key=lambda item: _RANK.get(_severity(item), len(_RANK)))


def report_path(task: Task) -> str | None:
    """Where the task wrote its report, when it says so."""
    return next(_paths(task), None)


def _paths(task: Task) -> Iterator[str]:
    for key in _REPORT_KEYS:
        for _, value in outputs(task, key):
            if isinstance(value, str) and value:
                yield value


def print_findings(console: Console, items: list[Mapping[str, Any]]) -> None:
    """The findings as a short list with hanging details."""
    if not items:
        console.print(Text("nothing found that needs a look", style="good"))
        return
    pressing = sum(_RANK.get(_severity(item), 0) < _RANK["notice"] for item in items)
    console.print(Text(f"{count(len(items), 'finding')}, {pressing or 'none'} to act on", style="head"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for item in items:
        table.add_row()
        severity = _severity(item)
        mark, style = _LOOKS.get(severity, ("●", ""))
        what = Text(clean(_first(item, "what", "title", "message")), style="head" if style in {"bad", "warn"} else "")
        label = f"{mark} {clean(severity)}" if console.is_terminal else clean(severity)
        table.add_row(Text(label, style=style), Group(what, _details(item)))
    console.print(table)


def _details(item: Mapping[str, Any]) -> Table:
    details = Table.grid(padding=(0, 2, 0, 0))
    details.add_column(style="label", no_wrap=True)
    details.add_column(overflow="fold")
    for label in _DETAILS:
        if said := _first(item, label):
            details.add_row(label, Text(clean(said)))
    return details


def _severity(item: Mapping[str, Any]) -> str:
    return text(item.get("severity")).lower() or "info"


def _first(item: Mapping[str, Any], *keys: str) -> str:
    for key in keys:
        value = item.get(key)
        if isinstance(value, list):
            return "; ".join(text(part) for part in value)
        if said := text(value):
            return said
    return ""
