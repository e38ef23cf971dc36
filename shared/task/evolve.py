"""evolve: what an event makes of a task. Total: garbage, copies and stale reports are counted, never raised (I1, I3).

READY is set here, and sticks: eligible PENDING subtasks in number order while READY + RUNNING + CANCELING stay below
`concurrency` (R2). Executors' events are in `reports.py`, operators' in `turns.py`, what they share in `moves.py`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from shared.task import events as ev
from shared.task.moves import derive, fill, start
from shared.task.reports import REPORTS
from shared.task.state import ENDED, UNSEALED, Actor, Claim, Task
from shared.task.turns import TURNS


def evolve(task: Task, event: ev.AnyEvent, at: datetime) -> bool:
    """Apply one event to a draft, in place; return whether it fits. `at` is the time of its decision."""
    handler = _HANDLERS.get(type(event))
    if handler is None or not handler(task, event, at):
        task.ignored += 1
        return False
    fill(task, at)
    derive(task, at)
    return True


def create(task_id: int, event: ev.TaskCreated, by: Actor, at: datetime) -> Task:
    """Return the draft of a task that has just been created."""
    task = Task(
        id=task_id,
        name=event.name,
        type=event.task_type,
        creator=by,
        created_at=at,
        pool=event.pool,
        type_version=event.type_version,
        params=event.params,
        object=event.object,
        labels=event.labels,
        parent=event.parent,
        plan_ref=event.plan_ref,
        standing=event.standing,
    )
    if event.standing:
        start(task, at)
    task.fresh = None
    return task


def seal(task: Task, seq: int, head: str, *, changed: bool) -> None:
    """Note the commit's stream sequence: it becomes the fence of the claims the commit made."""
    for number in task.unsealed:
        subtask = task.subtasks[number - 1]
        claim = subtask.claim
        if claim is not None and claim.fence == UNSEALED:
            task.edit(number).claim = Claim(seq, claim.incarnation, claim.executor, claim.item, claim.phase)
    task.unsealed.clear()
    task.seq = seq
    task.head = head
    task.created_seq = task.created_seq or seq
    if changed:
        task.version += 1


def _finished(task: Task, event: ev.TaskFinished, at: datetime) -> bool:
    return task.state in ENDED


_HANDLERS: dict[type[Any], Callable[[Task, Any, datetime], bool]] = {**REPORTS, **TURNS, ev.TaskFinished: _finished}
