"""Query and path parameters, read by hand: what is not understood is 400 and names the parameter; unknown ones pass.

Real clients repeat path parameters in the query and send parameters of their own, so strangers are ignored (spec §3).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from starlette.requests import Request

from services.api.projection.page import BadCursor, Cursor
from services.api.projection.reads import Filter, Thing
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import principal
from services.api.rest.times import ago, moment
from services.api.rest.words import FILTERS, KIND, KINDS, LABELS, OWN, Labels, plain
from shared.runtime.clock import now
from shared.task.ids import MAX_TASK_ID, split_subtask_id
from shared.task.refusals import SubtaskNotFound, TaskNotFound
from shared.task.state import TaskState

MAX_SIZE: Final = 2000
MAX_PAGE: Final = 1_000_000
MAX_TEXT: Final = 300
MAX_WORDS: Final = 100
SORTS: Final[Mapping[str, str]] = {
    "id": "id",
    "name": "name",
    "status": "state",
    "state": "state",
    "taskType": "type",
    "operator": "creator",
    "creator": "creator",
    "createTime": "created_at",
    "startTime": "started_at",
    "finishTime": "finished_at",
    "object": "object",
}
"""What a list can be sorted by, as callers call it and as the view does."""


def number(
    request: Request, name: str, default: int | None = None, *, least: int = 0, most: int = 2**63 - 1
) -> int | None:
    """Return a whole number in a range, or `default` when it is not given."""
    given = request.query_params.get(name)
    if given is None or given == "":
        return default
    if not _digits(given) or not least <= int(given) <= most:
        raise bad_parameter(name, f"is a whole number from {least} to {most}")
    return int(given)


def flag(request: Request, name: str) -> bool:
    """Return whether a switch is on; it is off when it is not given."""
    given = request.query_params.get(name, "").lower()
    if given not in {"", "true", "false", "1", "0"}:
        raise bad_parameter(name, "is true or false")
    return given in {"true", "1"}


def task_id(request: Request) -> int:
    """Return the task id in the path; what cannot be one is a task that does not exist (B11)."""
    given = request.path_params["task_id"]
    if not _digits(given) or not 1 <= int(given) <= MAX_TASK_ID:
        raise TaskNotFound(f"The task {given[:40]} does not exist.")
    return int(given)


def subtask_number(request: Request, task: int) -> int:
    """Return the number of the subtask id in the path, which must be of that task."""
    given = request.path_params["subtask_id"]
    owner, found = split_subtask_id(int(given)) if _digits(given) else (0, 0)
    if owner != task or found < 1:
        raise SubtaskNotFound(f"The subtask {given[:40]} does not exist in task {task}.")
    return found


def min_seq(request: Request) -> int | None:
    """Return the log position the view must have reached, or None."""
    return number(request, "min_seq")


def paging(request: Request) -> tuple[int, int]:
    """Return page (from 1) and size."""
    page = number(request, "page", 1, least=1, most=MAX_PAGE) or 1
    return page, number(request, "size", 10, least=1, most=MAX_SIZE) or 10


def sorting(request: Request) -> tuple[str, bool]:
    """Return the view's sort key and whether it goes down: the newest first unless told (`sort=id,desc`).

    Who asks for a range of creation times gets the newest of these first, which is the same but for clocks that differ.
    """
    given = request.query_params.get("sort")
    if not given:
        ranged = any(request.query_params.get(name) for name in ("createdFrom", "createdTo", "since"))
        return ("created_at" if ranged else "id"), True
    field, _, way = given.partition(",")
    if field not in SORTS or way.lower() not in {"", "asc", "desc"}:
        known = ", ".join(SORTS)
        raise bad_parameter("sort", f"is one of {known}, followed by ,asc or ,desc", code=1011)
    return SORTS[field], way.lower() == "desc"


def cursor(request: Request) -> Cursor | None:
    """Return where the list goes on, or None at its beginning; the cursor says sort, direction and page, too."""
    given = request.query_params.get("cursor")
    if not given:
        return None
    try:
        found = Cursor.of(given)
    except BadCursor:
        raise bad_parameter("cursor", "is none that a list gave") from None
    if request.query_params.get("sort") and sorting(request) != (found.sort, found.descending):
        raise bad_parameter("cursor", "belongs to a list with another sort")
    return found


def words(request: Request, name: str) -> tuple[str, ...]:
    """Return the words of a parameter: repeated, or separated by commas."""
    found = [word.strip() for given in request.query_params.getlist(name) for word in given.split(",")]
    found = list(dict.fromkeys(word for word in found if word))
    if len(found) > MAX_WORDS or any(len(word) > MAX_TEXT for word in found):
        raise bad_parameter(name, f"has at most {MAX_WORDS} words of {MAX_TEXT} characters")
    return tuple(found)


def text(request: Request, *names: str) -> str | None:
    """Return a text given under any of these names; given twice with different values is 400."""
    found = {value for name in names for value in request.query_params.getlist(name) if value}
    if len(found) > 1:
        raise bad_parameter(" / ".join(names), "is given twice with different values")
    value = found.pop() if found else None
    if value is not None and (len(value) > MAX_TEXT or "\0" in value):
        raise bad_parameter(names[0], f"has at most {MAX_TEXT} characters, none of them NUL")
    return value


def states(request: Request) -> frozenset[TaskState]:
    """Return the states that `status` (OCP's words, or the dialect's) and `state` (ours) leave; empty means all."""
    by_status = _known(request, "status", FILTERS[dialect(request)])
    by_state = _known(request, "state", OWN)
    if not by_status or not by_state:
        return by_status or by_state
    both = by_status & by_state
    if not both:
        raise Nothing
    return both


def dialect(request: Request) -> str:
    """Return whose words the caller speaks: ocp unless `dialect` says oms or odc."""
    given = request.query_params.get("dialect", "").lower() or "ocp"
    if given not in LABELS:
        raise bad_parameter("dialect", f"is one of {', '.join(LABELS)}")
    return given


def labels(request: Request) -> Labels:
    """Return what the caller's dialect calls the states; nothing in OCP's, whose word is always there."""
    return LABELS[dialect(request)]


class Nothing(Exception):  # noqa: N818  an answer
    """The filters exclude each other: the list is empty."""


def filters(request: Request) -> Filter:
    """Return the list's filter. Raises `Nothing` when no task can pass it."""
    kinds = words(request, "type")
    if unknown := [word for word in kinds if word not in KINDS]:
        raise bad_parameter("type", f"has words of {', '.join(sorted(KINDS))}, not {unknown[0][:40]}")
    if kinds and KIND not in kinds:
        raise Nothing
    created_from, created_before = _created(request)
    finished_from, finished_before = moment(request, "finishedFrom"), moment(request, "finishedTo")
    if finished_from is not None and finished_before is not None and finished_from >= finished_before:
        raise Nothing
    return Filter(
        name=text(request, "name"),
        states=states(request),
        types=words(request, "taskType"),
        creators=words(request, "operator"),
        object_kind=text(request, "objectKind"),
        object_id=text(request, "objectId"),
        object_name=text(request, "objectName"),
        things=_things(request),
        labels=_labels(request),
        text=text(request, "text"),
        parent=number(request, "parent", least=1),
        created_from=created_from,
        created_before=created_before,
        finished_from=finished_from,
        finished_before=finished_before,
        ids=_ids(request),
        teams=principal(request).teams,
    )


