"""A task while it moves: one steady table on a terminal, one line per change elsewhere.

Responsible for: showing change without noise. Refuses to know: how changes are learned.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from opsledger.cli.look.console import clean
from opsledger.cli.look.task_table import LISTED_AT_MOST, body, head, note, summary
from opsledger.cli.look.words import span
from opsledger.cli.rest.view import Task

_AROUND_THE_TABLE = 8
"""Lines of the terminal that are not rows: head, headings, summary, and a little air."""
_SUMMARY_SECONDS = 2.0


class Progress(Protocol):
    """What watching needs of a display; None says that the API is out of reach for now."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last picture standing."""
        ...

    def update(self, task: Task | None) -> None:
        """Show the newest state."""
        ...


def progress(console: Console) -> Progress:
    """The display that fits the stream."""
    return Table(console) if console.is_terminal and not console.is_dumb_terminal else Lines(console)


class Table:
    """Redraws one table in place, only when there is something new to draw."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=False, vertical_overflow="ellipsis")
        self._last: Task | None = None

    def __enter__(self) -> Self:
        """Begin."""
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last picture standing."""
        self._live.__exit__(kind, error, trace)

    def update(self, task: Task | None) -> None:
        """Redraw."""
        self._last = task or self._last
        parts: list[Text | Group] = []
        if self._last is not None:
            room = max(5, min(LISTED_AT_MOST, self._console.height - _AROUND_THE_TABLE))
            parts.append(Group(head(self._console, self._last), Text(), body(self._console, self._last, room=room)))
        if task is None:
            parts.append(Text("the API cannot be reached; trying again", style="warn"))
        self._live.update(Group(*parts), refresh=True)


class Lines:
    """Prints a line when a step changes; of large tasks only failures and now and then a count."""

    def __init__(self, console: Console) -> None:
        self._say: Callable[[str], None] = lambda line: console.out(line, highlight=False)
        self._console = console
        self._seen: dict[int, str] = {}
        self._task_word = ""
        self._summary, self._summed_at = "", -_SUMMARY_SECONDS
        self._lost = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left open."""

    def update(self, task: Task | None) -> None:
        """Print what changed."""
        if task is None:
            if not self._lost:
                self._say("the API cannot be reached; trying again")
            self._lost = True
            return
        self._lost = False
        if not self._task_word:
            self._say(f"task {task.id}  {clean(task.name or task.type)}".rstrip())
        large = len(task.steps) > LISTED_AT_MOST
        self._steps(task, only_failures=large)
        if large:
            self._counts(task)
        if task.word != self._task_word:
            self._task_word = task.word
            self._say("  ".join(filter(None, (f"task {task.id}", task.word, span(task.seconds()), clean(task.error)))))

    def _steps(self, task: Task, *, only_failures: bool) -> None:
        for step in task.steps:
            word = step.word
            if self._seen.get(step.id, "pending") != word and (step.status == "FAILED" or not only_failures):
                said = (f"  {clean(step.name)}", word, span(step.seconds(task.now)), note(step))
                self._say("  ".join(filter(None, said)))
            self._seen[step.id] = word

    def _counts(self, task: Task) -> None:
        line = summary(self._console, task.counts()).plain
        now = time.monotonic()
        if line != self._summary and (task.ended or now - self._summed_at >= _SUMMARY_SECONDS):
            self._summary, self._summed_at = line, now
            self._say(f"  {line}")
