"""The shapes of answers, for the OpenAPI document and for the tests that hold answers against them.

Answers are written by `render.py` without these models, which would cost every request. Fields are OCP's where OCP has
them (specification §2.2); an absent value is left out.
"""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.task.plan import OperationCard, TypeCard

T = TypeVar("T")
Status = Literal["RUNNING", "SUCCESSFUL", "FAILED"]
State = Literal["INITIALIZING", "READY", "RUNNING", "SUCCESSFUL", "FAILED", "CANCELLED"]
SubtaskStatus = Literal["PENDING", "READY", "RUNNING", "CANCELING", "FAILED", "SUCCESSFUL"]
SubtaskOperation = Literal["EXECUTE", "RETRY", "ROLLBACK", "SKIP", "CANCEL"]
TaskOperation = Literal["EXECUTE", "RETRY", "ROLLBACK"]
Direction = Literal["FORWARD", "BACKWARD"]


class Shape(BaseModel):
    """Strict on purpose: a field that is not described here fails a test."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class _Envelope(Shape):
    timestamp: datetime
    duration: int = Field(ge=0, description="milliseconds")
    status: int
    trace_id: str = Field(pattern="^[0-9a-f]{16}$")
    server: str


class Answer(_Envelope, Generic[T]):
    """A good answer."""

    successful: Literal[True]
    data: T


class Quiet(_Envelope, Generic[T]):
    """A good answer that has data only when the caller asks for it."""

    successful: Literal[True]
    data: T | None = None


class SubError(Shape):
    """One field that does not fit; `field` is a JSON pointer into the body."""

    object: str
    field: str
    message: str


class ErrorBody(Shape):
    """What went wrong; `target` says what it is about and what is allowed now.

    `debug_message` is the English message when `message` is in another language.
    """

    code: int
    message: str
    debug_message: str | None = None
    target: dict[str, Any] | None = None
    sub_errors: list[SubError] | None = None


class Failure(_Envelope):
    """A refusal."""

    successful: Literal[False]
    error: ErrorBody


class Creator(Shape):
    """Who created the task."""

    id: int
    name: str


class Cluster(Shape):
    """The cluster a task is about."""

    id: int | None = None
    name: str
    ob_cluster_id: int | None = None
    type: Literal["PRIMARY", "STANDBY"] | None = None


class Tenant(Shape):
    """The tenant a task is about."""

    id: int | None = None
    name: str
    ob_tenant_id: int | None = None
    mode: Literal["ORACLE", "MYSQL"] | None = None


class ObjectShape(Shape):
    """What the task is about."""

    kind: str
    id: str | None = None
    name: str


class ProblemShape(Shape):
    """Why something failed."""

    kind: str
    message: str
    detail: dict[str, Any] | None = None


class BasicSubtask(Shape):
    """BasicSubtaskInstance."""

    id: int
    name: str
    description: str
    status: SubtaskStatus
    operation: SubtaskOperation


class ClaimShape(Shape):
    """An executor's hold on a subtask; `fence` is the log position of the claim."""

    fence: int
    executor: str
    incarnation: str
    phase: Literal["execute", "undo"]


class SubtaskInstance(BasicSubtask):
    """SubtaskInstance, ours beside it from `key` on."""

    series_id: int
    timeout: int = Field(description="seconds")
    run_time: int = Field(ge=1)
    node_type: Literal["JAVA_TASK"]
    parallel_idx: Literal[-1]
    upstreams: list[int]
    downstreams: list[int]
    prohibit_rollback: bool
    executor: str | None = None
    create_time: datetime
    start_time: datetime | None = None
    finish_time: datetime | None = None
    key: str
    operation_name: str
    params: dict[str, Any]
    pool: str
    delivery: Literal["at_least_once", "at_most_once"]
    generation: int
    attempt: int
    allowed: list[str]
    claim: ClaimShape | None = None
    output: Any = None
    output_ref: dict[str, Any] | None = None
    error: ProblemShape | None = None
    retry_at: datetime | None = None


class OdcColumns(Shape):
    """A script or mock data as ODC lists it; only when its dialect is asked for."""

    connection: str | None = None
    task_name: str
    task_type: Literal["ASYNC", "MOCKDATA"]
    created_at: datetime
    status: Literal["Preparing", "Running", "Aborted", "Completed", "Failed"]
    task_status: str
    flow_status: str
    actions: list[Literal["View", "Abort", "Delete"]]


