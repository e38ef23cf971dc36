"""A subtask's log as OCP shows it: one string, a separator line before each run (specification §2.2).

Separators and state lines are drawn from events, the lines between them from LOGS; runs stand in the order of the
log. Knows neither where events nor where lines lie.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from shared.messages.commit import Decision
from shared.task import events as ev
from shared.task.ids import subtask_id
from shared.task.state import Operation, SubtaskStatus

_END: Final[dict[type[Any], SubtaskStatus]] = {
    ev.SubtaskSucceeded: SubtaskStatus.SUCCESSFUL,
    ev.SubtaskFailed: SubtaskStatus.FAILED,
    ev.SubtaskCancelled: SubtaskStatus.FAILED,
    ev.SubtaskUndone: SubtaskStatus.PENDING,
    ev.SubtaskRetryScheduled: SubtaskStatus.READY,
    ev.SubtaskLost: SubtaskStatus.READY,
    ev.SubtaskReleased: SubtaskStatus.READY,
}
_AGAIN: Final[dict[type[Any], str]] = {
    ev.SubtaskRetryScheduled: "This run failed and will be tried again by itself.",
    ev.SubtaskLost: "The executor of this run was lost; the subtask runs again.",
    ev.SubtaskReleased: "The executor of this run went away and handed the subtask back.",
}


def separator(operation: Operation, at: datetime) -> str:
    """Return the line that opens a run; clients split on exactly this."""
    return f"############{{{operation}}}{{{at.isoformat()}}}############"


@dataclass(slots=True)
class Run:
    """One run of a subtask: how it was opened, what it printed, how it ended."""

    head: str
    lines: list[str] = field(default_factory=list)
    end: list[str] = field(default_factory=list)

    def text(self) -> Iterator[str]:
        """Yield its lines."""
        if self.head:
            yield self.head
        yield from self.lines
        yield from self.end


class LogText:
    """Follows the events of one subtask, then takes its batches."""

    def __init__(self, task_id: int, number: int) -> None:
        self._id = subtask_id(task_id, number)
        self._number = number
        self._operation = Operation.EXECUTE
        self._failed = False
        self._runs: dict[tuple[int, int, str], Run] = {}
        self._order: list[Run] = []
        self._open: Run | None = None

    def follow(self, decision: Decision) -> None:
        """Take the events of one decision."""
        for event in decision.events:
            self._event(event, decision.at)

    def _event(self, event: ev.AnyEvent, at: datetime) -> None:  # noqa: C901, PLR0912  one row an event
        if getattr(event, "subtask", self._number) != self._number:
            return
        match event:
            case ev.TaskRetried():
                if self._failed:
                    self._operation = Operation.RETRY
            case ev.TaskRollbackRequested():
                self._operation = Operation.ROLLBACK
            case ev.SubtaskRetried():
                self._operation = Operation.RETRY
            case ev.SubtaskSkipped():
                self._skipped(at)
            case ev.TaskSkipped():
                if self._failed:
                    self._skipped(at)
            case ev.SubtaskCancelRequested() | ev.TaskCancelRequested():
                if self._open is not None:
                    self._operation = Operation.CANCEL
            case ev.SubtaskStarted():
                self._begin((event.generation, event.attempt, event.phase), at)
            case _:
                if type(event) in _END:
                    self._finish(_END[type(event)], event)

    def _begin(self, key: tuple[int, int, str], at: datetime) -> None:
        if self._operation is Operation.CANCEL:  # what was cancelled runs again
            self._operation = Operation.RETRY
        self._failed = False
        self._open = self._runs[key] = Run(separator(self._operation, at))
        self._order.append(self._open)

    def _skipped(self, at: datetime) -> None:
        backward = self._operation is Operation.ROLLBACK
        self._operation = Operation.SKIP
        run = Run(separator(Operation.SKIP, at))
        self._order.append(run)
        self._open = run
        self._finish(SubtaskStatus.PENDING if backward else SubtaskStatus.SUCCESSFUL, None)

    def _finish(self, status: SubtaskStatus, event: ev.AnyEvent | None) -> None:
        self._failed = status is SubtaskStatus.FAILED
        run, self._open = self._open, None
        if run is not None:
            problem: ev.Problem | None = getattr(event, "problem", None)
            if problem is not None:
                run.end.append(f"{problem.kind}: {problem.message}".replace("\n", " "))
            if status is SubtaskStatus.READY:
                run.end.append(_AGAIN.get(type(event), ""))
            else:
                run.end.append(f"Set state for subtask: {self._id}, operation:{self._operation}, state: {status}")
        if isinstance(event, ev.SubtaskRetryScheduled):
            self._operation = Operation.RETRY

    def batches(self, bodies: Iterable[bytes]) -> None:
        """Take what the subtask printed, in order; a batch that cannot be read says so."""
        for body in bodies:
            try:
                batch = json.loads(body)
                key = (int(batch["generation"]), int(batch["attempt"]), str(batch["phase"]))
                lines = [_line(line) for line in batch["lines"]]
            except (ValueError, KeyError, TypeError):
                key, lines = (0, 0, ""), [f"[{len(body)} bytes of log cannot be read]"]
            run = self._runs.get(key)
            if run is None:
                run = self._runs[key] = Run("")
                self._order.append(run)
            run.lines += lines

    def text(self) -> str:
        """Return everything as one string."""
        return "\n".join(line for run in self._order for line in run.text())


def _line(line: dict[str, Any]) -> str:
    at = line["t"]
    shown = at if isinstance(at, str) else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return f"{shown} {line['l']} {line['m']}"
