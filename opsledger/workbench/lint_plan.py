"""Lint of a task type: a plan of its example, checked as an executor and the API would."""

from collections.abc import Iterator, Mapping
from typing import Any

from opsledger.workbench.engine import POOL
from opsledger.workbench.findings import Finding
from opsledger.workbench.lint_params import example_of
from services.executor.catalog import Catalog
from services.executor.fault import Fault
from services.executor.task_types.contract import TaskType
from shared.task.plan import Plan, freeze
from shared.task.refusals import PlanInvalid


def check_plan(kind: TaskType, offers: Catalog, params: Mapping[str, Any] | None = None) -> Iterator[Finding]:
    """Give what is wrong with the plan of `params`, by default of the model's example."""
    given = dict(params) if params is not None else example_of(kind.params_model)
    if kind.standing:
        return
    if given is None:
        yield Finding(
            *("hint", kind.name, "no-example", "no plan was tried: nothing says what its parameters look like"),
            'give required fields an example: `Field(examples=["db-1"])`',
        )
        return
    try:
        plan, again = kind.plan(given), kind.plan(given)
    except Fault as error:
        yield Finding("error", kind.name, "example", str(error), "mend the example, or the check that refuses it")
        return
    except Exception as error:  # noqa: BLE001 - a task type is somebody's code
        yield Finding(
            *("error", kind.name, "plan", f"it cannot plan its example: {type(error).__name__}: {error}"),
            "tasks of this type would end as PLAN_FAILED",
        )
        return
    if plan != again:
        yield Finding(
            *("error", kind.name, "unsteady", "two plans of the same parameters differ"),
            "a plan may be made more than once: take nothing from the clock, from chance or from the host",
        )
    yield from _graph(kind.name, plan, offers)


def _graph(subject: str, plan: Plan, offers: Catalog) -> Iterator[Finding]:
    cards = {card.name: card for card in offers.operation_cards(POOL)}
    try:
        freeze(plan, cards, pool=POOL)
    except PlanInvalid as error:
        mend = {
            "unknown_operation": "install the package that has it, or mend the name",
            "duplicate_key": "put what tells the steps apart into their keys, such as the host",
            "cycle": "take one of these edges out",
        }
        yield Finding("error", subject, "plan", error.message, mend.get(error.reason, "mend the graph"))
        return
    for node in plan.subtasks:
        runs = [(node.operation, node.params)]
        if node.undo is not None:
            runs.append((node.undo.operation, node.undo.params))
        for name, params in runs:
            try:
                offers.operations[name].parse(params)
            except Fault as error:
                yield Finding(
                    *("error", subject, "step-params", f"step '{node.key}': {error}"),
                    "mend what the plan gives to this step: it would fail when its turn comes",
                )
