"""What the lists look like: ours, OMS's and ODC's, each with its columns, its words for states and its tasks.

A look is data: which tasks a search finds in it, and how it is drawn, stands elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.api.console import badge
from services.api.console.badge import Badge
from services.api.rest import odc
from services.api.rest.words import ODC, OMS, plain
from shared.task.words import Direction, TaskState


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key in the address, its word in the head, what REST calls its sort, the classes of its cells."""

    key: str
    word: str
    sort: str = ""
    kind: str = "fit"


@dataclass(frozen=True, slots=True)
class Chip:
    """A choice above the list: a word, how the search box says it, and the states that it stands for."""

    word: str
    said: str
    states: frozenset[TaskState]


@dataclass(frozen=True, slots=True)
class Look:
    """One list. `usual` are the columns shown unless the address chooses; `types` are its only task types, if any.

    `dialect` is whose words `status:` has here; `qualifier` is what a chip writes into the search box.
    """

    path: str
    name: str
    about: str
    columns: tuple[Column, ...]
    usual: tuple[str, ...]
    chips: tuple[Chip, ...]
    dialect: str = "ocp"
    qualifier: str = "state"
    types: tuple[str, ...] = ()
    bulk: bool = True
    badges: Mapping[TaskState, Badge] | None = None

    def badge(self, state: TaskState, direction: Direction, *, cancelling: bool) -> Badge:
        """Return the sign of a task's state in this look's words."""
        if self.badges is not None:
            return self.badges[state]
        return badge.of_task(state, direction, cancelling=cancelling)

    def chosen(self, given: str) -> tuple[Column, ...]:
        """Return the columns of an address (`id,name`), in the look's order; the usual ones for none that we know."""
        keys = {key for key in given.split(",") if key}
        found = tuple(column for column in self.columns if column.key in keys)
        return found or tuple(column for column in self.columns if column.key in self.usual)


def _labelled(labels: Mapping[TaskState, str], tones: Mapping[str, tuple[str, str]]) -> dict[TaskState, Badge]:
    return {state: Badge(tones[label][0], label, tones[label][1]) for state, label in labels.items()}


def _chips(labels: Mapping[TaskState, str]) -> Iterable[Chip]:
    for label in dict.fromkeys(labels.values()):
        yield Chip(label, plain(label).lower(), frozenset(state for state in labels if labels[state] == label))


_ORDER: Final = (
    TaskState.INITIALIZING,
    TaskState.READY,
    TaskState.RUNNING,
    TaskState.FAILED,
    TaskState.SUCCESSFUL,
    TaskState.CANCELLED,
)
_OMS: Final = {
    "Initializing": ("◌", "busy"),
    "Ready": ("◌", "busy"),
    "In Progress": ("▶", "busy"),
    "Successful": ("✓", "good"),
    "Failed": ("✕", "bad"),
}
_ODC: Final = {
    "Preparing": ("◌", "busy"),
    "Running": ("▶", "busy"),
    "Completed": ("✓", "good"),
    "Failed": ("✕", "bad"),
    "Aborted": ("■", "idle"),
}
_ID: Final = Column("id", "ID", "id", "fit number")
_STATUS: Final = Column("status", "Status", "state", "fit")
_OBJECT: Final = Column("object", "Object", "object", "some spare")
_OPERATOR: Final = Column("operator", "Operator", "operator", "fit spare")
_PROGRESS: Final = Column("progress", "Progress", kind="wide")
_CREATED: Final = Column("created", "Created", "createTime", "fit")
_COMPLETED: Final = Column("completed", "Completed", "finishTime", "fit spare")

OURS: Final = Look(
    path="/tasks",
    name="Tasks",
    about="",
    columns=(
        _ID,
        _STATUS,
        Column("name", "Name", "name", "wide"),
        Column("type", "Type", "taskType", "fit spare"),
        _OBJECT,
        _OPERATOR,
        _PROGRESS,
        _CREATED,
        Column("started", "Started", "startTime", "fit spare"),
        _COMPLETED,
        Column("duration", "Duration", kind="fit spare number"),
        Column("labels", "Labels", kind="some spare"),
        Column("pool", "Pool", kind="fit spare"),
        Column("parent", "Parent", kind="fit spare number"),
    ),
    usual=("id", "status", "name", "object", "operator", "progress", "created", "completed", "duration"),
    chips=tuple(
        Chip(badge.of_task(state, Direction.FORWARD).word, state.value.lower(), frozenset({state})) for state in _ORDER
    ),
)
OMS_LOOK: Final = Look(
    path="/oms",
    name="O&M tasks",
    about="Every task in the columns and words of OceanBase Migration Service.",
    columns=(
        _ID,
        Column("kind", "Task Type", "taskType", "wide"),
        _OPERATOR,
        Column("object", "Object", "object", "some"),
        Column("created", "Creation Time", "createTime"),
        Column("completed", "Completion Time", "finishTime", "fit spare"),
        _STATUS,
        Column("acts", "Operation"),
    ),
    usual=("id", "kind", "operator", "object", "created", "completed", "status", "acts"),
    chips=tuple(_chips(OMS)),
    dialect="oms",
    qualifier="status",
    badges=_labelled(OMS, _OMS),
)
ODC_LOOK: Final = Look(
    path="/odc",
    name="Asynchronous execution",
    about="SQL scripts and mock data in the columns and words of OceanBase Developer Center.",
    columns=(
        Column("connection", "Connection", kind="some"),
        Column("task", "Task Name", "name", "wide"),
        Column("created", "Created At", "createTime"),
        Column("status", "Task Status", "state"),
        _OPERATOR,
        Column("acts", "Actions"),
    ),
    usual=("connection", "task", "created", "status", "acts"),
    chips=tuple(_chips(ODC)),
    dialect="odc",
    qualifier="status",
    types=tuple(odc.TYPES),
    badges=_labelled(ODC, _ODC),
)
LOOKS: Final = {look.path: look for look in (OURS, OMS_LOOK, ODC_LOOK)}
