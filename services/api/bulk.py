"""Bulk commands: one command on many tasks, as a task of its own, so that a crash forgets nothing.

The targets are chosen once and stand in the bulk task's plan, a chain of batches whose operation `task.command` asks an
API for each target (`bus/bulk.py`). Types that begin with `bulk.` are made here alone: nobody else can create them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.asked import Reason
from services.api.creation import BULK, Creation
from shared.task.events import ObjectRef
from shared.task.plan import DEFAULT_POOL, PlannedSubtask, RetryPolicy
from shared.task.words import TEAM

OPERATION: Final = "task.command"
MOST: Final = 10_000
"""Targets of one bulk command at most."""
BATCH: Final = 100
"""Targets of one subtask: what a crash or a lost executor asks for once more, and is told again."""
FASTEST: Final = 6000
"""Commands a minute at most, when a pace is given."""
PATIENCE: Final = RetryPolicy(times=20, delay_seconds=30)
"""A batch that finds no API is tried again for ten minutes."""
_SLACK: Final = 3600.0
"""Seconds a batch may take beyond its pace."""


class BulkBody(BaseModel):
    """What a bulk command takes besides its filters; `pace` in commands a minute, as fast as decided without one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Reason | None = None
    pace: Annotated[int, Field(ge=1, le=FASTEST)] | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] | None = None


@dataclass(frozen=True, slots=True)
class Bulk:
    """A command on chosen tasks. `query` is how they were chosen, `team` whose they all are when that matters."""

    word: str
    query: str
    targets: Sequence[int]
    reason: str | None = None
    pace: int | None = None
    team: str | None = None

    def creation(self) -> Creation:
        """Return the task that carries it out."""
        count = len(self.targets)
        said = {"reason": self.reason, "pace": self.pace}
        params = {"word": self.word, "query": self.query, "count": count}
        return Creation(
            name=f"{NAMES[self.word]} {count} task{'s' if count != 1 else ''}",
            task_type=f"{BULK}{self.word}",
            params=params | {name: value for name, value in said.items() if value is not None},
            type_version=None,
            pool=DEFAULT_POOL,
            object=ObjectRef(kind="bulk", name=self.word),
            labels={TEAM: self.team} if self.team is not None else {},
            parent=None,
            subtasks=tuple(self._batch(number) for number in range(1, ceil(count / BATCH) + 1)),
            concurrency=1,
            prohibit_rollback=True,
        )

    def _batch(self, number: int) -> PlannedSubtask:
        first = (number - 1) * BATCH
        targets = list(self.targets[first : first + BATCH])
        params: dict[str, Any] = {"word": self.word, "tasks": targets}
        if self.pace is not None:
            params |= {"pace": self.pace, "follows": number > 1}
        return PlannedSubtask(
            key=f"batch-{number}",
            name=f"{NAMES[self.word]} {first + 1} to {first + len(targets)}",
            operation=OPERATION,
            params=params,
            upstreams=(number - 1,) if number > 1 else (),
            timeout_s=_SLACK + len(targets) * 60 / (self.pace or FASTEST),
            pool=DEFAULT_POOL,
            delivery="at_least_once",
            retry=PATIENCE,
            prohibit_rollback=True,
        )


NAMES: Final = {
    "retry": "Retry",
    "skip": "Skip",
    "cancel": "Cancel",
    "rollback": "Roll back",
    "delete": "Delete",
}
"""What tasks and subtasks of a bulk command are called, by its word."""


def targets_of(operation: str, params: Any) -> list[int]:
    """Return the tasks that a subtask commands; none when it is no batch of a bulk command."""
    found = params.get("tasks") if operation == OPERATION and isinstance(params, dict) else None
    return [target for target in found if type(target) is int] if isinstance(found, list) else []


def key(task_id: int, target: int) -> str:
    """Return the idempotency key of one target's command: repeated for ever, it is decided once."""
    return f"bulk-{task_id}-{target}"
