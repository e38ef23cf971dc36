"""The shapes of synchronisation tasks: what is sent, what is answered, and the parameters that routes read by hand."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.api.projection.sync_counts import KINDS
from services.api.rest import openapi
from services.api.rest.schemas import Shape, State, Status
from shared.messages.object_lists import FOLDERS, NAME

MAX_KEYS: Final = 10_000
ObjectKey = Annotated[str, StringConstraints(min_length=1, max_length=16_384)]
"""What a key may be is the task type's to say; here only what is too long to be one."""


class RequestBody(BaseModel):
    """What to synchronise now: these objects, or everything whose key begins with a prefix ('' is everything)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: Annotated[list[ObjectKey], Field(min_length=1, max_length=MAX_KEYS)] | None = None
    prefix: Annotated[str, StringConstraints(max_length=16_384)] | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.keys is None) == (self.prefix is None):
            raise ValueError("either 'keys' or 'prefix' is needed, and not both")
        return self


class SyncCounts(Shape):
    """Objects asked for, synced, failed, ignored; bytes of those synced."""

    requested: int
    synced: int
    failed: int
    ignored: int
    bytes: int


class SyncTask(Shape):
    """A synchronisation task with a calendar month's (UTC) counts; `startTime` is when it was last started."""

    id: int
    name: str
    state: State
    status: Status
    source: Any = None
    destination: Any = None
    description: str | None = None
    labels: dict[str, str]
    create_time: datetime
    start_time: datetime | None = None
    month: str
    counts: SyncCounts
    allowed: list[str]


class SyncTasks(Shape):
    """A page of them, the newest first."""

    contents: list[SyncTask]
    page: dict[str, Any]


class SyncPoint(Shape):
    """How much happened from `at` on; times at which nothing happened are left out."""

    at: datetime
    n: int


class SyncStatistics(Shape):
    """A series for each kind, by five minutes or by the hour."""

    id: int
    step_seconds: Literal[300, 3600]
    series: dict[str, list[SyncPoint]]


class ObjectListShape(Shape):
    """One list: `size` in bytes, `time` when it was written."""

    name: str
    size: int
    time: datetime


class ObjectListsShape(Shape):
    """The newest lists of a directory of the destination; `totalExact` is false when there are more than `total`."""

    id: int
    destination: str
    directory: str
    contents: list[ObjectListShape]
    total: int
    total_exact: bool


MONTH: Final = {
    "name": "month",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"},
    "description": "Calendar month in UTC; this month by default.",
}
_TYPES: Final = {"type": "array", "items": {"type": "string", "enum": list(KINDS)}}
_TIME: Final = {"type": "string", "format": "date-time"}
STATISTICS: Final = [
    openapi.TASK,
    {
        "name": "types",
        "in": "query",
        "required": False,
        "schema": _TYPES,
        "style": "form",
        "explode": False,
        "description": "Which series; all by default. SIZE is in bytes, the others count objects.",
    },
    {"name": "from", "in": "query", "required": False, "schema": _TIME, "description": "24 hours ago by default."},
    {"name": "to", "in": "query", "required": False, "schema": _TIME, "description": "Now by default; excluded."},
    openapi.MIN_SEQ,
]
LIST: Final = [*openapi.PAGING, MONTH, openapi.MIN_SEQ]
ONE: Final = [openapi.TASK, MONTH, openapi.MIN_SEQ]
_WHICH: Final = {
    "name": "which",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "enum": list(FOLDERS)},
    "description": "What is listed.",
}
LISTS: Final = [
    openapi.TASK,
    _WHICH,
    {
        "name": "child",
        "in": "query",
        "required": False,
        "schema": {"type": "integer", "format": "int64", "minimum": 1},
        "description": "The lists of this child task alone.",
    },
]
LIST_FILE: Final = [
    openapi.TASK,
    _WHICH,
    {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "pattern": NAME}},
]
