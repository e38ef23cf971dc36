"""The catalogue: which operations and task types this executor has, found through entry points, and their cards.

A third party's entry point that cannot be loaded is reported in `Catalog.broken` and left out: one bad package must
not stop the others' work. Refuses to know where cards are published.
"""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from services.executor.operations.contract import Operation
from services.executor.task_types.contract import TaskType
from shared.task.plan import Abilities, OperationCard, TypeCard

OPERATIONS = "opsledger.operations"
TASK_TYPES = "opsledger.task_types"


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry point that is not on offer, and why."""

    group: str
    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """What this executor can do, by name."""

    operations: Mapping[str, Operation[Any]] = field(default_factory=dict)
    types: Mapping[str, TaskType] = field(default_factory=dict)
    broken: tuple[Broken, ...] = ()

    def operation_cards(self, pool: str) -> list[OperationCard]:
        """Return a card per operation; `pool` stands where the operation is not tied to one of its own."""
        return [operation_card(operation, pool) for _, operation in sorted(self.operations.items())]

    def type_cards(self, pool: str) -> list[TypeCard]:
        """Return a card per task type; `pool` stands where the type is not tied to one of its own."""
        return [
            TypeCard(
                name=kind.name,
                version=kind.version,
                description=_summary(kind.description),
                params_schema=kind.params_model.model_json_schema(),
                pool=kind.pool or pool,
                standing=kind.standing,
                child_of=kind.child_of,
            )
            for _, kind in sorted(self.types.items())
        ]


def operation_card(operation: Operation[Any], pool: str) -> OperationCard:
    """Return what an executor of `pool` offers with this operation."""
    return OperationCard(
        name=operation.name,
        version=operation.version,
        description=_summary(inspect.getdoc(type(operation)) or ""),
        params_schema=operation.Params.model_json_schema(),
        abilities=Abilities(
            retry=operation.can_retry,
            skip=operation.can_skip,
            cancel=operation.can_cancel,
            undo=operation.has_undo(),
        ),
        delivery=operation.delivery,
        timeout_s=operation.timeout.total_seconds(),
        pool=operation.pool or pool,
        prohibit_rollback=operation.prohibit_rollback,
    )


def discover(found: Iterable[EntryPoint] | None = None) -> Catalog:
    """Load what is installed (or what is given) and return it; what does not load stands in `broken`."""
    points = [*entry_points(group=OPERATIONS), *entry_points(group=TASK_TYPES)] if found is None else list(found)
    operations: dict[str, Operation[Any]] = {}
    types: dict[str, TaskType] = {}
    broken: list[Broken] = []
    for point in points:
        try:
            offered = _load(point)
            kept: dict[str, Any] = operations if isinstance(offered, Operation) else types
            if offered.name in kept:
                raise TypeError(f"'{offered.name}' is already offered by another entry point")  # noqa: TRY301
            kept[offered.name] = offered
        except Exception as error:  # noqa: BLE001 - a third party's module may raise anything while it is imported
            broken.append(Broken(point.group, point.name, point.value, f"{type(error).__name__}: {error}"))
    return Catalog(operations, types, tuple(broken))


def _load(point: EntryPoint) -> Operation[Any] | TaskType:
    loaded = point.load()
    offered = loaded() if inspect.isclass(loaded) else loaded
    expected = Operation if point.group == OPERATIONS else TaskType
    if not isinstance(offered, expected):
        raise TypeError(f"{point.value} is not {'an operation' if expected is Operation else 'a task type'}")
    if offered.name != point.name:
        raise TypeError(f"the entry point says '{point.name}', what it names says '{offered.name}'")
    return offered


def _summary(text: str) -> str:
    return text.split("\n\n", 1)[0].replace("\n", " ").strip()
