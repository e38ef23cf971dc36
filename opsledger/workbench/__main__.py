"""`python -m opsledger.workbench WORD JSON`: what `opsledger type …` starts beside itself.

A process of its own because the command line knows the API alone, while this needs what executors are made of. Its
errors have the form and the exit codes of the command line.
"""

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from opsledger.cli.failure import CliError, Exit, UsageError
from opsledger.cli.look.console import out
from opsledger.cli.look.errors import complain
from opsledger.cli.task import ask
from opsledger.workbench import local
from opsledger.workbench.engine import POOL
from opsledger.workbench.lint import NothingToLint, choose, lint
from opsledger.workbench.offers import find, installed, single
from opsledger.workbench.order import Order
from opsledger.workbench.show import plan_as_json, print_findings, print_plan, write_json
from services.executor.catalog import OPERATIONS, TASK_TYPES
from services.executor.fault import Fault
from services.executor.operations.contract import Operation
from shared.runtime.logging import configure
from shared.task.plan import Plan, freeze
from shared.task.refusals import PlanInvalid


def list_installed(order: Order) -> int:  # noqa: ARG001 - all words have one form
    """Print the cards of what is installed, with the package each is from, and what is broken: JSON."""
    offers = installed()
    packages = {
        (group, point.name): point.dist.name if point.dist is not None else None
        for group in (OPERATIONS, TASK_TYPES)
        for point in entry_points(group=group)
    }
    write_json(
        {
            "operations": [
                {**card.model_dump(mode="json"), "package": packages.get((OPERATIONS, card.name))}
                for card in offers.operation_cards(POOL)
            ],
            "types": [
                {**card.model_dump(mode="json"), "package": packages.get((TASK_TYPES, card.name))}
                for card in offers.type_cards(POOL)
            ],
            "broken": [
                {"group": one.group, "name": one.name, "value": one.value, "reason": one.reason}
                for one in offers.broken
            ],
        }
    )
    return Exit.DONE


def lint_all(order: Order) -> int:
    """Look at an author's package; 1 for errors, with `strict` for warnings, too."""
    try:
        chosen = choose(order.name)
    except NothingToLint as error:
        raise UsageError(str(error), next_step="see what there is: opsledger type list") from None
    found = lint(chosen, ignore=order.ignore)
    if order.json_output:
        write_json([finding.as_json() for finding in found])
    else:
        print_findings(out(), found, len(chosen.operations) + len(chosen.types))
    grave = {"error", "warning"} if order.strict else {"error"}
    return Exit.FAILED if any(finding.severity in grave for finding in found) else Exit.DONE


def plan(order: Order) -> int:
    """Print the plan that an executor would make and freeze."""
    name = local.known_name(order)
    try:
        made = _plan(name, _parameters(order, name))
        cards = {card.name: card for card in installed().operation_cards(POOL)}
        nodes = freeze(made, cards, pool=POOL)
    except (Fault, PlanInvalid) as error:
        raise CliError(str(error), next_step=f"what it takes: opsledger type list {name}") from None
    if order.json_output:
        write_json(plan_as_json(name, nodes, concurrency=made.concurrency, fixed=made.prohibit_rollback))
    else:
        print_plan(out(), nodes, concurrency=made.concurrency, fixed=made.prohibit_rollback)
    return Exit.DONE


def run(order: Order) -> int:
    """Run a whole task here."""
    name = local.known_name(order)
    try:
        return local.run(order, _parameters(order, name))
    except Fault as error:
        raise CliError(str(error)) from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def _plan(name: str, params: Mapping[str, Any]) -> Plan:
    found = find(name, installed())
    if isinstance(found, Operation):
        found.parse(params)
        return single(found, params)
    return found.plan(params)


def _parameters(order: Order, name: str) -> dict[str, Any]:
    found = find(name, installed())
    model = found.Params if isinstance(found, Operation) else found.params_model
    return {**order.params, **ask.parameters(order.param, model.model_json_schema())}


WORDS: dict[str, Callable[[Order], int]] = {"list": list_installed, "lint": lint_all, "plan": plan, "run": run}


def main(word: str, order: str) -> int:
    """Carry out one order; return the exit code."""
    try:
        return WORDS[word](Order.model_validate_json(order))
    except CliError as error:
        complain(error.cause, error.next_step)
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.DONE


if __name__ == "__main__":
    configure("error", service="workbench")
    sys.exit(main(*sys.argv[1:]))
