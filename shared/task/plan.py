"""Plans: what a caller or a task type sends, what a task freezes, and what makes a graph unfit.

Refuses to know where operations run; it sees only their cards.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.task.refusals import PlanInvalid
from shared.task.text import Key, Name, Note, PoolName, Token

MAX_SUBTASKS = 5_000
MAX_TIMEOUT = 30 * 86_400.0
DEFAULT_POOL = "default"

Delivery = Literal["at_least_once", "at_most_once"]
Seconds = Annotated[float, Field(gt=0, le=MAX_TIMEOUT, allow_inf_nan=False)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RetryPolicy(_Wire):
    """How often a failed subtask is tried again by itself, and how many seconds after the failure."""

    times: Annotated[int, Field(ge=0, le=100)] = 0
    delay_seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 0.0


class UndoPlan(_Wire):
    """An operation that undoes what a subtask did."""

    operation: Token
    params: dict[str, Any] = {}


class SubtaskPlan(_Wire):
    """One node of a plan as its author writes it. `timeout` is in seconds."""

    key: Key
    operation: Token
    name: Name | None = None
    description: Note | None = None
    params: dict[str, Any] = {}
    upstreams: Annotated[list[Key], Field(max_length=MAX_SUBTASKS)] = []
    timeout: Seconds | None = None
    pool: PoolName | None = None
    delivery: Delivery | None = None
    retry: RetryPolicy | None = None
    prohibit_rollback: bool = False
    undo: UndoPlan | None = None


class Plan(_Wire):
    """A graph of subtasks. `concurrency` bounds how many are ready, running or being cancelled at once; 0 lifts it."""

    subtasks: list[SubtaskPlan]
    concurrency: Annotated[int, Field(ge=0, le=MAX_SUBTASKS)] = 10
    prohibit_rollback: bool = False


class Abilities(_Wire):
    """What an operation lets people do with its subtasks."""

    retry: bool = True
    skip: bool = True
    cancel: bool = True
    undo: bool = False


class OperationCard(_Wire):
    """What an executor offers: one operation with its parameters as JSON schema and its defaults."""

    name: Token
    version: int = 1
    description: str = ""
    params_schema: dict[str, Any] = {}
    abilities: Abilities = Abilities()
    delivery: Delivery = "at_least_once"
    timeout_s: Seconds = 3600.0
    pool: PoolName = DEFAULT_POOL
    prohibit_rollback: bool = False


class TypeCard(_Wire):
    """What an executor offers: one task type, a named and versioned function from parameters to a plan."""

    name: Token
    version: int = 1
    description: str = ""
    params_schema: dict[str, Any] = {}
    pool: PoolName = DEFAULT_POOL
    standing: bool = False
    """Its tasks have no subtasks of their own: they are started and stopped, and their requests are child tasks."""
    child_of: str | None = None
    """The standing type whose tasks alone may be parents of tasks of this type."""


class PlannedSubtask(_Wire):
    """A node as `task.planned` freezes it: upstreams by number (1-based place in the plan), every default filled in."""

    key: str
    name: str
    description: str | None = None
    operation: str
    params: dict[str, Any] = {}
    upstreams: tuple[int, ...] = ()
    timeout_s: float
    pool: str
    delivery: Delivery
    retry: RetryPolicy | None = None
    can_retry: bool = True
    can_skip: bool = True
    can_cancel: bool = True
    own_undo: bool = False
    undo: UndoPlan | None = None
    prohibit_rollback: bool = False

    @property
    def has_undo(self) -> bool:
        """Whether undoing does anything; without it an undo is a no-op and rollback stays legal."""
        return self.own_undo or self.undo is not None


def freeze(plan: Plan, cards: Mapping[str, OperationCard], *, pool: str | None = None) -> tuple[PlannedSubtask, ...]:
    """Check the graph and fill in what the plan leaves to the operations' cards.

    `pool` replaces a card's pool where the plan names none. Raises `PlanInvalid`, naming the node or the edge.
    """
    numbers = check_graph(plan)
    planned = []
    for node in plan.subtasks:
        card = cards.get(node.operation)
        if card is None:
            known = ", ".join(sorted(cards)) or "none"
            raise PlanInvalid(
                f"subtask '{node.key}': no executor offers operation '{node.operation}'. On offer: {known}.",
                reason="unknown_operation",
                target={"subtask": node.key, "operation": node.operation},
            )
        if node.undo is not None and node.undo.operation not in cards:
            raise PlanInvalid(
                f"subtask '{node.key}': its undo names operation '{node.undo.operation}', which no executor offers.",
                reason="unknown_operation",
                target={"subtask": node.key, "operation": node.undo.operation},
            )
        planned.append(
            PlannedSubtask(
                key=node.key,
                name=node.name or node.key,
                description=node.description,
                operation=node.operation,
                params=node.params,
                upstreams=tuple(sorted(numbers[key] for key in node.upstreams)),
                timeout_s=node.timeout or card.timeout_s,
                pool=node.pool or pool or card.pool,
                delivery=node.delivery or card.delivery,
                retry=node.retry,
                can_retry=card.abilities.retry,
                can_skip=card.abilities.skip,
                can_cancel=card.abilities.cancel,
                own_undo=card.abilities.undo,
                undo=node.undo,
                prohibit_rollback=node.prohibit_rollback or card.prohibit_rollback,
            )
        )
    return tuple(planned)


def check_graph(plan: Plan) -> dict[str, int]:
    """Return each key's number, or raise `PlanInvalid`: size, duplicate keys, unknown upstreams, self-edges, cycles."""
    nodes = plan.subtasks
    if not 1 <= len(nodes) <= MAX_SUBTASKS:
        raise PlanInvalid(
            f"a plan has 1 to {MAX_SUBTASKS} subtasks, this one has {len(nodes)}.",
            reason="size",
            target={"subtasks": len(nodes)},
        )
    numbers: dict[str, int] = {}
    for number, node in enumerate(nodes, start=1):
        if node.key in numbers:
            raise PlanInvalid(
                f"subtask key '{node.key}' stands twice, at places {numbers[node.key]} and {number}.",
                reason="duplicate_key",
                target={"subtask": node.key},
            )
        numbers[node.key] = number
    for node in nodes:
        for index, upstream in enumerate(node.upstreams):
            edge = {"subtask": node.key, "upstream": upstream}
            if upstream == node.key:
                raise PlanInvalid(f"subtask '{node.key}' names itself as upstream.", reason="cycle", target=edge)
            if upstream not in numbers:
                raise PlanInvalid(
                    f"subtask '{node.key}' names upstream '{upstream}', which is not in the plan.",
                    reason="unknown_upstream",
                    target=edge,
                )
            if upstream in node.upstreams[:index]:
                raise PlanInvalid(
                    f"subtask '{node.key}' names upstream '{upstream}' twice.", reason="duplicate_upstream", target=edge
                )
    _check_acyclic(nodes)
    return numbers


def _check_acyclic(nodes: list[SubtaskPlan]) -> None:
    waiting = {node.key: len(node.upstreams) for node in nodes}
    downstreams: dict[str, list[str]] = {node.key: [] for node in nodes}
    for node in nodes:
        for upstream in node.upstreams:
            downstreams[upstream].append(node.key)
    free = [key for key, count in waiting.items() if count == 0]
    while free:
        key = free.pop()
        del waiting[key]
        for follower in downstreams[key]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                free.append(follower)
    if not waiting:
        return
    upstreams = {node.key: node.upstreams for node in nodes}
    path = [next(iter(waiting))]
    while path[-1] not in path[:-1]:
        path.append(next(key for key in upstreams[path[-1]] if key in waiting))
    loop = path[path.index(path[-1]) :]
    shown = " ← ".join(f"'{key}'" for key in (loop if len(loop) <= 8 else [*loop[:7], "…", loop[-1]]))
    raise PlanInvalid(
        f"the subtasks wait for each other in a circle: {shown}.",
        reason="cycle",
        target={"subtask": loop[0], "upstream": loop[1], "cycle": loop[:50]},
    )
