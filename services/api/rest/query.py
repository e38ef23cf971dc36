"""Query and path parameters, read by hand: what is not understood is 400 and names the parameter; unknown ones pass.

Real clients repeat path parameters in the query and send parameters of their own, so strangers are ignored (spec §3).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.requests import Request

from services.api.projection.reads import Filter
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.words import KIND, KINDS, STATES
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
    """Return the view's sort key and whether it goes down; `sort=id,desc` is the default."""
    field, _, way = (request.query_params.get("sort") or "id,desc").partition(",")
    if field not in SORTS or way.lower() not in {"", "asc", "desc"}:
        known = ", ".join(SORTS)
        raise Problem(
            400,
            1011,
            f"The parameter sort is one of {known}, followed by ,asc or ,desc.",
            target={"parameter": "sort"},
        )
    return SORTS[field], way.lower() == "desc"


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
    """Return the states that `status` (OCP's words) and `state` (ours) leave; empty means all."""
    by_status = _known(request, "status", STATES)
    by_state = _known(request, "state", {state.value: frozenset({state}) for state in TaskState})
    if not by_status or not by_state:
        return by_status or by_state
    both = by_status & by_state
    if not both:
        raise Nothing
    return both


class Nothing(Exception):  # noqa: N818  an answer
    """The filters exclude each other: the list is empty."""


def filters(request: Request) -> Filter:
    """Return the list's filter. Raises `Nothing` when no task can pass it."""
    kinds = words(request, "type")
    if unknown := [word for word in kinds if word not in KINDS]:
        raise bad_parameter("type", f"has words of {', '.join(sorted(KINDS))}, not {unknown[0][:40]}")
    if kinds and KIND not in kinds:
        raise Nothing
    kind, object_id, object_name = _object(request)
    return Filter(
        name=text(request, "name"),
        states=states(request),
        types=words(request, "taskType"),
        creators=words(request, "operator"),
        object_kind=kind,
        object_id=object_id,
        object_name=object_name,
    )


def _object(request: Request) -> tuple[str | None, str | None, str | None]:
    """Return kind, id and name of the object: ours, or OCP's host, tenant, cluster, the most specific one."""
    for kind, by_id, by_name in (
        ("host", ("hostId",), ("hostName",)),
        ("tenant", ("tenantId",), ("tenantName",)),
        ("cluster", ("clusterId",), ("clusterName", "cluterName")),
    ):
        found = text(request, *by_id), text(request, *by_name)
        if found != (None, None):
            return kind, *found
    return text(request, "objectKind"), text(request, "objectId"), text(request, "objectName")


def _known(request: Request, name: str, table: Mapping[str, frozenset[TaskState]]) -> frozenset[TaskState]:
    found: set[TaskState] = set()
    for word in words(request, name):
        if word.upper() not in table:
            raise bad_parameter(name, f"has words of {_list(table)}, not {word[:40]}")
        found |= table[word.upper()]
    return frozenset(found)


def _list(table: Iterable[str]) -> str:
    return ", ".join(sorted(table))


def _digits(given: str) -> bool:
    return given.isascii() and given.isdigit() and len(given) <= 19
