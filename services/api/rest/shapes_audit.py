"""The shapes of the audit's answers."""

from datetime import datetime
from typing import Literal

from services.api.rest.schemas import By, Shape


class AuditError(Shape):
    """Why the command was refused."""

    code: int
    message: str


class AuditEntry(Shape):
    """A decision on an operator's command; `subtask` is the subtask's id, `n` the decision's place in its commit."""

    seq: int
    n: int
    at: datetime
    by: By
    command: str
    task: int
    task_name: str | None = None
    subtask: int | None = None
    reason: str | None = None
    outcome: Literal["accepted", "refused"]
    error: AuditError | None = None
    team: str | None = None


class AuditPage(Shape):
    """A page of decisions; `next` goes into `after`, null at the end."""

    contents: list[AuditEntry]
    next: str | None


class BrokenLink(Shape):
    """A commit that is not what was written at its log position."""

    seq: int
    message: str


class ChainShape(Shape):
    """What following a task's hash chain found; `witnessed` is how far the view vouches for its end."""

    task: int
    whole: bool
    commits: int
    seq: int
    head: str
    broken: list[BrokenLink]
    witnessed: int | None = None
