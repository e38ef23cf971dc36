"""The task-type contract: a named, versioned function from parameters to a plan.

Responsible for `TaskType` and the decorator that makes one. Refuses to know where its subtasks will run: the plan
is computed on one executor and carried out by others, so it must not contain anything that holds only here (paths,
host names).
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError

from services.executor.fault import PermanentFault
from services.executor.operations.contract import explain
from shared.task.plan import Plan

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class TaskType:
    """One task type on offer. `build` must be quick and free of effects: it may run more than once for one task.

    `standing`: its tasks have no subtasks, they stand for something that takes requests. `child_of`: tasks of this
    type are requests to a standing task of that type, whose parameters they get as `of`.
    """

    name: str
    version: int
    description: str
    params_model: type[BaseModel]
    build: Callable[[Any], Plan | None]
    pool: str | None = None
    standing: bool = False
    child_of: str | None = None

    def plan(self, params: Mapping[str, Any]) -> Plan:
        """Return the plan for these parameters. Raises `PermanentFault` that names each wrong field."""
        try:
            checked = self.params_model.model_validate(dict(params))
        except ValidationError as error:
            raise PermanentFault(f"parameters of {self.name} do not fit: {explain(error)}") from None
        plan = self.build(checked)
        if self.standing:
            raise PermanentFault(f"Tasks of type {self.name} stand for something and have no plan.")
        if not isinstance(plan, Plan):
            raise TypeError(f"task type '{self.name}' returned {type(plan).__name__} instead of a Plan")
        return plan


def task_type(
    name: str, *, version: int = 1, pool: str | None = None, standing: bool = False, child_of: str | None = None
) -> Callable[[Callable[[Any], Plan | None]], TaskType]:
    """Make a task type of a function whose one parameter is a pydantic model; its docstring is the description.

    The function of a standing type checks what the model cannot and returns None. Raises `TypeError` for what could
    not work.
    """

    def make(build: Callable[[Any], Plan | None]) -> TaskType:
        where = f"task type '{name}'"
        _check(where, name, version, pool, child_of, standing=standing)
        if inspect.iscoroutinefunction(build):
            raise TypeError(f"{where}: a plan is made without waiting for anything: write `def`, not `async def`")
        try:
            hints = get_type_hints(build)
        except NameError as error:
            raise TypeError(f"{where}: {error}; define the parameters' model before it, at module level") from None
        hints.pop("return", None)
        models = [hint for hint in hints.values() if isinstance(hint, type) and issubclass(hint, BaseModel)]
        if len(models) != 1 or len(inspect.signature(build).parameters) != 1:
            raise TypeError(f"{where}: annotate exactly one parameter with a pydantic model, version from 1")
        return TaskType(name, version, inspect.getdoc(build) or "", models[0], build, pool, standing, child_of)

    return make


def _check(where: str, name: str, version: int, pool: str | None, child_of: str | None, *, standing: bool) -> None:
    for what, value in (("the name", name), ("child_of", child_of)):
        if value is not None and not _NAME.fullmatch(value):
            raise TypeError(f"{where}: {what} has letters, digits, dots, dashes and underscores, at most 100")
    if version < 1:
        raise TypeError(f"{where}: annotate exactly one parameter with a pydantic model, version from 1")
    if pool is not None and not _POOL.fullmatch(pool):
        raise TypeError(f"{where}: a pool's name has letters, digits, dashes and underscores, at most 32")
    if standing and child_of is not None:
        raise TypeError(f"{where}: a standing task has no parent, so it is not child_of anything")
