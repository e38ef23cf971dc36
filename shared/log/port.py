"""What the log asks of whatever stores it, and what it answers to those who use it.

A storage appends one message to one task's subject if the subject's last sequence is the expected one, and reads a
subject back in order. It knows nothing of commits' contents.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from shared.messages.commit import By
from shared.task.decide import Verdict
from shared.task.state import KeyUse, Task


class LogUnavailable(Exception):  # noqa: N818  what the world did
    """The log cannot be reached or does not answer in time.

    `maybe` tells whether the command may have been stored, or may still be: repeating it with its key tells the truth.
    """

    def __init__(self, message: str, *, maybe: bool) -> None:
        super().__init__(message)
        self.maybe = maybe


class LogRefused(LogUnavailable):
    """The stream takes nothing for a reason that waiting does not mend, such as a full store (T14)."""

    def __init__(self, message: str, *, maybe: bool = False) -> None:
        super().__init__(message, maybe=maybe)


class LogTooNew(LogUnavailable):
    """The task's log holds commits of a newer version: this program must not decide on it, only a newer one can."""

    def __init__(self, message: str) -> None:
        super().__init__(message, maybe=False)


class CommitTooLarge(Exception):  # noqa: N818  a fact about the decision
    """One decision alone does not fit into a commit."""


class Conflict(Exception):  # noqa: N818  a lost race, handled by `transact` alone
    """The subject's last sequence is not the expected one."""


class Duplicate(Conflict):
    """A message with this id was stored before; whether it is this very one, the log itself must say (T6)."""


class Ambiguous(Exception):  # noqa: N818  what the world did, handled by `transact` alone
    """No answer came: the message may be stored, now or later (T3, T5)."""


class NotStored(Exception):  # noqa: N818  what the world did, handled by `transact` alone
    """The message was surely not stored; trying again is safe."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message of the log. `stored_at` is the server's time."""

    seq: int
    id: str
    body: bytes
    stored_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


class Storage(Protocol):
    """One subject per task, appended to conditionally."""

    async def append(self, task_id: int, commit_id: str, body: bytes, expected: int) -> int:
        """Store the body and return its sequence; raise `Conflict`, `Ambiguous` or `NotStored`.

        Appending the same id again is answered with `Duplicate` or with `Conflict` (T6). `LogRefused` ends all trying.
        """

    async def read(self, task_id: int, after: int = 0, *, limit: int | None = None) -> list[Stored]:
        """Return the task's messages behind sequence `after`, in order, as the leader has them; raise `NotStored`."""

    async def last(self, task_id: int) -> int:
        """Return the leader's last sequence of the task's subject, 0 when there is none; raise `NotStored`."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a decision carries besides its events: who, when, why, and the idempotency key hashed with the principal."""

    id: str
    at: datetime
    by: By
    reason: str | None = None
    key: str | None = None
    body_hash: str | None = None
    command: str | None = None
    """The command's word. With it a refusal on an existing task is recorded; without it nothing is."""


@dataclass(frozen=True, slots=True)
class Transacted:
    """What a transaction brought about. `seq` is the commit's sequence: the fence of the claims it made.

    `replayed` is set when the note's key had been used before with the same body; then nothing was decided anew.
    """

    task: Task
    seq: int
    verdict: Verdict | None
    replayed: KeyUse | None = None


Decide = Callable[[Task | None], Verdict]
