"""What a decision does, while it is being made: its events and the draft they lead to. Knows no rule."""

from dataclasses import dataclass, field
from datetime import datetime

from shared.task.events import TaskEvent
from shared.task.evolve import evolve
from shared.task.state import SubtaskStatus, Task


@dataclass(slots=True)
class Verdict:
    """What a decision does: its events, the draft they lead to, and what they made READY and nobody claimed yet."""

    task: Task
    events: list[TaskEvent] = field(default_factory=list)
    claimed: list[int] = field(default_factory=list)

    @property
    def ready(self) -> list[int]:
        """Numbers of subtasks that became READY and still are: they must be dispatched."""
        subtasks = self.task.subtasks
        return [n for n in dict.fromkeys(self.task.newly_ready) if subtasks[n - 1].status is SubtaskStatus.READY]

    def emit(self, event: TaskEvent, at: datetime) -> None:
        """Add an event and apply it; deciding on one that does not fit would be our own fault."""
        self.events.append(event)
        if not evolve(self.task, event, at):
            raise RuntimeError(f"decided on an event that does not fit task {self.task.id}: {event!r}")
