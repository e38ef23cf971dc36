"""How tasks look on the wire: OCP's fields with OCP's names and number types, ours beside them. Decides nothing.

Details are drawn from a core `Task`, wherever it came from: the log, or the view's rows (`Details.task_state`).
Lists are drawn from the view's rows. Absent values are left out, never null; times carry an offset; ids are numbers.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final
from zlib import crc32

from services.api.projection.view import SubtaskBrief, TaskRow
from services.api.rest.words import KIND, STATUS, task_operation
from shared.task.allowed import allowed_on_subtask, allowed_on_task
from shared.task.events import Problem
from shared.task.ids import SUBTASKS_PER_TASK
from shared.task.state import Subtask, Task

NODE_TYPE: Final = "JAVA_TASK"
"""The only value real clients have ever seen."""
MAX_BRIEFS: Final = 20_000
"""How many subtasks one page of a list shows at most; the counts are always there."""


def affordable(rows: Iterable[TaskRow]) -> list[int]:
    """Return the ids of the tasks whose subtasks a list shows: as many as `MAX_BRIEFS` subtasks allow."""
    shown, left = [], MAX_BRIEFS
    for row in rows:
        left -= row.total
        if left >= 0:
            shown.append(row.id)
    return shown


def basic(row: TaskRow, subtasks: Iterable[SubtaskBrief] | None) -> dict[str, Any]:
    """Return a BasicTaskInstance with our fields; None for subtasks that are too many to be listed."""
    shown = _basic(row.id, row.name, row.creator_name, row.object_kind, row.object_id, row.object_name)
    base = row.id * SUBTASKS_PER_TASK
    shown |= {
        "status": STATUS[row.state],
        "type": KIND,
        "operation": task_operation(row.operation, row.direction),
        "createTime": iso(row.created_at),
        "subtasks": [
            {
                "id": base + found.number,
                "name": found.name,
                "description": found.description or found.name,
                "status": found.status.value,
                "operation": found.operation.value,
            }
            for found in subtasks or ()
        ],
        "counts": {
            "total": row.total,
            "pending": row.pending,
            "ready": row.ready,
            "running": row.running,
            "canceling": row.canceling,
            "failed": row.failed,
            "successful": row.successful,
        },
        "state": row.state.value,
        "direction": row.direction.value,
        "taskType": row.type,
        "labels": row.labels,
        "version": row.version,
        "logSeq": row.seq,
    }
    _some(shown, startTime=iso(row.started_at), finishTime=iso(row.finished_at), step=row.step)
    _some(shown, parent=row.parent, error=row.problem)
    if subtasks is None:
        shown["subtasksOmitted"] = True
    return shown


def details(task: Task) -> dict[str, Any]:
    """Return a WrappedTaskInstance with our fields."""
    thing = task.object
    shown = _basic(
        task.id,
        task.name,
        task.creator.name,
        thing.kind if thing else None,
        thing.id if thing else None,
        thing.name if thing else None,
    )
    shown |= {
        "taskDefinitionId": -1,
        "type": KIND,
        "status": STATUS[task.state],
        "operation": task_operation(task.operation, task.direction),
        "prohibitRollback": task.rollback_prohibited(),
        "createTime": iso(task.created_at),
        "subtasks": [subtask(task, found) for found in task.subtasks],
        "state": task.state.value,
        "direction": task.direction.value,
        "taskType": task.type,
        "labels": task.labels,
        "params": task.params,
        "concurrency": task.concurrency,
        "version": task.version,
        "logSeq": task.seq,
        "allowed": allowed_on_task(task),
    }
    _some(shown, executor=_executor(task), startTime=iso(task.started_at), finishTime=iso(task.finished_at))
    _some(shown, taskTypeVersion=task.type_version, parent=task.parent, error=problem(task.problem))
    if task.deleted:
        shown["deleted"] = True
    return shown


def subtask(task: Task, found: Subtask) -> dict[str, Any]:
    """Return a SubtaskInstance with our fields."""
    plan = found.plan
    base = task.id * SUBTASKS_PER_TASK
    shown: dict[str, Any] = {
        "id": base + found.number,
        "seriesId": found.number - 1,
        "name": plan.name,
        "description": plan.description or plan.name,
        "timeout": max(1, ceil(plan.timeout_s)),
        "status": found.status.value,
        "operation": found.operation.value,
        "runTime": max(1, found.run_time),
        "nodeType": NODE_TYPE,
        "parallelIdx": -1,
        "upstreams": [base + number for number in plan.upstreams],
        "downstreams": [base + number for number in found.downstreams],
        "prohibitRollback": plan.prohibit_rollback,
        "createTime": iso(task.created_at),
        "key": plan.key,
        "operationName": plan.operation,
        "params": plan.params,
        "pool": plan.pool,
        "delivery": plan.delivery,
        "generation": found.generation,
        "attempt": found.attempt,
        "allowed": allowed_on_subtask(task, found),
    }
    _some(shown, executor=found.executor, startTime=iso(found.started_at), finishTime=iso(found.finished_at))
    _some(shown, output=found.output, outputRef=found.output_ref, error=problem(found.problem))
    if found.retry_at is not None:
        shown["retryAt"] = datetime.fromtimestamp(found.retry_at, UTC).isoformat()
    if found.claim is not None:
        claim = found.claim
        shown["claim"] = {
            "fence": claim.fence,
            "executor": claim.executor,
            "incarnation": claim.incarnation,
            "phase": claim.phase,
        }
    return shown


def page(contents: list[dict[str, Any]], *, total: int, number: int, size: int, exact: bool = True) -> dict[str, Any]:
    """Return a page in OCP's shape; `totalPage` beside `totalPages`, as its documents have both."""
    pages = -(-total // size)
    about: dict[str, Any] = {
        "totalElements": total,
        "totalPages": pages,
        "totalPage": pages,
        "number": number,
        "size": size,
    }
    if not exact:
        about["totalExact"] = False
    return {"contents": contents, "page": about}


def iso(at: datetime | None) -> str | None:
    """Return a time in ISO-8601 with its offset."""
    return at.isoformat() if at is not None else None


def problem(found: Problem | None) -> dict[str, Any] | None:
    """Return why something failed."""
    return found.model_dump(exclude_none=True) if found is not None else None


def _basic(
    task_id: int, name: str, creator: str, kind: str | None, object_id: str | None, object_name: str | None
) -> dict[str, Any]:
    # OCP's creator has a number; ours have names alone, so the number is the name's, the same for ever.
    shown: dict[str, Any] = {"id": task_id, "name": name, "creator": {"id": crc32(creator.encode()), "name": creator}}
    if kind is not None:
        thing: dict[str, Any] = {"kind": kind, "name": object_name or ""}
        _some(thing, id=object_id)
        shown["object"] = thing
        if kind in {"cluster", "tenant"}:
            shown[kind] = _number(object_id) | {"name": object_name or ""}
    return shown


def _number(object_id: str | None) -> dict[str, int]:
    numeric = object_id is not None and object_id.isascii() and object_id.isdigit() and len(object_id) < 19
    return {"id": int(object_id or 0)} if numeric else {}


def _executor(task: Task) -> str | None:
    """Return the executor that started something last."""
    started = [found for found in task.subtasks if found.started_at is not None and found.executor is not None]
    if not started:
        return None
    return max(started, key=lambda found: found.started_at or task.created_at).executor


def _some(shown: dict[str, Any], **fields: Any) -> None:
    shown |= {name: value for name, value in fields.items() if value is not None}
