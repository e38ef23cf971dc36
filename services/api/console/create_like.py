"""A body that would create a task like one that is there: its type and parameters, or its plan as people write it."""

from collections.abc import Mapping
from typing import Any

from services.api.creation import OF, PLAN_TYPE
from shared.task.plan import DEFAULT_POOL, OperationCard, Plan, PlannedSubtask
from shared.task.state import Task


def body_of(task: Task, operations: Mapping[str, OperationCard]) -> dict[str, Any]:
    """Return the body. Parameters that a request has from its standing task are left out: it will have them again."""
    body: dict[str, Any] = {"name": task.name} if task.name != task.type else {}
    if task.object is not None:
        about = {"kind": task.object.kind, "name": task.object.name, "id": task.object.id}
        body["object"] = {key: value for key, value in about.items() if value is not None}
    if task.labels:
        body["labels"] = dict(task.labels)
    if task.type == PLAN_TYPE:
        return {"plan": _plan(task, operations), **body}
    params = {key: value for key, value in task.params.items() if task.parent is None or key != OF}
    parent = {"parent": task.parent} if task.parent is not None else {}
    return {"type": task.type, "params": params, **parent, **body}


def _plan(task: Task, operations: Mapping[str, OperationCard]) -> dict[str, Any]:
    keys = {subtask.number: subtask.plan.key for subtask in task.subtasks}
    nodes = [_node(subtask.plan, keys, operations.get(subtask.plan.operation)) for subtask in task.subtasks]
    plan: dict[str, Any] = {"subtasks": nodes}
    if task.concurrency != Plan.model_fields["concurrency"].default:
        plan["concurrency"] = task.concurrency
    return {**plan, "prohibit_rollback": True} if task.prohibit_rollback else plan


def _node(node: PlannedSubtask, keys: Mapping[int, str], card: OperationCard | None) -> dict[str, Any]:
    """Return a node without what its operation says anyway."""
    usual: dict[str, Any] = {
        "name": node.key,
        "params": {},
        "upstreams": [],
        "timeout": card.timeout_s if card is not None else None,
        "pool": card.pool if card is not None else DEFAULT_POOL,
        "delivery": card.delivery if card is not None else None,
        "prohibit_rollback": card.prohibit_rollback if card is not None else False,
        "description": None,
        "retry": None,
        "undo": None,
    }
    own = {
        "name": node.name,
        "description": node.description,
        "params": node.params,
        "upstreams": [keys[number] for number in node.upstreams],
        "timeout": node.timeout_s,
        "pool": node.pool,
        "delivery": node.delivery,
        "retry": node.retry.model_dump() if node.retry is not None else None,
        "undo": node.undo.model_dump() if node.undo is not None else None,
        "prohibit_rollback": node.prohibit_rollback,
    }
    said = {key: value for key, value in own.items() if value != usual[key]}
    return {"key": node.key, "operation": node.operation, **said}
