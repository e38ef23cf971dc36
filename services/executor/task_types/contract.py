"""The task-type contract: a named, versioned function from parameters to a plan.

Responsible for `TaskType` and the decorator that makes one. Refuses to know where its subtasks will run: the plan
is computed on one executor and carried out by others, so it must not contain anything that holds only here (paths,
host names).
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError

from services.executor.fault import PermanentFault
from services.executor.operations.contract import explain
from shared.task.plan import Plan


@dataclass(frozen=True, slots=True)
class TaskType:
    """One task type on offer. `build` must be quick and free of effects: it may run more than once for one task."""

    name: str
    version: int
    description: str
    params_model: type[BaseModel]
    build: Callable[[Any], Plan]
    pool: str | None = None
    standing: bool = False
    child_of: str | None = None

    def plan(self, params: Mapping[str, Any]) -> Plan:
        """Return the plan for these parameters. Raises `PermanentFault` that names each wrong field."""
        try:
            checked = self.params_model.model_validate(dict(params))
        except ValidationError as error:
            raise PermanentFault(f"parameters of {self.name} do not fit: {explain(error)}") from None
        return self.build(checked)


def task_type(name: str, *, version: int = 1, pool: str | None = None) -> Callable[[Callable[[Any], Plan]], TaskType]:
    """Make a task type of a function whose one parameter is a pydantic model; its docstring is the description."""

    def make(build: Callable[[Any], Plan]) -> TaskType:
        hints = get_type_hints(build)
        hints.pop("return", None)
        models = [hint for hint in hints.values() if isinstance(hint, type) and issubclass(hint, BaseModel)]
        if len(models) != 1 or version < 1:
            raise TypeError(f"task type '{name}': annotate exactly one parameter with a pydantic model, version from 1")
        return TaskType(name, version, inspect.getdoc(build) or "", models[0], build, pool)

    return make
