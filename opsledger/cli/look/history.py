"""A task's history drawn for people: when, who, what was decided, and what it caused.

Responsible for: a table of what is known, a line of what comes. Refuses to know: where it was read.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from opsledger.cli.look.console import clean, grid, out, show
from opsledger.cli.look.words import clock
from opsledger.cli.rest.view import error_text, objects, text, when

_BEGINS_AGAIN = frozenset(
    {"task.retried", "task.skipped", "task.rollback_requested", "subtask.retried", "subtask.skipped"}
)

_NAMED_AT_MOST = 4


def print_history(history: Iterable[Mapping[str, Any]]) -> None:
    """A table of decisions."""
    table = grid("seq", "at", "by", "outcome", "what", right=("seq",), wide="what")
    now = datetime.now(UTC)
    for item in history:
        table.add_row(
            Text(text(item.get("seq")), style="label"),
            Text(clock(when(item.get("at")), now), style="label"),
            Text(clean(text(item.get("by")))),
            _outcome(item),
            Text(clean(_what(item))),
        )
    show(out(), table)


def print_line(item: Mapping[str, Any]) -> None:
    """One decision, as it comes."""
    at = clock(when(item.get("at")), datetime.now(UTC))
    line = Text.assemble((f"{text(item.get('seq')):>5}   {at}   ", "label"), f"{clean(text(item.get('by'))):<12}   ")
    line.append_text(_outcome(item))
    line.append(f"   {clean(_what(item))}")
    out().print(line, soft_wrap=True)


def ended_by(item: Mapping[str, Any], *, ended: bool) -> bool:
    """Whether the task rests after this decision, when it did (`ended`) or did not before."""
    if item.get("outcome") != "accepted":
        return ended
    for event in objects(item.get("events")):
        kind = text(event.get("type"))
        ended = kind == "task.finished" or (ended and kind not in _BEGINS_AGAIN)
    return ended


def _outcome(item: Mapping[str, Any]) -> Text:
    outcome = text(item.get("outcome"))
    return Text(outcome, style="good" if outcome == "accepted" else "bad")


def _kind(kind: str, steps: list[str]) -> str:
    """An event with the numbers of its steps, or with how many there were."""
    if all(steps) and len(steps) <= _NAMED_AT_MOST:
        return f"{kind} {' '.join(steps)}"
    return kind if len(steps) == 1 else f"{kind} ({len(steps)})"


def _what(item: Mapping[str, Any]) -> str:
    """The refusal, or the events by kind; then the reason that was given."""
    kinds: dict[str, list[str]] = {}
    for event in objects(item.get("events")):
        kinds.setdefault(text(event.get("type")), []).append(text(event.get("subtask")))
    caused = ", ".join(_kind(kind, steps) for kind, steps in kinds.items())
    reason = text(item.get("reason"))
    problem = error_text(item.get("refusal")) or error_text(item.get("error"))
    return "  ".join(filter(None, [problem, caused, f"“{reason}”" if reason else ""]))
