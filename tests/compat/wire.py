"""What OCP's documents say about values on the wire, in words of our own: types to the letter, nothing null.

Written from the published documents and kept apart from what the API is built with, so that both can be wrong only
once.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Check = Callable[[Any], bool]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)")


def number(value: Any) -> bool:
    """A JSON number without a fraction that a Java Long takes; true and "1" are none."""
    return type(value) is int and -(2**63) <= value < 2**63


def text(value: Any) -> bool:
    """A JSON string."""
    return type(value) is str


def flag(value: Any) -> bool:
    """A JSON boolean."""
    return type(value) is bool


def moment(value: Any) -> bool:
    """ISO-8601 with an offset."""
    return type(value) is str and bool(_TIME.fullmatch(value)) and datetime.fromisoformat(value).tzinfo is not None


def one_of(*words: str) -> Check:
    """One of these words."""
    return lambda value: type(value) is str and value in words


def numbers(value: Any) -> bool:
    """An array of numbers."""
    return type(value) is list and all(number(one) for one in value)


TASK_STATUS = one_of("RUNNING", "FAILED", "SUCCESSFUL")
TASK_OPERATION = one_of("EXECUTE", "RETRY", "ROLLBACK")
SUBTASK_STATUS = one_of("PENDING", "READY", "RUNNING", "CANCELING", "FAILED", "SUCCESSFUL")
SUBTASK_OPERATION = one_of("EXECUTE", "RETRY", "ROLLBACK", "SKIP", "CANCEL")

ENVELOPE = {
    "successful": flag,
    "timestamp": moment,
    "duration": number,
    "status": number,
    "traceId": text,
    "server": text,
}
PAGE: dict[str, Check] = dict.fromkeys(("totalElements", "totalPages", "totalPage", "number", "size"), number)
CREATOR = {"id": number, "name": text}
BASIC_SUBTASK = {
    "id": number,
    "name": text,
    "description": text,
    "status": SUBTASK_STATUS,
    "operation": SUBTASK_OPERATION,
}
SUBTASK = BASIC_SUBTASK | {
    "seriesId": number,
    "timeout": number,
    "runTime": number,
    "nodeType": one_of("JAVA_TASK"),
    "parallelIdx": number,
    "upstreams": numbers,
    "downstreams": numbers,
    "prohibitRollback": flag,
    "createTime": moment,
}
SUBTASK_LATER = {"executor": text, "startTime": moment, "finishTime": moment}
BASIC_TASK = {"id": number, "name": text, "status": TASK_STATUS}
TASK_LATER = {"startTime": moment, "finishTime": moment}
TASK = BASIC_TASK | {
    "taskDefinitionId": number,
    "type": one_of("MANUAL", "SYS_ONECE", "SYS_ONCE", "SCHEDULED", "SYS_SCHEDULED"),
    "operation": TASK_OPERATION,
    "prohibitRollback": flag,
    "createTime": moment,
}


def holds(value: Mapping[str, Any], must: Mapping[str, Check], may: Mapping[str, Check] | None = None) -> None:
    """Fail unless all fields of `must` are there, and every field that is named has its type."""
    for name, check in must.items():
        assert name in value, f"{name} is missing in {value}"
        assert check(value[name]), f"{name} is {value[name]!r}"
    for name, check in (may or {}).items():
        assert name not in value or check(value[name]), f"{name} is {value[name]!r}"


def nothing_null(value: Any, place: str = "") -> None:
    """Fail where a null stands: what is absent is left out."""
    assert value is not None, place
    for name, child in value.items() if isinstance(value, dict) else ():
        if name not in {"params", "output", "labels"}:  # a caller's own
            nothing_null(child, f"{place}/{name}")
    for place_in, child in enumerate(value if isinstance(value, list) else ()):
        nothing_null(child, f"{place}/{place_in}")


def envelope(answer: Any, status: int = 200) -> dict[str, Any]:
    """The body of a good answer, its envelope checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body: dict[str, Any] = answer.json()
    holds(body, ENVELOPE)
    nothing_null(body)
    assert body["successful"] is True
    assert body["status"] == status
    assert "error" not in body
    return body


def data(answer: Any, status: int = 200) -> Any:
    """The data of a good answer."""
    return envelope(answer, status)["data"]


def no_data(answer: Any) -> None:
    """Fail unless the answer is good and has no data at all."""
    assert "data" not in envelope(answer)


def error(answer: Any, status: int, code: int) -> dict[str, Any]:
    """The error of a refusal, its envelope checked."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    holds(body, ENVELOPE)
    nothing_null(body)
    assert (body["successful"], body["status"]) == (False, status)
    assert "data" not in body
    found: dict[str, Any] = body["error"]
    holds(found, {"code": number, "message": text}, {"debugMessage": text})
    assert found["code"] == code, found
    assert "stackTrace" not in found
    return found


def basic_task(value: dict[str, Any]) -> None:
    """Fail unless it is a BasicTaskInstance."""
    holds(value, BASIC_TASK, TASK_LATER)
    holds(value["creator"], CREATOR)
    for subtask in value["subtasks"]:
        holds(subtask, BASIC_SUBTASK)


def task(value: dict[str, Any]) -> None:
    """Fail unless it is a WrappedTaskInstance."""
    holds(value, TASK, TASK_LATER | {"executor": text})
    holds(value["creator"], CREATOR)
    for found in value["subtasks"]:
        holds(found, SUBTASK, SUBTASK_LATER)


@dataclass
class Run:
    """One run in a subtask's log."""

    operation: str
    at: str
    lines: list[str]


def runs(log: str) -> list[Run]:
    """A log split as OCP's pages split it: twelve hashes, the operation, the time, twelve hashes."""
    parts = re.split(r"#{12}\{(\S*)\}\{(\S*)\}#{12}", log)
    assert not parts[0], parts[0]
    found = []
    for place in range(1, len(parts), 3):
        operation, at, text = parts[place : place + 3]
        found.append(Run(operation, at, text.strip("\n").split("\n")))
    return found
