"""How tasks look on the wire: OCP's fields with OCP's names and number types, ours beside them. Decides nothing.

Details are drawn from a core `Task`, wherever it came from: the log, or the view's rows (`Details.task_state`).
Lists are drawn from the view's rows. Absent values are left out, never null; times carry an offset; ids are numbers.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final
from zlib import crc32

from services.api.projection.view import SubtaskBrief, TaskRow
from services.api.rest import odc
from services.api.rest.things import things
from services.api.rest.words import KIND, ODC, STATUS, Labels, task_operation
from shared.task.allowed import allowed_on_subtask, allowed_on_task
from shared.task.events import Problem
from shared.task.ids import SUBTASKS_PER_TASK
from shared.task.state import Direction, Operation, Subtask, SubtaskStatus, Task, TaskState

NODE_TYPE: Final = "JAVA_TASK"
"""The only value real clients have ever seen."""
MAX_BRIEFS: Final = 20_000
"""How many subtasks one page of a list shows at most; the counts are always there."""

_Object = tuple[str | None, str | None, str | None]
"""Kind, id and name of what a task is about."""
_NOTHING: Final[_Object] = (None, None, None)


def affordable(rows: Iterable[TaskRow]) -> list[int]:
    """Return the ids of the tasks whose subtasks a list shows: as many as `MAX_BRIEFS` subtasks allow."""
    shown, left = [], MAX_BRIEFS
    for row in rows:
        left -= row.total
        if left >= 0:
            shown.append(row.id)
    return shown


def basic(row: TaskRow, subtasks: Iterable[SubtaskBrief] | None, labels: Labels | None = None) -> dict[str, Any]:
    """Return a BasicTaskInstance with our fields; None for subtasks that are too many to be listed.

    `labels`: what the dialect that the caller asked for calls the states.
    """
    shown = _basic(row.id, row.name, row.creator_name)
    shown |= _object((row.object_kind, row.object_id, row.object_name), row.labels)
    base = row.id * SUBTASKS_PER_TASK
    shown |= {
        **_status(row.state, labels),
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
    _some(shown, parent=row.parent, error=row.problem, odc=_odc(row, labels))
    if subtasks is None:
        shown["subtasksOmitted"] = True
    return shown


def details(task: Task, labels: Labels | None = None) -> dict[str, Any]:
    """Return a WrappedTaskInstance with our fields; `labels` as for `basic`."""
    thing = task.object
    shown = _basic(task.id, task.name, task.creator.name)
    shown |= _object((thing.kind, thing.id, thing.name) if thing else _NOTHING, task.labels)
    shown |= {
        "taskDefinitionId": -1,
        "type": KIND,
        **_status(task.state, labels),
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
    _some(shown, odc=_odc(task, labels))
    if task.deleted:
        shown["deleted"] = True
    if task.standing:
        shown["standing"] = True
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
        "runTime": run_time(task, found),
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


def run_time(task: Task, found: Subtask) -> int:
    """Return the number of the run that the subtask is at, from 1: the one to come once it is to run again (R4)."""
    undoing = found.claim is not None and found.claim.phase == "undo"
    again = found.status is SubtaskStatus.PENDING and found.operation is Operation.RETRY
    coming = found.status is SubtaskStatus.READY or undoing or again
    return max(1, found.run_time + (coming and task.direction is Direction.FORWARD))


def _basic(task_id: int, name: str, creator: str) -> dict[str, Any]:
    # OCP's creator has a number; ours have names alone, so the number is the name's, the same for ever.
    return {"id": task_id, "name": name, "creator": {"id": crc32(creator.encode()), "name": creator}}


def _object(thing: _Object, labels: Mapping[str, str]) -> dict[str, Any]:
    kind, object_id, name = thing
    shown: dict[str, Any] = {**things(kind, object_id, name, labels)}
    if kind is not None:
        shown["object"] = {"kind": kind, "name": name or ""}
        _some(shown["object"], id=object_id)
    return shown


def _status(state: TaskState, labels: Labels | None) -> dict[str, str]:
    shown = {"status": STATUS[state]}
    if labels:
        shown["statusLabel"] = labels[state]
    return shown


def _odc(task: Task | TaskRow, labels: Labels | None) -> dict[str, Any] | None:
    """Return ODC's columns when they are asked for."""
    if labels is not ODC:
        return None
    why = task.problem.kind if isinstance(task.problem, Problem) else (task.problem or {}).get("kind")
    return odc.columns(
        type_=task.type,
        name=task.name,
        params=task.params,
        created_at=task.created_at,
        state=task.state,
        operation=task.operation,
        direction=task.direction,
        problem=why,
    )


def _executor(task: Task) -> str | None:
    """Return the executor that started something last."""
    started = [found for found in task.subtasks if found.started_at is not None and found.executor is not None]
    if not started:
        return None
    return max(started, key=lambda found: found.started_at or task.created_at).executor


def _some(shown: dict[str, Any], **fields: Any) -> None:
    shown |= {name: value for name, value in fields.items() if value is not None}
