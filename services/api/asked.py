"""What is asked of `Commands` and what it answers: who, which command, how it ended. The words of all doors.

A command on a task is named by its word (`retry`, `skip`, `cancel`, `rollback`, `delete`), one on a subtask by its
word and the subtask's number. Knows no door and no storage.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, StringConstraints

from services.api.access import Principal, Teams
from services.api.creation import Creation
from services.api.keys import hashed
from shared.log.port import Note
from shared.messages.commit import By
from shared.runtime.clock import commit_id, now
from shared.task import commands as cmd
from shared.task.events import TaskEvent
from shared.task.refusals import Refusal
from shared.task.state import Task
from shared.task.text import readable

Reason = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True), AfterValidator(readable)]
"""Why somebody commands something."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ON_TASK: Final[dict[str, Any]] = {
    "retry": cmd.RetryTask,
    "skip": cmd.SkipTask,
    "cancel": cmd.CancelTask,
    "rollback": cmd.RollBackTask,
    "delete": cmd.DeleteTask,
}
_ON_SUBTASK: Final[dict[str, Any]] = {
    "retry": cmd.RetrySubtask,
    "skip": cmd.SkipSubtask,
    "cancel": cmd.CancelSubtask,
}
TASK_WORDS: Final = tuple(_ON_TASK)
SUBTASK_WORDS: Final = tuple(_ON_SUBTASK)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, through which door (rest, bus, cli, console), under which idempotency key, and why.

    `teams` are those whose tasks the caller sees; None: everybody's.
    """

    name: str
    via: str
    key: str | None = None
    reason: str | None = None
    teams: Teams = None

    @classmethod
    def by(cls, principal: Principal, via: str, key: str | None = None, reason: str | None = None) -> "Asked":
        """Return what somebody whose credential was verified asks."""
        return cls(principal.name, via, key, reason, principal.teams)

    @property
    def digest(self) -> str | None:
        """The key as it is stored, or None."""
        return hashed(self.name, self.key) if self.key is not None else None

    def note(self, body_hash: str, word: str | None = None) -> Note:
        """Return what the commit says besides its events."""
        by = By(kind="user", name=self.name, via=self.via)
        key = self.digest
        return Note(commit_id(), now(), by, self.reason, key, body_hash if key is not None else None, word)


@dataclass(frozen=True, slots=True)
class Create:
    """Create a task from a body as a caller sent it. `creation`: what it was found to ask for, if that is known."""

    body: Any
    creation: Creation | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """Do what an operator wants with a task that is there. `word` names the command, `body` is what was sent."""

    task_id: int
    word: str
    command: cmd.OperatorCommand
    body: Any = None


def act(task_id: int, word: str, number: int | None = None, *, version: int | None = None, body: Any = None) -> Act:
    """Return the command of this word on the task, or on its subtask `number`. Raises KeyError for no such word.

    `version` is what the caller last saw (`If-Match`); `body` tells one use of an idempotency key from another.
    """
    if number is None:
        return Act(task_id, word, _ON_TASK[word](_EPOCH, version), body)
    command = _ON_SUBTASK[word](_EPOCH, version, number=number)
    return Act(task_id, f"subtask.{word}", command, {"subtask": number, "body": body})


@dataclass(frozen=True, slots=True)
class Done:
    """What a command led to. `replayed`: its key had been used with the same body; this is the first use's outcome."""

    task: Task
    seq: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a command would lead to, had it been meant: nothing was stored.

    `before` is None for a creation, `after` for a refusal; `touched` are the numbers of the subtasks that would change
    at once.
    """

    word: str
    before: Task | None
    after: Task | None = None
    events: list[TaskEvent] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)
    refusal: Refusal | None = None
