"""When each subtask waited and when it ran, attempt by attempt: the bars of a Gantt chart, from a task's own log.

The log says when a claim began and ended; when a subtask became READY is what the fold makes of that. So the commits
are folded one by one, and every change of a subtask's status closes one bar and opens the next. Draws nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

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
    generation: int = 1


def bars(messages: Iterable[Stored]) -> list[Bar]:
    """Return the bars of one task, given all its commits in order; those of a subtask follow each other."""
    reading = Reading()
    for message in messages:
        reading.take(message)
    return reading.bars()


class Reading:
    """Bars that grow with a task's commits. `seq` is the log position of the last one taken."""

    def __init__(self) -> None:
        self.seq = 0
        self._task: Task | None = None
        self._done: list[Bar] = []
        self._opened: dict[int, Bar] = {}

    @property
    def weight(self) -> int:
        """Roughly how many things it keeps."""
        return len(self._done) + (len(self._task.subtasks) if self._task is not None else 0)

    def take(self, message: Stored) -> None:
        """Take the task's next commit; what cannot be read is passed over, as by every fold."""
        self.seq = message.seq
        try:
            commit = decode(message.body)
        except Undecodable:
            return
        if self._task is not None:
            self._task.changed.clear()
        task = self._task = apply(self._task, commit, message.seq, digest(message.body))
        if task is None or not commit.decisions:
            return
        at = commit.decisions[-1].at
        numbers = task.changed if self._done or self._opened else range(1, len(task.subtasks) + 1)
        for number in sorted(numbers):
            self._turn(task.subtasks[number - 1], at)

    def bars(self) -> list[Bar]:
        """Return what is known by now, ordered by subtask and time."""
        return sorted([*self._done, *self._opened.values()], key=lambda bar: (bar.number, bar.start))

    def _turn(self, subtask: Subtask, at: datetime) -> None:
        """Close a subtask's bar when it no longer tells what it does, and open the next one."""
        doing = _doing(subtask)
        bar = self._opened.get(subtask.number)
        if bar is not None and (bar.doing, bar.attempt) == (doing, subtask.attempt):
            self._opened[subtask.number] = replace(bar, badge=badge_of(subtask))
            return
        if bar is not None:
            self._done.append(replace(self._opened.pop(subtask.number), end=at, badge=_end(bar, subtask)))
        if doing is not None:
            executor = subtask.claim.executor if subtask.claim is not None else ""
            self._opened[subtask.number] = Bar(
                subtask.number, doing, at, None, subtask.attempt, badge_of(subtask), executor, subtask.generation
            )


HANDED_BACK: Final = Badge("◌", "Lost or handed back", "wait")
UNDONE: Final = Badge("↺", "Undone", "idle")


def _end(bar: Bar, subtask: Subtask) -> Badge:
    """Return how a bar ended: an attempt may end without an outcome, and what was undone may be to run again."""
    if subtask.status is SubtaskStatus.READY and subtask.retry_at is None and bar.doing is not Doing.WAIT:
        return UNDONE if bar.doing is Doing.UNDO else HANDED_BACK
    return badge_of(subtask)


def _doing(subtask: Subtask) -> Doing | None:
    match subtask.status:
        case SubtaskStatus.READY:
            return Doing.WAIT
        case SubtaskStatus.RUNNING | SubtaskStatus.CANCELING:
            undoing = subtask.claim is not None and subtask.claim.phase == "undo"
            return Doing.UNDO if undoing else Doing.EXECUTE
        case _:
            return None
