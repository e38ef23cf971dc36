"""What a delivery may claim: what rode on it before, the subtask it names, or the first one of the plan it asked for.

Decides on whatever state the log gives it, so that a lost race is simply decided again. Knows no queue and no log.
"""

from dataclasses import replace
from datetime import datetime

from shared.task import commands as cmd
from shared.task.decide import Verdict, decide
from shared.task.events import Item
from shared.task.refusals import NotReady, Refusal, TaskNotFound
from shared.task.state import SubtaskStatus, Task, TaskState


class Choice:
    """Decides what a delivery may claim: what rode on it before, the subtask it names, or the plan's first one."""

    def __init__(
        self,
        operations: frozenset[str],
        pools: frozenset[str],
        claimant: cmd.Claimant,
        number: int,
        gone: int | None,
        at: datetime,
    ) -> None:
        self._operations = operations
        self._pools = pools
        self._claimant = claimant
        self._number = number
        self._gone = gone
        self._at = at
        self.plan: cmd.RecordPlan | cmd.FailPlan | None = None

    def __call__(self, task: Task | None) -> Verdict:
        """Decide what is claimed. Raises the `Refusal` that says why nothing is."""
        at = self._at
        if task is None:
            raise TaskNotFound("The task does not exist.")
        number = self._riding(task)
        if number is None and self._number == 0:
            if self.plan is None or task.state is not TaskState.INITIALIZING:
                raise NotReady(f"Task {task.id} has its plan.")
            plan = replace(self.plan, at=at)
            if isinstance(plan, cmd.FailPlan):
                return decide(task, plan)
            return decide(task, plan, cmd.ClaimNext(self._claimant, self._pools, self._operations, at))
        number = self._number if number is None else number
        subtask = task.find(number)
        if (
            subtask is not None
            and subtask.status is SubtaskStatus.READY
            and subtask.plan.operation not in self._operations
        ):
            since = subtask.ready_at or task.created_at
            raise NotOffered(number, subtask.plan.operation, subtask.plan.pool, (at - since).total_seconds())
        return decide(task, cmd.Claim(number, self._claimant, at, self._gone))

    def _riding(self, task: Task) -> int | None:
        item = self._claimant.item
        for subtask in task.subtasks:
            if subtask.claim is not None and same_item(subtask.claim.item, item):
                return subtask.number
        return None


def same_item(one: Item, other: Item) -> bool:
    """Whether both are hand-outs of one work item."""
    return one.seq == other.seq and one.stamp == other.stamp


class NotOffered(Refusal):
    """This executor does not have the operation."""

    kind = "not_offered"

    def __init__(self, number: int, operation: str, pool: str, waited: float) -> None:
        super().__init__(f"operation {operation} is not offered here")
        self.number = number
        self.operation = operation
        self.pool = pool
        self.waited = waited
