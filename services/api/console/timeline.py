"""When each subtask waited and when it ran, attempt by attempt: the bars of a Gantt chart, from a task's own log.

The log says when a claim began and ended; when a subtask became READY is what the fold makes of that. So the commits
are folded one by one, and every change of a subtask's status closes one bar and opens the next. Draws nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.api.console.badge import Badge
from services.api.console.shown import badge_of
from shared.log.fold import apply
from shared.log.port import Stored
from shared.messages.codec import Undecodable, decode, digest
from shared.task.state import Subtask, SubtaskStatus, Task


class Doing(StrEnum):
    """What a subtask did during a bar."""

    WAIT = "wait"
    EXECUTE = "execute"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of one subtask's life. `end` is None while it lasts; `badge` is how it stands, or stood, afterwards."""

    number: int
    doing: Doing
    start: datetime
    end: datetime | None
    attempt: int
    badge: Badge
    executor: str = ""


def bars(messages: Iterable[Stored]) -> list[Bar]:
    """Return the bars of one task, given all its commits in order; those of a subtask follow each other."""
    task: Task | None = None
    done: list[Bar] = []
    opened: dict[int, Bar] = {}
    for message in messages:
        try:
            commit = decode(message.body)
        except Undecodable:
            continue
        if task is not None:
            task.changed.clear()
        task = apply(task, commit, message.seq, digest(message.body))
        if task is None or not commit.decisions:
            continue
        at = commit.decisions[-1].at
        numbers = task.changed if done or opened else range(1, len(task.subtasks) + 1)
        for number in sorted(numbers):
            _turn(task.subtasks[number - 1], at, opened, done)
    return sorted([*done, *opened.values()], key=lambda bar: (bar.number, bar.start))


def _turn(subtask: Subtask, at: datetime, opened: dict[int, Bar], done: list[Bar]) -> None:
    """Close a subtask's bar when it no longer tells what it does, and open the next one."""
    doing = _doing(subtask)
    bar = opened.get(subtask.number)
    if bar is not None and (bar.doing, bar.attempt) == (doing, subtask.attempt):
        opened[subtask.number] = replace(bar, badge=badge_of(subtask))
        return
    if bar is not None:
        done.append(replace(opened.pop(subtask.number), end=at, badge=badge_of(subtask)))
    if doing is not None:
        claim = subtask.claim
        opened[subtask.number] = Bar(
            subtask.number, doing, at, None, subtask.attempt, badge_of(subtask), claim.executor if claim else ""
        )


def _doing(subtask: Subtask) -> Doing | None:
    match subtask.status:
        case SubtaskStatus.READY:
            return Doing.WAIT
        case SubtaskStatus.RUNNING | SubtaskStatus.CANCELING:
            undoing = subtask.claim is not None and subtask.claim.phase == "undo"
            return Doing.UNDO if undoing else Doing.EXECUTE
        case _:
            return None