class _Task(Shape):
    id: int
    name: str
    creator: Creator
    cluster: Cluster | None = None
    tenant: Tenant | None = None
    object: ObjectShape | None = None
    type: Literal["MANUAL"]
    status: Status
    status_label: str | None = Field(None, description="the state in the words of the dialect asked for")
    odc: OdcColumns | None = None
    operation: TaskOperation
    create_time: datetime
    start_time: datetime | None = None
    finish_time: datetime | None = None
    state: State
    direction: Direction
    task_type: str
    labels: dict[str, str]
    version: int
    log_seq: int
    parent: int | None = None
    error: ProblemShape | None = None


class StateShape(Shape):
    """A task before or after a command."""

    state: State
    status: Status
    direction: Direction
    version: int


class SubtaskState(Shape):
    """A subtask before or after a command."""

    status: SubtaskStatus
    operation: SubtaskOperation


class TouchedSubtask(Shape):
    """A subtask that a command would change at once; those of a task yet to be have no id."""

    id: int | None = None
    key: str
    name: str
    before: SubtaskState | None = None
    after: SubtaskState


class RefusalShape(Shape):
    """Why a command would be refused, and what is allowed now."""

    code: int
    message: str
    target: dict[str, Any]


class ForeseenSubtask(Shape):
    """A step of a plan that an executor would make."""

    key: str
    name: str
    operation: str
    pool: str
    upstreams: list[str]


class ForeseenPlan(Shape):
    """What an executor says of a typed task's plan; without subtasks when they are too many, or it would refuse."""

    total: int | None = None
    concurrency: int | None = None
    subtasks: list[ForeseenSubtask] | None = None
    refused: str | None = None


class Preview(Shape):
    """A dry run's answer: nothing was stored."""

    dry_run: Literal[True]
    command: str
    accepted: bool
    task: int | None = None
    before: StateShape | None = None
    after: StateShape | None = None
    events: list[dict[str, Any]] | None = None
    subtasks: list[TouchedSubtask] | None = None
    refusal: RefusalShape | None = None
    plan: ForeseenPlan | None = None


class Counts(Shape):
    """How many subtasks there are, and how many in each status."""

    total: int
    pending: int
    ready: int
    running: int
    canceling: int
    failed: int
    successful: int


class BasicTask(_Task):
    """BasicTaskInstance; `step` names the subtask the task is at."""

    subtasks: list[BasicSubtask]
    subtasks_omitted: Literal[True] | None = None
    counts: Counts
    step: str | None = None


class AtShape(Shape):
    """The last commit that counts: its log position and the time of its decision."""

    seq: int
    time: datetime


class TaskDetails(_Task):
    """WrappedTaskInstance, ours beside it."""

    task_definition_id: Literal[-1]
    prohibit_rollback: bool
    executor: str | None = None
    subtasks: list[SubtaskInstance]
    params: dict[str, Any]
    concurrency: int
    allowed: list[str]
    task_type_version: int | None = None
    deleted: Literal[True] | None = None
    standing: Literal[True] | None = None
    at: AtShape | None = Field(default=None, description="only when the task is shown as it was")


class PageAbout(Shape):
    """Where in the list; `totalExact` is false when counting stopped early.

    `next` goes into `cursor` and gives what comes behind this page; it is left out at the end.
    """

    total_elements: int
    total_pages: int
    total_page: int
    number: int = Field(ge=1)
    size: int = Field(ge=1, le=2000)
    total_exact: Literal[False] | None = None
    next: str | None = None


class TaskPage(Shape):
    """A page of tasks."""

    contents: list[BasicTask]
    page: PageAbout


class By(Shape):
    """Who decided, and through which door."""

    kind: str
    name: str
    via: str | None = None


class HistoryEntry(Shape):
    """One decision, or a commit that cannot be read."""

    seq: int
    at: datetime
    by: By | None = None
    decision: str | None = None
    outcome: Literal["accepted", "refused", "unreadable", "ignored"]
    was: Literal["accepted", "refused"] | None = Field(default=None, description="what an ignored one says of itself")
    reason: str | None = None
    events: list[dict[str, Any]]
    refusal: dict[str, Any] | None = None
    error: ProblemShape | None = None


class History(Shape):
    """A page of decisions; `next` goes into `after`, or with order=desc into `before`; null at the end."""

    contents: list[HistoryEntry]
    next: int | None


class LogShape(Shape):
    """Everything a subtask printed."""

    log: str


class TypeCards(Shape):
    """Task types on offer."""

    contents: list[TypeCard]


class OperationCards(Shape):
    """Operations on offer."""

    contents: list[OperationCard]


class Live(Shape):
    """The process answers."""

    status: Literal["up"]


class Resource(Shape):
    """One resource's own ping."""

    ok: bool
    ms: float | None = None
    detail: str | None = None
    lag: int | None = None


class Ready(Shape):
    """Which resources answer."""

    status: Literal["up", "degraded"]
    resources: dict[str, Resource]
