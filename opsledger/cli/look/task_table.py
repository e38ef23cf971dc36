"""A task drawn for people: its head, its steps, and a summary when there are too many to list.

Responsible for: what is worth a line. Refuses to know: where the task came from and whether it still moves.
"""

from collections import Counter

from rich.console import Console, Group, RenderableType
from rich.text import Text

from opsledger.cli.look.console import clean, grid
from opsledger.cli.look.words import ORDER, count, span, state
from opsledger.cli.rest.view import Step, Task

LISTED_AT_MOST = 60
"""More steps than this are summed up, and only those that need a look are listed."""
SHOWN_OF_MANY = 20
_NOTE_LENGTH = 240
_STATE_WIDTH, _TIME_WIDTH = 14, 9
"""Room for the longest word from the start: columns that jump make a moving table hard to read."""


def head(console: Console, task: Task) -> Text:
    """One line: which task, in what state, how far, how long."""
    steps = task.steps
    finished = sum(step.status == "SUCCESSFUL" for step in steps)
    line = Text()
    line.append(clean(task.name or task.type or "task"), style="head")
    line.append(f"  task {task.id}", style="label")
    line.append("   ")
    line.append_text(state(console, task.word))
    if steps and not task.backward:
        line.append(f"   {finished} of {count(len(steps), 'step')}")
    if spent := span(task.seconds()):
        line.append(f"   {spent}", style="label")
    return line


def body(console: Console, task: Task, *, room: int = LISTED_AT_MOST, everything: bool = False) -> RenderableType:
    """The steps as a table; past `room` of them a summary and those that need a look."""
    steps = task.steps
    if not steps:
        waiting = "no steps" if task.ended else "waiting for an executor to plan it"
        if task.json.get("standing") and not task.ended:
            waiting = "standing: its requests are tasks of their own, with this one as their parent"
        return Text(clean(task.error) or waiting, style="bad" if task.error else "label")
    parts: list[RenderableType] = []
    if task.error:
        parts.append(Text(clean(task.error), style="bad"))
    if len(steps) > room and not everything:
        parts.append(summary(console, task.counts()))
        steps = pressing(steps, max(1, min(room, SHOWN_OF_MANY)))
    if steps:
        parts.append(_table(console, task, steps))
    return Group(*parts)


def summary(console: Console, counts: Counter[str]) -> Text:
    """How many steps are in each state, in one line."""
    line = Text()
    for word in sorted(counts, key=lambda word: ORDER.index(word) if word in ORDER else len(ORDER)):
        if line:
            line.append("   ")
        line.append(f"{counts[word]:,} ")
        line.append_text(state(console, word))
    return line


def pressing(steps: list[Step], at_most: int) -> list[Step]:
    """Of many steps, those that need a look: failed and stopped first, then what moves."""
    ranks = {"FAILED": 0, "CANCELING": 1, "RUNNING": 2}
    worth = [step for step in steps if step.status in ranks or step.word == "retry waits"]
    return sorted(worth, key=lambda step: (ranks.get(step.status, 3), step.id))[:at_most]


def note(step: Step) -> str:
    """A step's note, cut to a length that keeps the table a table."""
    said = clean(step.note)
    return said if len(said) <= _NOTE_LENGTH else said[: _NOTE_LENGTH - 1] + "…"


def _table(console: Console, task: Task, steps: list[Step]) -> RenderableType:
    table = grid("step", "state", "time", "note", right=("time",), wide="note")
    table.columns[1].min_width, table.columns[2].min_width = _STATE_WIDTH, _TIME_WIDTH
    for step in steps:
        muted = "quiet" if step.status == "PENDING" else ""
        table.add_row(
            Text(clean(step.name), style=muted),
            state(console, step.word),
            Text(span(step.seconds(task.now)), style="label"),
            Text(note(step), style="bad" if step.status == "FAILED" else "label"),
        )
    return table
