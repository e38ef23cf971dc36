"""A task in a list, as pages say it: every look's cells, and what its operations are. Knows no markup and no SQL."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.api.access import COMMANDS, Principal
from services.api.console.badge import Badge
from services.api.console.list_look import OURS, Look
from services.api.console.shown import VIA
from services.api.console.span import lasted
from services.api.projection.view import TaskRow
from services.api.rest import odc
from shared.task.state import TaskState

MAX_SAID: Final = 160
"""Characters of an error that a list shows; the task's page has all of it."""
RESULTS: Final = "sql.script"
"""The type whose tasks may have results to download."""
_ODC_COMMANDS: Final = {"Abort": "cancel", "Delete": "delete"}


@dataclass(frozen=True, slots=True)
class Operation:
    """A link of a row. `dialog`: it is a command, shown above the list."""

    word: str
    href: str
    dialog: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A task in a list. `kind`: the object's; `said`: what it is at, or its last error in one line (`wrong`)."""

    id: int
    badge: Badge
    name: str
    type: str
    object: str
    kind: str
    operator: str
    via: str
    done: int
    total: int
    said: str
    wrong: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration: str
    labels: str
    pool: str
    parent: int | None
    connection: str
    acts: tuple[Operation, ...]


def row(task: TaskRow, now: datetime, look: Look = OURS, who: Principal | None = None) -> Row:
    """Return what a look shows of a task to somebody."""
    said, wrong = _said(task)
    connection = task.params.get("connection")
    return Row(
        id=task.id,
        badge=look.badge(task.state, task.direction, cancelling=task.cancelled),
        name=task.name,
        type=task.type,
        object=task.object_name or "",
        kind=task.object_kind or "",
        operator=task.creator_name,
        via=VIA.get(task.creator_via or "", task.creator_via or ""),
        done=task.successful,
        total=task.total,
        said=said,
        wrong=wrong,
        created_at=task.created_at,
        started_at=task.started_at,
        finished_at=task.finished_at,
        duration=lasted(task.started_at, task.finished_at, now),
        labels=", ".join(f"{key}={value}" for key, value in sorted(task.labels.items())),
        pool=task.pool,
        parent=task.parent,
        connection=connection if isinstance(connection, str) else "",
        acts=tuple(_acts(task, look, who)),
    )


def _said(task: TaskRow) -> tuple[str, bool]:
    wrong = task.state is TaskState.FAILED
    message = str((task.problem or {}).get("message", "")) if wrong else ""
    line = (message.strip().splitlines() or [""])[0]
    line = line if len(line) <= MAX_SAID else line[: MAX_SAID - 1] + "…"
    step = "" if task.state is TaskState.SUCCESSFUL else task.step or ""
    return (line if line.startswith(f"{step}:") else ": ".join(part for part in (step, line) if part)), wrong


def _acts(task: TaskRow, look: Look, who: Principal | None) -> list[Operation]:
    if look.dialect == "oms":
        lawful = ("retry", "skip") if task.state is TaskState.FAILED else ()
        return [_command(task, word.capitalize(), word) for word in lawful if _may(who, word)]
    if look.dialect != "odc":
        return []
    about = odc.columns(
        type_=task.type, name=task.name, params=task.params, created_at=task.created_at, state=task.state,
        operation=task.operation, direction=task.direction, problem=(task.problem or {}).get("kind"),
    )  # fmt: skip
    found = [Operation("View", f"/tasks/{task.id}")]
    words = about["actions"] if about is not None else []
    found += [
        _command(task, word, _ODC_COMMANDS[word])
        for word in words
        if word in _ODC_COMMANDS and _may(who, _ODC_COMMANDS[word])
    ]
    if task.type == RESULTS and task.successful:
        found.append(Operation("Results", f"/tasks/{task.id}?view=results"))
    return found


def _command(task: TaskRow, word: str, command: str) -> Operation:
    return Operation(word, f"/tasks/{task.id}/{command}", dialog=True)


def _may(who: Principal | None, command: str) -> bool:
    return who is not None and who.may(COMMANDS[command])


def columns_of(look: Look, given: str) -> list[dict[str, Any]]:
    """Return the look's columns for the column choice, each with whether the address shows it."""
    shown = look.chosen(given)
    return [{"key": column.key, "word": column.word, "on": column in shown} for column in look.columns]
