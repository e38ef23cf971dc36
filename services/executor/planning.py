"""From a task that has no subtasks to the commands that give it some: by its type, or by the plan it brought along."""

from hashlib import sha256

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from services.executor.attempt import Tools
from services.executor.fault import Fault
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.store.objects import ResultsUnavailable
from shared.task.commands import FailPlan, RecordPlan
from shared.task.events import Problem
from shared.task.plan import PlannedSubtask, freeze
from shared.task.refusals import PlanInvalid
from shared.task.state import Task

PART_BYTES = 180 * 1024
"""How much of a plan goes into one commit."""

log = get(__name__)
_nodes = TypeAdapter(tuple[PlannedSubtask, ...])


async def plan_commands(task: Task, tools: Tools) -> list[RecordPlan | FailPlan]:
    """Return the parts of the task's plan in order, or the one command that fails it. Raises `ResultsUnavailable`."""
    try:
        if task.plan_ref is not None:
            content = from_json(await tools.results.get(task.plan_ref.model_dump()))
            nodes = _nodes.validate_python(content["subtasks"], strict=False)
            concurrency, fixed = int(content["concurrency"]), bool(content["prohibit_rollback"])
        else:
            kind = tools.catalog.types.get(task.type)
            if kind is None:
                return [nobody_offers(task)]
            plan = kind.plan(task.params)
            cards = {card.name: card for card in tools.catalog.operation_cards(task.pool)}
            nodes = freeze(plan, cards, pool=task.pool)
            concurrency, fixed = plan.concurrency, plan.prohibit_rollback
    except ResultsUnavailable:
        raise
    except (PlanInvalid, Fault, ValidationError) as error:
        return [_failed("PLAN_INVALID", str(error))]
    except Exception as error:  # a task type is somebody's code
        log.exception("task type failed to plan", task=task.id, type=task.type)
        return [_failed("PLAN_FAILED", f"Task type '{task.type}' cannot plan: {type(error).__name__}: {error}")]
    return _parts(nodes, concurrency, fixed)


def nobody_offers(task: Task) -> FailPlan:
    """Return the command that fails a task whose type nobody offers."""
    return _failed("NOT_OFFERED", f"No executor of pool '{task.pool}' offers task type '{task.type}'.")


def _failed(kind: str, message: str) -> FailPlan:
    return FailPlan(Problem(kind=kind, message=message[:2000]), now())


def _parts(nodes: tuple[PlannedSubtask, ...], concurrency: int, fixed: bool) -> list[RecordPlan | FailPlan]:
    bodies = [_nodes.dump_json((node,)) for node in nodes]
    groups: list[list[PlannedSubtask]] = [[]]
    size = 0
    for node, body in zip(nodes, bodies, strict=True):
        if len(body) > PART_BYTES:
            return [_failed("PLAN_INVALID", f"Subtask '{node.key}' takes {len(body)} bytes; {PART_BYTES} fit.")]
        if groups[-1] and size + len(body) > PART_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(node)
        size += len(body)
    plan_id = sha256(b"".join(bodies)).hexdigest()[:16]
    return [
        RecordPlan(
            plan_id=plan_id,
            subtasks=tuple(group),
            at=now(),
            part=place,
            parts=len(groups),
            concurrency=concurrency,
            prohibit_rollback=fixed,
        )
        for place, group in enumerate(groups, start=1)
    ]
