"""What reads of the view give: frozen rows with their JSON parsed. Knows no SQL and no wire dialect.

`Details.task_state` builds the task again as far as the rows hold it, so that `shared.task.allowed` can be asked what
is legal now without a look at the log.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, Self, cast

from pydantic_core import from_json

from services.api.projection.page import Cursor
from shared.task.events import Item, ObjectRef, Problem
from shared.task.plan import Delivery, PlannedSubtask, RetryPolicy, UndoPlan
from shared.task.state import Actor, Claim, Direction, Operation, Subtask, SubtaskStatus, Task, TaskState

_JSON = frozenset(
    {"labels", "params", "plan_ref", "problem", "upstreams", "downstreams", "retry", "undo", "output", "output_ref"}
)
_ENUMS: dict[str, Any] = {"state": TaskState, "direction": Direction, "operation": Operation, "status": SubtaskStatus}


class _Row:
    """A row of one table."""

    __slots__ = ()

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Return the names of the columns that `of` takes, in this order."""
        return tuple(field.name for field in fields(cls))  # type: ignore[arg-type]

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Return the row with its JSON parsed and its words made enums."""
        values = list(row)
        for place, value_of in _decoders(cast("Any", cls)):
            if values[place] is not None:
                values[place] = value_of(values[place])
        return cls(*values)


@cache
def _decoders(kind: type[_Row]) -> list[tuple[int, Callable[[Any], Any]]]:
    """Return how the values at some places are read; a wide task has 5,000 rows, so these are looked up once."""
    found: list[tuple[int, Callable[[Any], Any]]] = []
    for place, name in enumerate(kind.columns()):
        if name in _JSON:
            found.append((place, from_json))
        elif name in _ENUMS:
            found.append((place, {member.value: member for member in _ENUMS[name]}.__getitem__))
    return found


@dataclass(frozen=True, slots=True)
class TaskRow(_Row):
    """One task. `seq` is the log position of its last commit, `step` the name of the subtask it is at."""

    id: int
    created_seq: int
    name: str
    type: str
    type_version: int | None
    pool: str
    creator_kind: str
    creator_name: str
    creator_via: str | None
    object_kind: str | None
    object_id: str | None
    object_name: str | None
    labels: dict[str, str]
    params: dict[str, Any]
    parent: int | None
    plan_ref: dict[str, Any] | None
    created_at: datetime
    state: TaskState
    operation: Operation
    direction: Direction
    concurrency: int
    prohibit_rollback: bool
    cancelled: bool
    deleted: bool
    turn: int
    version: int
    seq: int
    ignored: int
    started_at: datetime | None
    finished_at: datetime | None
    problem: dict[str, Any] | None
    total: int
    pending: int
    ready: int
    running: int
    canceling: int
    failed: int
    successful: int
    active: int
    step_number: int | None
    step: str | None


@dataclass(frozen=True, slots=True)
class SubtaskRow(_Row):
    """One subtask. `operation_name` is what it runs, `operation` what is being done with it (EXECUTE, RETRY, …).

    `upstreams` and `downstreams` are numbers within the task; `retry_at` is in seconds since 1970.
    """

    task_id: int
    number: int
    key: str
    name: str
    description: str | None
    operation_name: str
    params: dict[str, Any]
    upstreams: list[int]
    downstreams: list[int]
    timeout_s: float
    pool: str
    delivery: str
    retry: dict[str, Any] | None
    undo: dict[str, Any] | None
    own_undo: bool
    can_retry: bool
    can_skip: bool
    can_cancel: bool
    prohibit_rollback: bool
    status: SubtaskStatus
    operation: Operation
    generation: int
    attempt: int
    run_time: int
    tries: int
    executor: str | None
    incarnation: str | None
    fence: int | None
    phase: str | None
    touched: bool
    to_undo: bool
    undo_first: bool
    retry_at: float | None
    output: Any
    output_ref: dict[str, Any] | None
    problem: dict[str, Any] | None
    ready_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class SubtaskBrief(_Row):
    """What a list shows of a subtask."""

    task_id: int
    number: int
    key: str
    name: str
    description: str | None
    status: SubtaskStatus
    operation: Operation


@dataclass(frozen=True, slots=True)
class Details:
    """A task with its subtasks in number order, read at one moment."""

    task: TaskRow
    subtasks: list[SubtaskRow]

    def task_state(self) -> Task:
        """Return the task as far as the rows hold it: enough for `allowed_on_task` and `allowed_on_subtask`."""
        row = self.task
        return Task(
            id=row.id,
            name=row.name,
            type=row.type,
            creator=Actor(row.creator_kind, row.creator_name, row.creator_via),
            created_at=row.created_at,
            pool=row.pool,
            type_version=row.type_version,
            params=row.params,
            object=(
                ObjectRef(kind=row.object_kind, id=row.object_id, name=row.object_name or "")
                if row.object_kind is not None
                else None
            ),
            labels=row.labels,
            parent=row.parent,
            standing=not row.total and row.started_at is not None,
            state=row.state,
            operation=row.operation,
            direction=row.direction,
            concurrency=row.concurrency,
            prohibit_rollback=row.prohibit_rollback,
            started_at=row.started_at,
            finished_at=row.finished_at,
            problem=_problem(row.problem),
            cancelled=row.cancelled,
            deleted=row.deleted,
            turn=row.turn,
            subtasks=[_subtask(found) for found in self.subtasks],
            counts={status: getattr(row, status.value.lower()) for status in SubtaskStatus},
            created_seq=row.created_seq,
            seq=row.seq,
            version=row.version,
            ignored=row.ignored,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """One page of tasks, `number` from 1. `total_exact`: nothing stopped the count; `next` is None at the end."""

    contents: list[TaskRow]
    number: int
    size: int
    total: int
    total_exact: bool
    next: Cursor | None = None

    @property
    def total_pages(self) -> int:
        """How many pages there are."""
        return -(-self.total // self.size)


@dataclass(frozen=True, slots=True)
class SetAside(_Row):
    """A message of the log that could not be read: where it stands and why."""

    seq: int
    subject: str
    reason: str
    message: str
    bytes: int


def _problem(value: dict[str, Any] | None) -> Problem | None:
    return Problem.model_validate(value) if value is not None else None


def _subtask(row: SubtaskRow) -> Subtask:
    plan = PlannedSubtask.model_construct(
        key=row.key,
        name=row.name,
        description=row.description,
        operation=row.operation_name,
        params=row.params,
        upstreams=tuple(row.upstreams),
        timeout_s=row.timeout_s,
        pool=row.pool,
        delivery=cast("Delivery", row.delivery),
        retry=RetryPolicy.model_validate(row.retry) if row.retry is not None else None,
        can_retry=row.can_retry,
        can_skip=row.can_skip,
        can_cancel=row.can_cancel,
        own_undo=row.own_undo,
        undo=UndoPlan.model_validate(row.undo) if row.undo is not None else None,
        prohibit_rollback=row.prohibit_rollback,
    )
    claim = None
    if row.fence is not None:
        item = Item(stamp="", seq=0)  # which work item it rides on is the executors' affair
        claim = Claim(row.fence, row.incarnation or "", row.executor or "", item, row.phase or "execute")
    return Subtask(
        number=row.number,
        plan=plan,
        downstreams=tuple(row.downstreams),
        status=row.status,
        operation=row.operation,
        generation=row.generation,
        attempt=row.attempt,
        run_time=row.run_time,
        tries=row.tries,
        claim=claim,
        executor=row.executor,
        retry_at=row.retry_at,
        touched=row.touched,
        to_undo=row.to_undo,
        undo_first=row.undo_first,
        output=row.output,
        output_ref=row.output_ref,
        problem=_problem(row.problem),
        ready_at=row.ready_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
