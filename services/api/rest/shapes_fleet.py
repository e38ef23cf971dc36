"""The shapes of executors and queues, for the OpenAPI document and for the tests that hold answers against them."""

from datetime import datetime
from typing import Any, Final

from pydantic import Field

from services.api.rest.schemas import Shape


class RunShape(Shape):
    """An attempt that runs now, with what its operation last said of how far it is."""

    task: int
    subtask: int
    progress: float | None = Field(None, description="From 0 to 1.")
    note: str | None = None


class ExecutorShape(Shape):
    """An executor process, as it says it is; times are by its own clock."""

    incarnation: str
    name: str
    host: str
    pid: int
    version: str | None = None
    pools: list[str]
    slots: int
    busy: int = Field(description="How many slots are taken.")
    draining: bool = Field(description="It takes no new work; with `busy` 0 it can be stopped.")
    drained_by: str | None = None
    draining_since: datetime | None = None
    started_at: datetime
    heard_at: datetime
    running: list[RunShape] = Field(description="Those of the tasks that the caller may see.")


class ExecutorsShape(Shape):
    """The executors that are alive."""

    contents: list[ExecutorShape]


class QueueShape(Shape):
    """How deep a pool's queue is."""

    pool: str
    waiting: int = Field(description="Items that no executor was given yet.")
    in_hand: int = Field(description="Items in executors' hands, or put off until a retry is due.")
    oldest_at: datetime | None = Field(None, description="Since when the oldest of those that wait does.")
    oldest_task: int | None = Field(None, description="Whose it is; only for callers who see all teams' tasks.")


class QueuesShape(Shape):
    """Every pool that anything is offered in, or that something waits for."""

    contents: list[QueueShape]


INCARNATION: Final[list[dict[str, Any]]] = [
    {"name": "incarnation", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
]
