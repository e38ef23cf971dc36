"""From the state of a task to the items that should be queued. Used by the API, the executors and the rescuer."""

import asyncio
from collections.abc import Iterable

from shared.queue.port import QueueUnavailable, WorkQueue
from shared.queue.work_item import WorkItem
from shared.task.state import Subtask, SubtaskStatus, Task, TaskState

_AT_ONCE = 128


def plan_item(task: Task) -> WorkItem:
    """Return the item that asks for the task's plan."""
    return WorkItem(task.pool, task.id, 0, task.turn, 0, task.seq)


def subtask_item(task: Task, subtask: Subtask) -> WorkItem:
    """Return the item for the attempt to come, or for the one a lost executor holds.

    An item that was queued before the subtask was taken back may sleep for as long as its retry time was away, so the
    next one has another name.
    """
    handout = subtask.attempt + subtask.recalls + (1 if subtask.status is SubtaskStatus.READY else 0)
    return WorkItem(subtask.plan.pool, task.id, subtask.number, subtask.generation, handout, task.seq)


def due(task: Task, numbers: Iterable[int] | None = None) -> list[WorkItem]:
    """Return the items for what is READY; `numbers` narrows it. A task without a plan asks for one."""
    if task.state is TaskState.INITIALIZING:
        return [plan_item(task)]
    chosen = task.ready() if numbers is None else numbers
    found = [task.subtasks[number - 1] for number in chosen]
    return [subtask_item(task, subtask) for subtask in found if subtask.status is SubtaskStatus.READY]


def stuck(task: Task, now: float) -> list[WorkItem]:
    """Return the items that would move a task nobody has touched for long; `now` in seconds since the epoch."""
    if task.state is TaskState.INITIALIZING:
        return [plan_item(task)]
    held = (SubtaskStatus.RUNNING, SubtaskStatus.CANCELING)
    return [
        subtask_item(task, subtask)
        for subtask in task.subtasks
        if subtask.status in held
        or (subtask.status is SubtaskStatus.READY and (subtask.retry_at is None or subtask.retry_at <= now))
    ]


async def put_all(queue: WorkQueue, items: list[WorkItem]) -> int:
    """Queue the items, many at once; return how many were not queued before. Raises `QueueUnavailable`."""
    if not items:
        return 0
    if len(items) == 1:
        return int(await queue.put(items[0]))
    fresh = 0
    problem: QueueUnavailable | None = None
    for start in range(0, len(items), _AT_ONCE):
        answers = await asyncio.gather(
            *(queue.put(item) for item in items[start : start + _AT_ONCE]), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, QueueUnavailable):
                problem = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                fresh += answer
        if problem is not None:
            raise problem
    return fresh
