"""The answers of a bulk command, target by target, wherever its batches' outputs lie. Read from the log."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.bulk import targets_of
from services.api.creation import BULK
from services.api.rest import query, render
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, visible
from services.api.rest.ports import Api, api
from shared.task.ids import SUBTASKS_PER_TASK
from shared.task.refusals import TaskNotFound
from shared.task.state import Subtask, Task


@needs(Permission.READ)
async def items(request: Request) -> Response:
    """List what a bulk command was answered, target by target; a target without a status was not commanded yet."""
    task_id, found = query.task_id(request), api(request)
    number, size = query.paging(request)
    task = await found.log.load(task_id, fresh=True)
    if task is None:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    visible(request, task)
    if not task.type.startswith(BULK):
        raise Problem(404, 4001, f"The task {task_id} is no bulk command, so it has no items.")
    first = (number - 1) * size
    shown = [item async for item in of(found, task, first, first + size)]
    return ok(request, render.page(shown, total=total(task), number=number, size=size))


def total(task: Task) -> int:
    """Return how many targets a bulk command has."""
    return sum(len(_targets(subtask)) for subtask in task.subtasks)


async def of(found: Api, task: Task, first: int, end: int) -> AsyncIterator[dict[str, Any]]:
    """Yield the items from place `first` (from 0) on, before place `end`. Raises `ResultsUnavailable`."""
    for start, subtask in _batches(task):
        targets = _targets(subtask)
        if start + len(targets) <= first or start >= end:
            continue
        answers = await _answers(found, subtask)
        for place, target in enumerate(targets, start):
            if first <= place < end:
                about = {"task": target, "subtask": task.id * SUBTASKS_PER_TASK + subtask.number}
                yield about | answers.get(target, {})


def _batches(task: Task) -> Iterator[tuple[int, Subtask]]:
    start = 0
    for subtask in task.subtasks:
        yield start, subtask
        start += len(_targets(subtask))


def _targets(subtask: Subtask) -> list[int]:
    return targets_of(subtask.plan.operation, subtask.plan.params)


async def _answers(found: Api, subtask: Subtask) -> dict[int, dict[str, Any]]:
    """Return a batch's answers by target: status, state or error. Raises `ResultsUnavailable`."""
    output = subtask.output
    if subtask.output_ref is not None:
        output = json.loads(await found.results.get(subtask.output_ref))
    said = output.get("items") if isinstance(output, dict) else None
    answers = [answer for answer in said or () if isinstance(answer, dict)]
    return {
        answer["task"]: {name: answer[name] for name in ("status", "state", "error") if name in answer}
        for answer in answers
        if isinstance(answer.get("task"), int)
    }
