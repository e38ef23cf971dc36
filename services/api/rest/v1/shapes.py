"""The shapes of v1's answers, for the OpenAPI document and for the tests that hold answers against them."""

from datetime import datetime
from typing import Literal

from services.api.rest.schemas import PageAbout, Shape, Status, SubtaskOperation, SubtaskStatus, TaskOperation


class V1Creator(Shape):
    """Who created the task."""

    name: str


class V1Tenant(Shape):
    """The tenant a task is about."""

    ob_tenant_id: int | None = None
    name: str


class V1BasicSubtask(Shape):
    """BasicSubtaskInstance."""

    id: int
    name: str
    description: str
    status: SubtaskStatus
    operation: SubtaskOperation | Literal["ROLLBACK_SKIP"]


class V1Subtask(V1BasicSubtask):
    """SubtaskInstance."""

    series_id: int
    timeout: int
    executor: str | None = None
    run_time: int
    node_type: Literal["JAVA_TASK"]
    parallel_idx: int
    upstreams: list[int]
    downstreams: list[int]
    prohibit_rollback: bool
    create_time: datetime
    start_time: datetime | None = None
    finish_time: datetime | None = None


class _V1Task(Shape):
    id: int
    name: str
    creator: V1Creator
    tenant_info: V1Tenant | None = None
    status: Status
    start_time: datetime | None = None
    finish_time: datetime | None = None


class V1BasicTask(_V1Task):
    """BasicTaskInstance."""

    subtasks: list[V1BasicSubtask]


class V1Task(_V1Task):
    """WrappedTaskInstance."""

    task_definition_id: int
    type: Literal["MANUAL"]
    executor: str | None = None
    operation: TaskOperation
    prohibit_rollback: bool
    create_time: datetime
    subtasks: list[V1Subtask]


class V1Page(Shape):
    """A page of tasks."""

    contents: list[V1BasicTask]
    page: PageAbout
