"""A task as the command line sees it, read from JSON that may be older, newer or odder than expected.

Responsible for: never failing on a missing or foreign field. Refuses to know: HTTP and colours.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opsledger.cli.failure import Exit

ENDED = frozenset({"SUCCESSFUL", "FAILED", "CANCELLED"})


def mapping(value: object) -> Mapping[str, Any]:
    """`value` when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Mapping[str, Any]]:
    """The objects in `value` when it is a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """A word for people: strings as they are, named things by their name, nothing for nothing."""
    if isinstance(value, dict):
        return text(value.get("name") or value.get("id"))
    return "" if value is None else str(value)


def when(value: object) -> datetime | None:
    """An ISO-8601 time, or None; a time without an offset is taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """One subtask."""

    json: Mapping[str, Any]

    @property
    def id(self) -> int:
        """The subtask id, as the log endpoint wants it."""
        found = self.json.get("id")
        return found if isinstance(found, int) else 0

    @property
    def number(self) -> int:
        """1..n within its task."""
        return self.id % 10_000

    @property
    def name(self) -> str:
        """What people call it."""
        return text(self.json.get("key") or self.json.get("name")) or str(self.number)

    @property
    def status(self) -> str:
        """PENDING, READY, RUNNING, CANCELING, FAILED or SUCCESSFUL."""
        return text(self.json.get("status"))

    @property
    def word(self) -> str:
        """Its state in one or two plain words, the operation taken into account."""
        operation = text(self.json.get("operation"))
        special = {
            ("SUCCESSFUL", "SKIP"): "skipped",
            ("FAILED", "CANCEL"): "cancelled",
            ("RUNNING", "ROLLBACK"): "rolling back",
            ("PENDING", "ROLLBACK"): "rolled back",
            ("SUCCESSFUL", "ROLLBACK"): "to be undone",
            ("READY", "ROLLBACK"): "to be undone",
            ("FAILED", "ROLLBACK"): "undo failed",
            ("READY", "RETRY"): "retry waits" if self.json.get("retryAt") else "ready",
        }
        return special.get((self.status, operation)) or self.status.lower() or "unknown"

    @property
    def note(self) -> str:
        """The one thing worth saying beside its state."""
        error, retry_at = error_text(self.json.get("error")), when(self.json.get("retryAt"))
        if self.status == "READY" and retry_at is not None:
            return f"tries again at {retry_at.astimezone():%H:%M:%S}" + (f" after {error}" if error else "")
        if error and self.status != "RUNNING":  # what a run before this one met is in its log
            return error
        if answers := counted_answers(self):
            return answers
        progress = self.json.get("progress")
        if isinstance(progress, dict):
            return text(progress.get("message") or progress.get("text"))
        runs = self.json.get("runTime")
        return f"run {runs}" if isinstance(runs, int) and runs > 1 else ""

    @property
    def run(self) -> tuple[int, int]:
        """Which run it is at: generation and attempt."""
        generation, attempt = self.json.get("generation"), self.json.get("attempt")
        return (generation, attempt) if isinstance(generation, int) and isinstance(attempt, int) else (0, 0)

    @property
    def output(self) -> Mapping[str, Any]:
        """What it handed on, without the wrapper some outputs have."""
        output = mapping(self.json.get("output"))
        return mapping(output["data"]) if isinstance(output.get("data"), dict) else output

    def seconds(self, now: datetime) -> float | None:
        """How long it has run, or ran."""
        return _span(self.json, now)


@dataclass(frozen=True, slots=True)
class Task:
    """One task with its subtasks."""

    json: Mapping[str, Any]
    now: datetime
    """The server's clock when this was read: durations never mix two machines' clocks."""

    @classmethod
    def of(cls, data: object, timestamp: str | None = None) -> "Task":
        """From the `data` of an answer."""
        return cls(mapping(data), when(timestamp) or datetime.now(UTC))

    @property
    def id(self) -> int:
        """The task id."""
        found = self.json.get("id")
        return found if isinstance(found, int) else 0

    @property
    def name(self) -> str:
        """What people call it."""
        return text(self.json.get("name"))

    @property
    def state(self) -> str:
        """INITIALIZING, READY, RUNNING, SUCCESSFUL, FAILED or CANCELLED."""
        return text(self.json.get("state") or self.json.get("status"))

    @property
    def ended(self) -> bool:
        """Whether it rests."""
        return self.state in ENDED

    @property
    def backward(self) -> bool:
        """Whether it is being, or was, rolled back."""
        direction = self.json.get("direction")
        return direction == "BACKWARD" if isinstance(direction, str) else self.json.get("operation") == "ROLLBACK"

    @property
    def word(self) -> str:
        """Its state in one or two plain words."""
        if self.backward and self.state in {"RUNNING", "SUCCESSFUL"}:
            return "rolling back" if self.state == "RUNNING" else "rolled back"
        if self.state == "FAILED" and self.backward:
            return "rollback failed"
        return self.state.lower() or "unknown"

    @property
    def exit_code(self) -> int:
        """What the outcome is to a script."""
        if self.state == "SUCCESSFUL":
            return Exit.ROLLED_BACK if self.backward else Exit.DONE
        return Exit.CANCELLED if self.state == "CANCELLED" else Exit.FAILED

    @property
    def type(self) -> str:
        """Our task type; a task that brought its own plan has none."""
        return text(self.json.get("taskType"))

    @property
    def error(self) -> str:
        """Why the task itself failed, when it says so."""
        return error_text(self.json.get("error"))

    @property
    def steps(self) -> list[Step]:
        """Its subtasks by number."""
        return sorted((Step(item) for item in objects(self.json.get("subtasks"))), key=lambda step: step.id)

    def counts(self) -> Counter[str]:
        """How many subtasks are in each state, in words."""
        return Counter(step.word for step in self.steps)

    def seconds(self) -> float | None:
        """How long it has run, or ran."""
        return _span(self.json, self.now)


def error_text(error: object) -> str:
    """An error in one line: its message, with its kind before it when that adds something."""
    if not isinstance(error, dict):
        return text(error)
    kind, message = text(error.get("kind")), text(error.get("message"))
    return message if not kind else f"{kind}: {message}" if message else kind


def _span(json: Mapping[str, Any], now: datetime) -> float | None:
    start = when(json.get("startTime"))
    if start is None:
        return None
    end = when(json.get("finishTime")) or now
    return max(0.0, (end - start).total_seconds())


def counted_answers(step: Step) -> str:
    """Of a batch of a bulk command: how many tasks it was done to and how many refused it."""
    done, refused = step.output.get("accepted"), step.output.get("refused")
    if not (isinstance(done, int) and isinstance(refused, int)):
        return ""
    return f"{done:,} done" + (f", {refused:,} refused" if refused else "")


def outputs(task: Task, key: str) -> Iterator[tuple[Step, Any]]:
    """Each subtask whose output holds `key`, with the value."""
    for step in task.steps:
        if key in step.output:
            yield step, step.output[key]
