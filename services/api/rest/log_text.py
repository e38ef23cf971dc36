"""A subtask's log as OCP shows it: one string, a separator line before each run (specification §2.2).

Separators and state lines are drawn from events, the lines between them from LOGS; runs stand in the order of the
log. What is too long is shown from its end, and says so. Knows neither where events nor where lines lie.
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
Key = tuple[int, int, str]
"""Names a run: generation, attempt, phase."""
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
    at: datetime | None = None
    """When it began; None when no event tells."""

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
        self._runs: dict[Key, Run] = {}
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

    def _begin(self, key: Key, at: datetime) -> None:
        if self._operation is Operation.CANCEL:  # what was cancelled runs again
            self._operation = Operation.RETRY
        self._failed = False
        self._open = self._runs[key] = Run(separator(self._operation, at), at=at)
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
            key, lines = parsed(body)
            self.of(key).lines.extend(lines)

    def of(self, key: Key) -> Run:
        """Return the run of this key; one that no event tells of comes last."""
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = Run("")
            self._order.append(run)
        return run

    @property
    def runs(self) -> Iterable[tuple[Key | None, Run]]:
        """The runs in order, with their keys; one in which nothing can be printed has none."""
        keys = {id(run): key for key, run in self._runs.items()}
        return [(keys.get(id(run)), run) for run in self._order]

    def expired(self, since: datetime) -> None:
        """Say in the first run that began before `since` that what it printed earlier may be gone."""
        for run in self._order:
            if run.at is not None and run.at < since:
                run.lines.insert(0, gone(since))
                return

    def text(self) -> str:
        """Return everything as one string."""
        return "\n".join(line for run in self._order for line in run.text())

    def newest(self, most: int, note: str, *, cut: bool) -> str:
        """Return the end of the text, about `most` characters; `note` stands where something was left out.

        `cut`: the batches before those that were taken were not read. The run that is shown from its middle keeps its
        separator, so that clients find it.
        """
        first = next((place for place, run in enumerate(self._order) if run.lines), 0) if cut else 0
        parts: list[list[str]] = []
        for run in reversed(self._order[first:]):
            lines = list(run.text())
            body = lines[1:] if run.head else lines
            kept = _fitting(body, most)
            most -= sum(len(line) + 1 for line in lines[len(lines) - kept :])
            cut = cut or kept < len(body)
            parts.append([*lines[: len(lines) - len(body)], *body[len(body) - kept :]])
            if kept < len(body) or most <= 0:
                break
        if parts and (cut or len(parts) < len(self._order)):
            parts[-1].insert(1 if parts[-1][:1] and parts[-1][0].startswith("####") else 0, note)
        return "\n".join(line for part in reversed(parts) for line in part)


def gone(since: datetime) -> str:
    """Return the line that says what cannot be there any more."""
    shown = since.isoformat(timespec="seconds")
    return f"[lines printed before {shown} may be missing here: logs are kept for a limited time]"


def _fitting(lines: list[str], most: int) -> int:
    """Return how many lines from the end fit into `most` characters."""
    for count, line in enumerate(reversed(lines)):
        most -= len(line) + 1
        if most < 0:
            return count
    return len(lines)


def parsed(body: bytes) -> tuple[Key, list[str]]:
    """Return the run that a batch is of (generation, attempt, phase), and its lines; unreadable ones say so."""
    try:
        batch = json.loads(body)
        key = (int(batch["generation"]), int(batch["attempt"]), str(batch["phase"]))
        return key, [_line(line) for line in batch["lines"]]
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return (0, 0, ""), [f"[{len(body)} bytes of log cannot be read]"]


def _line(line: dict[str, Any]) -> str:
    return f"{line_time(line['t'])} {line['l']} {line['m']}"


def line_time(at: float | str) -> str:
    """Return a line's time as it is shown."""
    return at if isinstance(at, str) else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
