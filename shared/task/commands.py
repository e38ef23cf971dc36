"""Commands: what somebody wants to happen to a task. Time and ids come in with them, so that deciding is pure.

Operators' commands are verb + noun; executors' commands speak of claims and reports.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.task.events import Item, ObjectRef, PlanRef, Problem
from shared.task.plan import DEFAULT_POOL, PlannedSubtask
from shared.task.state import Actor


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Begin a task. With `subtasks` it is planned in the same commit, otherwise an executor of `pool` plans it.

    A `standing` one is RUNNING at once and never planned.
    """

    task_id: int
    name: str
    task_type: str
    by: Actor
    at: datetime
    params: dict[str, Any] = field(default_factory=dict)
    object: ObjectRef | None = None
    labels: dict[str, str] = field(default_factory=dict)
    parent: int | None = None
    type_version: int | None = None
    pool: str = DEFAULT_POOL
    plan_ref: PlanRef | None = None
    subtasks: tuple[PlannedSubtask, ...] = ()
    concurrency: int = 10
    prohibit_rollback: bool = False
    standing: bool = False


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """Give the task its subtasks; a plan too large for one commit comes in `parts` under one `plan_id`."""

    plan_id: str
    subtasks: tuple[PlannedSubtask, ...]
    at: datetime
    part: int = 1
    parts: int = 1
    concurrency: int = 10
    prohibit_rollback: bool = False


@dataclass(frozen=True, slots=True)
class FailPlan:
    """No plan can be made."""

    problem: Problem
    at: datetime


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims, and what the claim rides on."""

    incarnation: str
    executor: str
    item: Item


@dataclass(frozen=True, slots=True)
class Claim:
    """Take subtask `number`.

    An item handed out once more may take over the claims that rode on it.
    `owner_gone`: the fence of a claim whose executor is known to be gone (KV `executors`), or None.
    """

    number: int
    claimant: Claimant
    at: datetime
    owner_gone: int | None = None


@dataclass(frozen=True, slots=True)
class ClaimNext:
    """Take the first subtask that this decision made READY and that the claimant can run; none is fine."""

    claimant: Claimant
    pools: frozenset[str]
    operations: frozenset[str]
    at: datetime


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The operation did its work; a large output lies in the object store and is named by `output_ref`."""

    output: Any = None
    output_ref: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Undone:
    """The undo did its work."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The operation failed; `retryable` says whether trying again by itself may help."""

    problem: Problem
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What ran was stopped on request."""


@dataclass(frozen=True, slots=True)
class Released:
    """The executor goes away and hands the subtask back."""


Outcome = Succeeded | Undone | Failed | Cancelled | Released


@dataclass(frozen=True, slots=True)
class Settle:
    """Report how a claimed subtask ended. `fence` names the claim."""

    number: int
    fence: int
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class _Operator:
    at: datetime
    version: int | None = None
    """`If-Match`: the version the caller saw, or None."""


@dataclass(frozen=True, slots=True)
class RetryTask(_Operator):
    """Run every failed subtask again."""


@dataclass(frozen=True, slots=True)
class SkipTask(_Operator):
    """Count every failed subtask as done (OMS)."""


@dataclass(frozen=True, slots=True)
class CancelTask(_Operator):
    """Stop the task."""


@dataclass(frozen=True, slots=True)
class RollBackTask(_Operator):
    """Undo what has started, in reverse order."""


@dataclass(frozen=True, slots=True)
class DeleteTask(_Operator):
    """Hide an ended task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySubtask(_Operator):
    """Run one failed subtask again."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipSubtask(_Operator):
    """Count one failed subtask as done."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSubtask(_Operator):
    """Stop one running subtask."""

    number: int


SubtaskCommand = RetrySubtask | SkipSubtask | CancelSubtask
OperatorCommand = RetryTask | SkipTask | CancelTask | RollBackTask | DeleteTask | SubtaskCommand
ExecutorCommand = RecordPlan | FailPlan | Claim | ClaimNext | Settle
Command = CreateTask | ExecutorCommand | OperatorCommand
