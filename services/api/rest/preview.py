"""What a dry run answers: the events a command would append, what it would touch, or why it would be refused."""

from typing import Any

from starlette.requests import Request

from services.api.asked import Preview
from services.api.rest.ports import api
from services.api.rest.words import STATUS
from shared.messages.foresee import Outlook
from shared.task.ids import SUBTASKS_PER_TASK
from shared.task.refusals import Refusal
from shared.task.state import Subtask, Task


def shown(found: Preview) -> dict[str, Any]:
    """Return the JSON form. `accepted` says how the command would be answered now; nothing was stored."""
    answer: dict[str, Any] = {"dryRun": True, "command": found.word, "accepted": found.refusal is None}
    if found.before is not None:
        answer |= {"task": found.before.id, "before": _state(found.before)}
    if found.after is not None:
        answer["after"] = _state(found.after)
        answer["events"] = [event.model_dump(mode="json", exclude_none=True) for event in found.events]
        answer["subtasks"] = [_touched(found.before, found.after, number) for number in found.touched]
    if found.refusal is not None:
        answer["refusal"] = refused(found.refusal)
    return answer


async def outlook(request: Request, found: Preview) -> Outlook | None:
    """Return what an executor says of the plan that a creation's task would have, None when nobody answers or asks.

    A plan of one's own needs nobody, and a standing task has none.
    """
    task = found.after
    if found.before is not None or task is None or task.subtasks or task.standing:
        return None
    return await api(request).foresight.outlook(task.type, task.params, task.pool)


def planned(told: Outlook) -> dict[str, Any]:
    """Return the JSON form of a plan that an executor would make, or of why it would make none."""
    keys = [node.key for node in told.subtasks]
    nodes = [
        {
            "key": node.key,
            "name": node.name,
            "operation": node.operation,
            "pool": node.pool,
            "upstreams": [keys[number - 1] for number in node.upstreams],
        }
        for node in told.subtasks
    ]
    if told.refused is not None:
        return {"refused": told.refused}
    return {"total": told.total, "concurrency": told.concurrency, "subtasks": nodes}


def refused(refusal: Refusal) -> dict[str, Any]:
    """Return why a command is refused, as the error of a real one says it."""
    return {"code": refusal.code, "message": refusal.message, "target": {"kind": refusal.kind, **refusal.target}}


def _state(task: Task) -> dict[str, Any]:
    return {
        "state": task.state.value,
        "status": STATUS[task.state],
        "direction": task.direction.value,
        "version": task.version,
    }


def _touched(before: Task | None, after: Task, number: int) -> dict[str, Any]:
    subtask = after.subtasks[number - 1]
    touched: dict[str, Any] = {
        "id": after.id * SUBTASKS_PER_TASK + number if after.id else None,
        "key": subtask.plan.key,
        "name": subtask.plan.name,
        "after": _status(subtask),
    }
    was = before.find(number) if before is not None else None
    if was is not None:
        touched["before"] = _status(was)
    return {name: value for name, value in touched.items() if value is not None}


def _status(subtask: Subtask) -> dict[str, str]:
    return {"status": subtask.status.value, "operation": subtask.operation.value}
