"""What is installed here, and what a caller hands over beside it: one catalogue for the workbench."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from opsledger.workbench.clock import Clock, FakeClock
from opsledger.workbench.cue import At
from opsledger.workbench.engine import Bench
from opsledger.workbench.ran import TaskRan
from opsledger.workbench.targets import Targets
from services.executor.catalog import Catalog, discover
from services.executor.operations.contract import Connection, ExecutorPolicy, Operation
from services.executor.task_types.contract import TaskType
from shared.task.plan import Plan, SubtaskPlan

What = Plan | TaskType | Operation[Any] | type[Operation[Any]] | str


@cache
def installed() -> Catalog:
    """Return what entry points offer in this environment."""
    return discover()


def offers_with(operations: Iterable[Operation[Any] | type[Operation[Any]]], types: Iterable[TaskType]) -> Catalog:
    """Return the installed catalogue with these in it; they outweigh installed ones of the same name."""
    made = [operation() if isinstance(operation, type) else operation for operation in operations]
    known = installed()
    return Catalog(
        {**known.operations, **{operation.name: operation for operation in made}},
        {**known.types, **{kind.name: kind for kind in types}},
        known.broken,
    )


def single(operation: Operation[Any], params: Mapping[str, Any]) -> Plan:
    """Return the plan of one step that runs one operation; its key is the last word of the operation's name."""
    key = operation.name.rpartition(".")[2]
    return Plan(subtasks=[SubtaskPlan(key=key, operation=operation.name, params=dict(params))])


def find(name: str, offers: Catalog) -> TaskType | Operation[Any]:
    """Return what is offered under a name, a task type before an operation. Raises `LookupError`."""
    found = offers.types.get(name) or offers.operations.get(name)
    if found is None:
        known = ", ".join(sorted({*offers.types, *offers.operations}))
        why = next((f" Its entry point is broken: {one.reason}." for one in offers.broken if one.name == name), "")
        raise LookupError(f"nothing installed here is called '{name}'.{why} There is: {known}")
    return found


async def start(
    what: What,
    params: Mapping[str, Any] | None = None,
    *,
    files: Path,
    task_id: int = 1,
    operations: Iterable[Operation[Any] | type[Operation[Any]]] = (),
    task_types: Iterable[TaskType] = (),
    clock: Clock | None = None,
    policy: ExecutorPolicy | None = None,
    secrets: Mapping[str, str] | None = None,
    connections: Mapping[str, Connection] | None = None,
    targets: Targets | None = None,
    labels: Mapping[str, str] | None = None,
    **watch: Any,
) -> TaskRan:
    """Create a task of a plan, a task type or an operation, given itself or by name; it has not run yet.

    `task_id` is part of every token: two tasks that share a folder need two.
    """
    own, types = list(operations), list(task_types)
    if isinstance(what, str):
        what = find(what, offers_with(own, types))
    if isinstance(what, type):
        what = what()
    if isinstance(what, Operation):
        own.append(what)
    elif isinstance(what, TaskType):
        types.append(what)
    bench = Bench(
        offers_with(own, types),
        clock=clock or FakeClock(),
        files=files,
        task_id=task_id,
        policy=policy,
        targets=targets or Targets(secrets, connections),
        **watch,
    )
    given = dict(params or {})
    if isinstance(what, TaskType):
        if what.standing:
            raise ValueError(f"tasks of type {what.name} are standing: they run nothing; try the type of its requests")
        await bench.create(what.name, given, labels=labels)
    elif isinstance(what, Plan):
        await bench.create("plan", {}, plan=what, labels=labels)
    else:
        what.parse(given)
        await bench.create("plan", {}, plan=single(what, given), labels=labels)
    return TaskRan(bench)


async def run_task(what: What, params: Mapping[str, Any] | None = None, **settings: Any) -> TaskRan:
    """Create a task and run it; `crash_at`, `fail_at` and `cancel_at` say what goes wrong where."""
    wrong: dict[str, At] = {name: settings.pop(name, None) for name in ("crash_at", "fail_at", "cancel_at")}
    return await (await start(what, params, **settings)).go_on(**wrong)
