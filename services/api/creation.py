"""From a create body to the command `CreateTask`: everything is checked before anything is stored.

A typed task's parameters must fit its type's schema, a child's together with its parent's; a plan must be a graph, its
operations on offer, and each subtask's parameters, its undo's too, must fit their operation's schema. Knows the
catalogue, not the log.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from services.api.catalog import Catalog
from services.api.invalid import Fault, Invalid, pointer
from shared.task.events import ObjectRef
from shared.task.ids import MAX_TASK_ID
from shared.task.plan import DEFAULT_POOL, Plan, PlannedSubtask, TypeCard, freeze
from shared.task.state import Task, TaskState
from shared.task.text import Name, Token, readable
from shared.task.words import TEAM

PLAN_TYPE = "plan"
"""The task type of tasks that bring their own plan."""
BULK = "bulk."
"""Begins the types of bulk commands, which the API alone creates."""
OF = "of"
"""The parameter of a child that holds its parent's."""
MAX_LABELS = 64

Text200 = Annotated[str, StringConstraints(max_length=200), AfterValidator(readable)]
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(readable)]


class ObjectBody(BaseModel):
    """What the task is about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Token
    id: Annotated[Text200, StringConstraints(min_length=1)] | None = None
    name: Name


class CreateBody(BaseModel):
    """A task to create: either `type` with `params`, or a `plan` of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Token | None = None
    params: dict[str, Any] | None = None
    plan: Plan | None = None
    name: Name | None = None
    object: ObjectBody | None = None
    labels: Annotated[dict[LabelKey, Text200], Field(max_length=MAX_LABELS)] = {}
    parent: Annotated[int, Field(ge=1, le=MAX_TASK_ID)] | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.type is None) == (self.plan is None):
            raise ValueError("either 'type' (with 'params') or 'plan' is needed, and not both")
        if self.plan is not None and self.params is not None:
            raise ValueError("'params' belong to a 'type'; a plan has parameters in its subtasks")
        return self


@dataclass(frozen=True, slots=True)
class Creation:
    """A checked task to be: what `CreateTask` needs besides its id, its time and its creator."""

    name: str
    task_type: str
    params: dict[str, Any]
    type_version: int | None
    pool: str
    object: ObjectRef | None
    labels: dict[str, str]
    parent: int | None
    subtasks: tuple[PlannedSubtask, ...] = ()
    concurrency: int = 10
    prohibit_rollback: bool = False
    standing: bool = False
    child_of: str | None = None
    """The type its parent must be of; its parameters are checked when they have the parent's."""


def check(body: Any, catalog: Catalog) -> Creation:
    """Return what the body asks for. Raises `Invalid`, or `PlanInvalid` for a graph that cannot be run."""
    try:
        asked = CreateBody.model_validate(body, strict=True)
    except ValidationError as error:
        raise Invalid.of(error) from None
    return _planned(asked, asked.plan, catalog) if asked.plan is not None else _typed(asked, catalog)


def _typed(asked: CreateBody, catalog: Catalog) -> Creation:
    name, params = asked.type or "", asked.params or {}
    if name.startswith(BULK):
        raise Invalid.at(
            ["type"], "Bulk commands are not created: POST /api/v2/tasks/instances:retry and its siblings."
        )
    card = catalog.types.get(name)
    if card is None:
        known = ", ".join(catalog.types) or "none"
        raise Invalid.at(["type"], f"No executor offers task type '{name}'. On offer: {known}.")
    if card.child_of is None:
        fits(card, params, catalog)
    elif OF in params:
        raise Invalid.at(["params", OF], f"'{OF}' is filled in from the parent; leave it out.")
    elif asked.parent is None:
        raise Invalid.at(["parent"], f"A task of type '{name}' needs a parent of type '{card.child_of}'.")
    return Creation(
        name=asked.name or name,
        task_type=name,
        params=params,
        type_version=card.version,
        pool=card.pool,
        object=_object(asked),
        labels=asked.labels,
        parent=asked.parent,
        standing=card.standing,
        child_of=card.child_of,
    )


def fits(card: TypeCard, params: dict[str, Any], catalog: Catalog) -> None:
    """Raise `Invalid` unless the parameters fit the type's schema."""
    wrong = catalog.schema(card).errors(params)
    if wrong:
        raise Invalid([Fault(pointer(["params", *path]), message) for path, message in wrong])


def adopted(creation: Creation, parent: Task, catalog: Catalog) -> Creation:
    """Return a child with what it has from its parent: parameters under `of`, and the team unless it names one.

    Raises `Invalid` when the parent is of another type or does not run, or when the whole does not fit the schema.
    """
    if parent.type != creation.child_of:
        message = f"The parent must be of type '{creation.child_of}'; the task {parent.id} is of type '{parent.type}'."
        raise Invalid.at(["parent"], message)
    if parent.state is not TaskState.RUNNING or parent.deleted:
        state = "deleted" if parent.deleted else parent.state.value
        raise Invalid.at(["parent"], f"The task {parent.id} takes no requests: it is {state}. Start it (retry) first.")
    params = {**creation.params, OF: {**parent.params, "task": parent.id}}
    card = catalog.types.get(creation.task_type)
    if card is not None:
        fits(card, params, catalog)
    inherited = {TEAM: parent.labels[TEAM]} if TEAM in parent.labels else {}
    return replace(creation, params=params, labels={**inherited, **creation.labels})


def _planned(asked: CreateBody, plan: Plan, catalog: Catalog) -> Creation:
    faults: list[Fault] = []
    for place, node in enumerate(plan.subtasks):
        path: list[str | int] = ["plan", "subtasks", place]
        faults += _operation(catalog, path, node.operation, node.pool, node.params)
        if node.undo is not None:
            faults += _operation(catalog, [*path, "undo"], node.undo.operation, node.pool, node.undo.params)
        if len(faults) >= 20:
            break
    if faults:
        raise Invalid(faults)
    subtasks = freeze(plan, catalog.operations)
    pools = {node.pool for node in subtasks}
    count = len(subtasks)
    return Creation(
        name=asked.name or f"Plan of {count} subtask{'s' if count != 1 else ''}",
        task_type=PLAN_TYPE,
        params={},
        type_version=None,
        pool=DEFAULT_POOL if DEFAULT_POOL in pools else subtasks[0].pool,
        object=_object(asked),
        labels=asked.labels,
        parent=asked.parent,
        subtasks=subtasks,
        concurrency=plan.concurrency,
        prohibit_rollback=plan.prohibit_rollback,
    )


def _operation(
    catalog: Catalog, path: list[str | int], name: str, pool: str | None, params: dict[str, Any]
) -> list[Fault]:
    card = catalog.operation(name, pool)
    if card is None:
        known = ", ".join(catalog.operations) or "none"
        return [Fault(pointer([*path, "operation"]), f"No executor offers operation '{name}'. On offer: {known}.")]
    return [
        Fault(pointer([*path, "params", *where]), message) for where, message in catalog.schema(card).errors(params)
    ]


def _object(asked: CreateBody) -> ObjectRef | None:
    found = asked.object
    return ObjectRef(kind=found.kind, id=found.id, name=found.name) if found is not None else None
