"""What a plan would be: asked of executors before a task is created, over core NATS. Nothing is stored or begun."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.task.plan import PlannedSubtask


class Wish(BaseModel):
    """Parameters of a task that somebody is about to create."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str
    params: dict[str, Any] = {}


class Outlook(BaseModel):
    """The plan an executor would make, without the subtasks' parameters; or why it would make none.

    `known` is false when the executor that answered does not have the type. `total` counts the subtasks, which are left
    out when they are too many for one message.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    known: bool = True
    refused: str | None = None
    total: int = 0
    subtasks: tuple[PlannedSubtask, ...] = ()
    concurrency: int = 10
    prohibit_rollback: bool = False

    def encode(self) -> bytes:
        """Return the JSON form."""
        return self.model_dump_json(exclude_defaults=True).encode()