def _created(request: Request) -> tuple[datetime | None, datetime | None]:
    """Return the range of creation times: the later of `createdFrom` and `since`, and `createdTo`."""
    begins = [at for at in (moment(request, "createdFrom"), ago(request, "since", now())) if at is not None]
    first, before = max(begins, default=None), moment(request, "createdTo")
    if first is not None and before is not None and first >= before:
        raise Nothing
    return first, before


def _labels(request: Request) -> dict[str, str]:
    """Return the labels that must all be there: `label=key:value`, repeated for several."""
    found: dict[str, str] = {}
    for given in request.query_params.getlist("label"):
        key, colon, value = given.partition(":")
        if not key or not colon or len(given) > MAX_TEXT or "\0" in given:
            raise bad_parameter("label", f"is key:value, at most {MAX_TEXT} characters")
        if found.setdefault(key, value) != value:
            raise Nothing
    if len(found) > MAX_WORDS:
        raise bad_parameter("label", f"is given at most {MAX_WORDS} times")
    return found


def _ids(request: Request) -> tuple[int, ...]:
    given = words(request, "ids")
    if not all(_digits(word) and int(word) <= MAX_TASK_ID for word in given):
        raise bad_parameter("ids", "is a list of task ids, separated by commas")
    return tuple(int(word) for word in given)


def _things(request: Request) -> tuple[Thing, ...]:
    """Return OCP's cluster, tenant and host, which must all fit; part of a name is enough."""
    found = []
    for kind, names in (
        ("cluster", ("cluterName", "clusterName")),
        ("tenant", ("tenantName",)),
        ("host", ("hostName",)),
    ):
        given, name = number(request, f"{kind}Id"), text(request, *names)
        if given is not None or name is not None:
            found.append(Thing(kind, str(given) if given is not None else None, name))
    return tuple(found)


def _known(request: Request, name: str, table: Mapping[str, frozenset[TaskState]]) -> frozenset[TaskState]:
    found: set[TaskState] = set()
    for word in words(request, name):
        if plain(word) not in table:
            raise bad_parameter(name, f"has words of {_list(table)}, not {word[:40]}")
        found |= table[plain(word)]
    return frozenset(found)


def _list(table: Iterable[str]) -> str:
    return ", ".join(sorted(table))


def _digits(given: str) -> bool:
    return given.isascii() and given.isdigit() and len(given) <= 19
