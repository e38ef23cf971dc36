"""The state of a task: what its events add up to. Holds no rule; `evolve.py` has them.

A `Task` seen outside `shared` is never changed: `draft()` makes a copy that shares what it does not change, so that
one commit costs what it changes and not the size of the task.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from shared.task.events import Item, ObjectRef, PlanRef, Problem
from shared.task.plan import PlannedSubtask
from shared.task.words import ACTIVE, ENDED, Direction, Operation, SubtaskStatus, TaskState

__all__ = [
    "ACTIVE",
    "ENDED",
    "UNSEALED",
    "Actor",
    "Claim",
    "Direction",
    "KeyUse",
    "Operation",
    "Subtask",
    "SubtaskStatus",
    "Task",
    "TaskState",
]


UNSEALED = 0
"""The fence of a claim whose commit has no sequence yet."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: `kind` is user, executor or system; `via` the door it came in by."""

    kind: str
    name: str
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An executor's hold on a subtask. `fence` is the stream sequence of the commit that made it."""

    fence: int
    incarnation: str
    executor: str
    item: Item
    phase: str


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The first use of an idempotency key: what was asked and what became of it."""

    body_hash: str
    decision: str
    accepted: bool
    code: int
    seq: int
    message: str = ""
    kind: str = ""
    target: dict[str, Any] | None = None


@dataclass
class Subtask:
    """One node. Only `evolve` writes to it, and only in a draft.

    Without slots on purpose: copying `__dict__` takes 0.5 µs, copying slots takes 2.6 µs, and every change copies.
    """

    number: int
    plan: PlannedSubtask
    downstreams: tuple[int, ...]
    status: SubtaskStatus = SubtaskStatus.PENDING
    operation: Operation = Operation.EXECUTE
    generation: int = 1
    attempt: int = 0
    """How often it was claimed, in either phase; with the generation it names the work item."""
    run_time: int = 0
    """How often it was executed (OCP's `runTime`)."""
    tries: int = 0
    """How often it was executed in this generation: what the retry budget counts."""
    losses: int = 0
    """How many executors were lost over it in this generation."""
    recalls: int = 0
    """How often it was taken back from READY unclaimed: an item queued before that does not stand for the next one."""
    ran_generation: int = 1
    """The generation it last executed in: an undo gets the token of what it undoes."""
    claim: Claim | None = None
    executor: str | None = None
    retry_at: float | None = None
    missing: int = 0
    """How many upstreams are not SUCCESSFUL."""
    holding: int = 0
    """In a rollback: how many downstreams are still to be undone."""
    touched: bool = False
    """It has started since it was last undone, so a rollback must visit it."""
    to_undo: bool = False
    """A rollback waits to undo it."""
    undo_first: bool = False
    """The next claim undoes the failed attempt before it executes."""
    commanded: bool = False
    """A command made it READY; fail-stop leaves it alone."""
    resting: SubtaskStatus = SubtaskStatus.PENDING
    """What it was before it became READY, and `rested_at` when that had ended: a rollback that stops puts it back."""
    rested_at: datetime | None = None
    output: Any = None
    output_ref: dict[str, Any] | None = None
    problem: Problem | None = None
    ready_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass
class Task:
    """One task. Only `evolve` writes to it, and only in a draft."""

    id: int
    name: str
    type: str
    creator: Actor
    created_at: datetime
    pool: str
    type_version: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    object: ObjectRef | None = None
    labels: dict[str, str] = field(default_factory=dict)
    parent: int | None = None
    plan_ref: PlanRef | None = None
    standing: bool = False
    """It never has subtasks; it is RUNNING until it is cancelled, and `started_at` is when it was last started."""

    state: TaskState = TaskState.INITIALIZING
    operation: Operation = Operation.EXECUTE
    direction: Direction = Direction.FORWARD
    concurrency: int = 10
    prohibit_rollback: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    problem: Problem | None = None
    cancelled: bool = False
    deleted: bool = False
    turn: int = 0
    """How many operator commands took effect."""

    plan_id: str | None = None
    parts: tuple[tuple[PlannedSubtask, ...], ...] = ()
    """Parts of a plan that is not complete yet."""
    subtasks: list[Subtask] = field(default_factory=list)
    counts: dict[SubtaskStatus, int] = field(default_factory=lambda: dict.fromkeys(SubtaskStatus, 0))
    waiting_failed: int = 0
    """How many FAILED subtasks wait to be undone: they do not stop a rollback."""
    waiting_undo: int = 0
    """How many subtasks a rollback has still to undo."""
    eligible: list[int] = field(default_factory=list)
    """Heap of numbers that may become READY; entries are checked when taken."""
    keys: dict[str, KeyUse] = field(default_factory=dict)

    created_seq: int = 0
    seq: int = 0
    """Stream sequence of the task's last commit."""
    head: str = ""
    """Hash of the task's last commit body."""
    version: int = 0
    """How many commits changed the state (`If-Match`)."""
    ignored: int = 0
    """Events the fold skipped: unknown types, stale fences, copies."""

    fresh: set[int] | None = None
    """Draft only: numbers whose `Subtask` is the draft's own. None: all are."""
    newly_ready: list[int] = field(default_factory=list)
    """Draft only: numbers that became READY."""
    unsealed: list[int] = field(default_factory=list)
    """Draft only: numbers whose claim has no fence yet."""
    changed: set[int] = field(default_factory=set)
    """Draft only: numbers whose subtask changed (the projection writes just these)."""

    def draft(self) -> Self:
        """Return a copy that may be changed without the original seeing it."""
        task = object.__new__(type(self))
        task.__dict__.update(self.__dict__)
        task.subtasks = self.subtasks.copy()
        task.counts = self.counts.copy()
        task.eligible = self.eligible.copy()
        task.fresh = set()
        task.newly_ready = []
        task.unsealed = self.unsealed.copy()
        task.changed = set()
        return task

    def edit(self, number: int) -> Subtask:
        """Return the draft's own copy of subtask `number` and note it as changed."""
        self.changed.add(number)
        fresh = self.fresh
        if fresh is None or number in fresh:
            return self.subtasks[number - 1]
        fresh.add(number)
        subtask = object.__new__(Subtask)
        subtask.__dict__.update(self.subtasks[number - 1].__dict__)
        self.subtasks[number - 1] = subtask
        return subtask

    def find(self, number: int) -> Subtask | None:
        """Return subtask `number`, or None when the task has no such one."""
        return self.subtasks[number - 1] if 1 <= number <= len(self.subtasks) else None

    @property
    def ended(self) -> bool:
        """SUCCESSFUL, FAILED or CANCELLED: nothing of it is READY, RUNNING or CANCELING (P8)."""
        return self.state in ENDED

    @property
    def active(self) -> int:
        """How many subtasks are READY, RUNNING or CANCELING."""
        counts = self.counts
        return counts[SubtaskStatus.READY] + counts[SubtaskStatus.RUNNING] + counts[SubtaskStatus.CANCELING]

    @property
    def stopped(self) -> bool:
        """Whether a failure keeps anything new from becoming READY (fail-stop, R2)."""
        return self.counts[SubtaskStatus.FAILED] > self.waiting_failed

    def ready(self) -> list[int]:
        """Return the numbers of all READY subtasks."""
        if not self.counts[SubtaskStatus.READY]:
            return []
        return [subtask.number for subtask in self.subtasks if subtask.status is SubtaskStatus.READY]

    def rollback_prohibited(self) -> bool:
        """The plan forbids it, or a subtask that has left PENDING and READY does (specification §3.1)."""
        if self.prohibit_rollback:
            return True
        resting = (SubtaskStatus.PENDING, SubtaskStatus.READY)
        return any(s.plan.prohibit_rollback and (s.status not in resting or s.touched) for s in self.subtasks)
