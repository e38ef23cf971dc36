"""Events: what happened to a task, in the words the log keeps for ever.

Wire names are our own dotted words. A field is never renamed or given another meaning; golden files under
`tests/unit/messages/golden` pin every version. `docs/events.md` has a row for each.
"""

import operator
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shared.task.plan import PlannedSubtask


class Event(BaseModel):
    """What happened. Frozen; unknown fields are refused, unknown types are skipped by the fold."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Wired(BaseModel):
    """A part of an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ObjectRef(Wired):
    """What a task is about: a host, a cluster, a tenant, a bucket."""

    kind: str
    id: str | None = None
    name: str


class Problem(Wired):
    """Why something failed: `kind` for programs, `message` one sentence for people."""

    kind: str
    message: str
    detail: dict[str, Any] | None = None


class Item(Wired):
    """The work item a claim rides on: WORK's creation stamp and the item's stream sequence, not its subject.

    `delivery` counts how often the item had been handed out: a hand-out that is not newer takes nothing over.
    """

    stamp: str
    seq: int
    delivery: int = 1

    def again(self, earlier: "Item") -> bool:
        """Whether this is the same item, handed out once more."""
        return self.seq == earlier.seq and self.stamp == earlier.stamp and self.delivery > earlier.delivery


class PlanRef(Wired):
    """Where an oversized inline plan lies in the object store, and its hash."""

    object: str
    sha256: str
    bytes: int


class TaskCreated(Event):
    """A task exists; it has no subtasks yet."""

    type: Literal["task.created"] = "task.created"
    name: str
    task_type: str
    type_version: int | None = None
    params: dict[str, Any] = {}
    object: ObjectRef | None = None
    labels: dict[str, str] = {}
    parent: int | None = None
    pool: str
    plan_ref: PlanRef | None = None
    standing: Annotated[bool, Field(exclude_if=operator.not_)] = False
    """It has no subtasks of its own: it is RUNNING until it is cancelled, and children do its work."""


class TaskPlanned(Event):
    """One part of the plan; the task is READY once all `parts` of one `plan_id` are there."""

    type: Literal["task.planned"] = "task.planned"
    plan_id: str
    part: int = 1
    parts: int = 1
    concurrency: int
    prohibit_rollback: bool = False
    subtasks: tuple[PlannedSubtask, ...]


class TaskPlanFailed(Event):
    """No plan can be made; the task has FAILED."""

    type: Literal["task.plan_failed"] = "task.plan_failed"
    problem: Problem


class SubtaskStarted(Event):
    """An executor claimed the subtask. The commit's stream sequence is the claim's fence."""

    type: Literal["subtask.started"] = "subtask.started"
    subtask: int
    generation: int
    attempt: int
    phase: Literal["execute", "undo"]
    executor: str
    incarnation: str
    item: Item


class SubtaskSucceeded(Event):
    """The operation did its work."""

    type: Literal["subtask.succeeded"] = "subtask.succeeded"
    subtask: int
    fence: int
    output: Any = None
    output_ref: dict[str, Any] | None = None


class SubtaskUndone(Event):
    """The undo did its work: in a rollback the subtask is PENDING again, before a retry it may now execute."""

    type: Literal["subtask.undone"] = "subtask.undone"
    subtask: int
    fence: int


class SubtaskFailed(Event):
    """The operation, or its undo, failed for good."""

    type: Literal["subtask.failed"] = "subtask.failed"
    subtask: int
    fence: int
    problem: Problem


class SubtaskRetryScheduled(Event):
    """The operation failed and will be tried again by itself, not before `retry_at` (seconds since the epoch)."""

    type: Literal["subtask.retry_scheduled"] = "subtask.retry_scheduled"
    subtask: int
    fence: int
    problem: Problem
    retry_at: float


class SubtaskCancelled(Event):
    """What ran was stopped on request."""

    type: Literal["subtask.cancelled"] = "subtask.cancelled"
    subtask: int
    fence: int


class SubtaskLost(Event):
    """The executor that held the claim is gone; the subtask is READY to run again with the same token."""

    type: Literal["subtask.lost"] = "subtask.lost"
    subtask: int
    fence: int


class SubtaskReleased(Event):
    """An executor that is going away handed the subtask back unfinished."""

    type: Literal["subtask.released"] = "subtask.released"
    subtask: int
    fence: int


class Turn(Event):
    """An operator's command took effect. `turn` counts them, so that a copied event changes nothing (I3)."""

    type: str
    turn: int


class TaskRetried(Turn):
    """Every failed subtask runs again, one generation up."""

    type: Literal["task.retried"] = "task.retried"


class TaskSkipped(Turn):
    """Every failed subtask counts as done."""

    type: Literal["task.skipped"] = "task.skipped"


class TaskCancelRequested(Turn):
    """Nothing new starts; what runs is being stopped."""

    type: Literal["task.cancel_requested"] = "task.cancel_requested"


class TaskRollbackRequested(Turn):
    """What has started is undone in reverse order."""

    type: Literal["task.rollback_requested"] = "task.rollback_requested"


class TaskDeleted(Turn):
    """The ended task is out of the lists; its history stays."""

    type: Literal["task.deleted"] = "task.deleted"


class SubtaskRetried(Turn):
    """The failed subtask runs again, one generation up."""

    type: Literal["subtask.retried"] = "subtask.retried"
    subtask: int


class SubtaskSkipped(Turn):
    """The failed subtask counts as done."""

    type: Literal["subtask.skipped"] = "subtask.skipped"
    subtask: int


class SubtaskCancelRequested(Turn):
    """What the subtask runs is being stopped."""

    type: Literal["subtask.cancel_requested"] = "subtask.cancel_requested"
    subtask: int


class TaskFinished(Event):
    """The task has ended in this commit. Says what the fold already knows, for readers that do not fold."""

    type: Literal["task.finished"] = "task.finished"
    state: Literal["SUCCESSFUL", "FAILED", "CANCELLED"]
    operation: Literal["EXECUTE", "RETRY", "ROLLBACK"]


class UnknownEvent(BaseModel):
    """An event of a type this version does not know. Skipped and counted, kept as it is."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str


TaskEvent = (
    TaskCreated
    | TaskPlanned
    | TaskPlanFailed
    | SubtaskStarted
    | SubtaskSucceeded
    | SubtaskUndone
    | SubtaskFailed
    | SubtaskRetryScheduled
    | SubtaskCancelled
    | SubtaskLost
    | SubtaskReleased
    | TaskRetried
    | TaskSkipped
    | TaskCancelRequested
    | TaskRollbackRequested
    | TaskDeleted
    | SubtaskRetried
    | SubtaskSkipped
    | SubtaskCancelRequested
    | TaskFinished
)

AnyEvent = TaskEvent | UnknownEvent

EVENT_TYPES: frozenset[str] = frozenset(model.model_fields["type"].default for model in get_args(TaskEvent))

event_adapter: TypeAdapter[TaskEvent] = TypeAdapter(Annotated[TaskEvent, Field(discriminator="type")])
