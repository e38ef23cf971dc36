"""What pages say of a task: its cause and facts in words. Knows no markup and no address."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.api.console import badge
from services.api.console.badge import Badge
from services.api.console.span import lasted
from shared.task.state import Direction, Operation, Subtask, SubtaskStatus, Task, TaskState

VIA: Final = {"rest": "REST", "bus": "bus", "console": "console", "cli": "command line", "schedule": "schedule"}


def cause(task: Task, now: datetime) -> str:
    """Return in a sentence or two why the task is as it is, and what will happen next."""
    gone = "It was deleted: lists leave it out, its history stays. " if task.deleted else ""
    return gone + _cause(task, now)


def _cause(task: Task, now: datetime) -> str:
    failed = [subtask for subtask in task.subtasks if subtask.status is SubtaskStatus.FAILED]
    match task.state:
        case TaskState.FAILED:
            return f"{_failed(task, failed)} It is at rest: nothing will happen until someone acts."
        case TaskState.CANCELLED:
            return "It was cancelled. It is at rest: nothing will happen until someone acts."
        case TaskState.SUCCESSFUL if task.direction is Direction.BACKWARD:
            return "It was rolled back: everything that had started was undone."
        case TaskState.SUCCESSFUL:
            return f"All is done, in {lasted(task.started_at, task.finished_at, now)}."
        case TaskState.INITIALIZING:
            return f"An executor of pool {task.pool} will plan it."
        case _:
            return _underway(task, failed)


def _failed(task: Task, failed: Sequence[Subtask]) -> str:
    if not failed:
        return f"It failed: {_sentence(task.problem.message if task.problem else 'no cause is known')}"
    first = failed[0]
    what = "The rollback failed" if task.direction is Direction.BACKWARD else "Failed"
    attempt = f", attempt {first.run_time}" if first.run_time > 1 else ""
    about = f" on {task.object.name}" if task.object is not None else ""
    others = f" {len(failed) - 1} more failed." if len(failed) > 1 else ""
    message = first.problem.message if first.problem is not None else "no cause is known"
    return f"{what} at {first.plan.name}{about}{attempt}: {_sentence(_first_line(message))}{others}"


def _underway(task: Task, failed: Sequence[Subtask]) -> str:
    if task.standing:
        return "It stands ready: each request to it is a task of its own, until it is cancelled."
    running = [s for s in task.subtasks if s.status in {SubtaskStatus.RUNNING, SubtaskStatus.CANCELING}]
    names = ", ".join(subtask.plan.name for subtask in running[:3])
    more = f" and {len(running) - 3} more" if len(running) > 3 else ""
    if task.cancelled:
        return f"It is being cancelled; still stopping: {names}{more}." if running else "It is being cancelled."
    word = "Undoing" if task.direction is Direction.BACKWARD else "Running"
    held = f" {failed[0].plan.name} has failed, so nothing new starts." if failed else ""
    if running:
        return f"{word} {names}{more}.{held}"
    waiting = [subtask for subtask in task.subtasks if subtask.retry_at is not None]
    if waiting:
        return f"{waiting[0].plan.name} failed and will be tried again by itself.{held}"
    ready = sum(subtask.status is SubtaskStatus.READY for subtask in task.subtasks)
    return f"Waiting for an executor: {ready} ready.{held}" if ready else f"Under way.{held}"


def note(subtask: Subtask, now: datetime) -> str:
    """Return what a box of the graph says below the name."""
    if subtask.retry_at is not None and subtask.status is SubtaskStatus.READY:
        return f"again {'now' if (left := subtask.retry_at - now.timestamp()) < 1 else f'in {left:.0f} s'}"
    if subtask.status is SubtaskStatus.PENDING:
        return "" if subtask.started_at is None else "undone"
    took = lasted(subtask.started_at, subtask.finished_at, now)
    return f"attempt {subtask.run_time} · {took}" if subtask.run_time > 1 else took


def badge_of_task(task: Task) -> Badge:
    """Return a task's badge."""
    return badge.of_task(task.state, task.direction, cancelling=task.cancelled)


def badge_of(subtask: Subtask) -> Badge:
    """Return a subtask's badge."""
    return badge.of_subtask(
        subtask.status, subtask.operation, retries=subtask.retry_at is not None, touched=subtask.touched
    )


@dataclass(frozen=True, slots=True)
class Fact:
    """A word and what it says: a text, a time, or how long something has lasted `since` a time, as a text as well."""

    word: str
    text: str = ""
    at: datetime | None = None
    since: datetime | None = None


def facts(task: Task, now: datetime) -> list[Fact]:
    """Return what stands at the head of a task's page."""
    about = f"{task.object.kind} {task.object.name}" if task.object is not None else ""
    via = VIA.get(task.creator.via or "", task.creator.via or "")
    found = [
        Fact("Type", task.type + (f" {task.type_version}" if task.type_version is not None else "")),
        Fact("Operator", task.creator.name + (f", via {via}" if via else "")),
        Fact("Object", about),
        Fact("Created", at=task.created_at),
        Fact("Running for", lasted(task.started_at, None, now), since=task.started_at),
        Fact("Subtasks", _counts(task)),
        Fact("Labels", " ".join(f"{key}:{value}" for key, value in sorted(task.labels.items()))),
    ]
    if task.ended:
        found[4] = Fact("Ended", at=task.finished_at)
        found.insert(5, Fact("Took", lasted(task.started_at, task.finished_at, now)))
    return [fact for fact in found if fact.text or fact.at is not None]


_COUNTED: Final[dict[SubtaskStatus, str]] = {
    SubtaskStatus.SUCCESSFUL: "done",
    SubtaskStatus.FAILED: "failed",
    SubtaskStatus.CANCELING: "cancelling",
    SubtaskStatus.RUNNING: "running",
    SubtaskStatus.READY: "ready",
    SubtaskStatus.PENDING: "waiting",
}


def _counts(task: Task) -> str:
    """Return how many subtasks are in which state; in a rollback what is undone is told from what never began."""
    words = [(task.counts[status], word) for status, word in _COUNTED.items()]
    if task.direction is Direction.BACKWARD:
        waiting = [one for one in task.subtasks if one.status is SubtaskStatus.PENDING]
        undone = sum(one.operation is Operation.ROLLBACK for one in waiting)
        words[-1:] = [(undone, "undone"), (len(waiting) - undone, "never begun")]
    return " · ".join(f"{count} {word}" for count, word in words if count)


def _first_line(text: Any) -> str:
    lines = str(text).strip().splitlines()
    return lines[0] if lines else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
