"""What Huawei's clients are answered (specification §7): field names and number types to the letter, times in ms."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from services.api.rest.huawei.bodies import LABEL
from services.api.synchronisation import Counts
from shared.task.state import Task, TaskState

STATUS: Final[Mapping[TaskState, str]] = {TaskState.RUNNING: "SYNCHRONIZING", TaskState.CANCELLED: "STOPPED"}
"""A standing task has no other state."""
_OVERWRITE: Final = {
    "newer": "SIZE_LAST_MODIFIED_COMPARISON_OVERWRITE",
    "always": "FULL_OVERWRITE",
    "never": "NO_OVERWRITE",
}
Mode = Literal["SIZE_LAST_MODIFIED_COMPARISON_OVERWRITE", "FULL_OVERWRITE", "NO_OVERWRITE"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Failed(_Shape):
    """A refusal."""

    error_msg: str
    error_code: str


class Created(_Shape):
    """The new task."""

    sync_task_id: str


class SyncTaskInfo(_Shape):
    """A synchronisation task as lists show it; absent values are left out."""

    sync_task_id: str
    src_cloud_type: str
    src_region: str
    src_bucket: str
    create_time: int
    last_start_time: int
    dst_bucket: str
    dst_region: str
    description: str
    status: Literal["SYNCHRONIZING", "STOPPED"]
    enable_metadata_migration: bool
    enable_restore: bool
    app_id: str | None = None
    object_overwrite_mode: Mode
    dst_storage_policy: str | None = None
    consistency_check: Literal["size_last_modified"]


class SyncTaskDetails(SyncTaskInfo):
    """The same with the counts of a calendar month (UTC)."""

    monthly_acceptance_request: int
    monthly_success_object: int
    monthly_failure_object: int
    monthly_skip_object: int
    monthly_size: int


class SyncTaskList(_Shape):
    """A page of them; `count` is how many there are."""

    tasks: list[SyncTaskInfo]
    count: int


class StatisticData(_Shape):
    """How much happened from a time on."""

    time_stamp: int
    statistic_num: int


class StatisticTypeData(_Shape):
    """A series; times at which nothing happened are left out."""

    data_type: Literal["REQUEST", "SUCCESS", "FAILURE", "SKIP", "SIZE"]
    data: list[StatisticData]


class Statistics(_Shape):
    """The series that were asked for."""

    sync_task_id: str
    statistic_time_type: Literal["FIVE_MINUTES", "ONE_HOUR"]
    statistic_datas: list[StatisticTypeData]


def info(task: Task) -> dict[str, Any]:
    """Return a SyncTaskInfo."""
    params, said = task.params, {k.removeprefix(LABEL): v for k, v in task.labels.items() if k.startswith(LABEL)}
    shown = {
        "sync_task_id": str(task.id),
        "src_cloud_type": said.get("src_cloud_type", ""),
        "src_region": said.get("src_region", ""),
        "src_bucket": _text(params.get("source")),
        "create_time": _ms(task.created_at),
        "last_start_time": _ms(task.started_at or task.created_at),
        "dst_bucket": _text(params.get("destination")),
        "dst_region": said.get("dst_region", ""),
        "description": _text(params.get("description")),
        "status": STATUS.get(task.state, "STOPPED"),
        "enable_metadata_migration": params.get("metadata", True) is True,
        "enable_restore": False,
        "app_id": said.get("app_id"),
        "object_overwrite_mode": _OVERWRITE.get(_text(params.get("overwrite")), _OVERWRITE["newer"]),
        "dst_storage_policy": said.get("dst_storage_policy"),
        "consistency_check": "size_last_modified",
    }
    return {name: value for name, value in shown.items() if value is not None}


def details(task: Task, counts: Counts) -> dict[str, Any]:
    """Return the answer of show."""
    return {
        **info(task),
        "monthly_acceptance_request": counts.requested,
        "monthly_success_object": counts.synced,
        "monthly_failure_object": counts.failed,
        "monthly_skip_object": counts.ignored,
        "monthly_size": counts.bytes,
    }


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
