"""Parameters and outputs: what the task was asked for, what the chosen subtask was given and what it gave.

Large values are cut on the page; a download has all of it.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console import json_shown
from services.api.console.http import HEADERS
from services.api.console.json_shown import fields
from services.api.console.shown import badge_of
from services.api.console.task_shown import Shown
from services.api.console.task_shown import shown as load
from services.api.rest.live import at
from services.api.rest.policy import needs
from services.api.rest.ports import api
from services.api.rest.results_find import ONE_OUTPUT, cannot_be_read, not_found, reason, value_of
from services.api.results import whole_of
from shared.store.objects import ResultDamaged, ResultMissing
from shared.task.refusals import SubtaskNotFound
from shared.task.state import Subtask, SubtaskStatus

SHOWN: Final = 2 * 1024 * 1024
"""Bytes of an output in the object store that a page is drawn from."""
CHOICES: Final = 1_000
"""Subtasks that the list of choices has; any other one is chosen in the graph."""


async def params(found: Shown) -> dict[str, Any]:
    """Return the task's parameters, and what the chosen subtask was given and gave."""
    task, chosen = found.task, found.chosen
    near = task.subtasks[:CHOICES]
    if chosen is not None and chosen not in near:
        near = [*near, chosen]
    return {
        "of_task": _part(found, "Parameters of the task", task.params, f"/tasks/{task.id}/files/params.json"),
        "parts": [] if chosen is None else await _of(found, chosen),
        "choices": [{"number": one.number, "name": one.plan.name, "badge": badge_of(one)} for one in near],
        "kept": [pair for pair in found.request.query_params.multi_items() if pair[0] != "subtask"],
    }


async def _of(found: Shown, subtask: Subtask) -> list[dict[str, Any]]:
    base = f"/tasks/{found.task.id}/files/{subtask.number}"
    parts = [_part(found, f"Parameters of {subtask.plan.name}", subtask.plan.params, f"{base}/params.json")]
    if subtask.plan.undo is not None:
        what = f"Parameters of its undo, {subtask.plan.undo.operation}"
        parts.append(_part(found, what, subtask.plan.undo.params, f"{base}/params.json"))
    failed = subtask.problem is not None
    title = "What it told of its failure" if failed else "Output"
    if not failed and subtask.status is not SubtaskStatus.SUCCESSFUL and subtask.output is None:
        return [*parts, {"title": title, "nothing": "None yet: it has not succeeded."}]
    reference = whole_of(subtask)
    size = int(reference["bytes"]) if reference is not None else 0
    if size > SHOWN:
        return [
            *parts,
            {"title": title, "nothing": f"It has {size:,} bytes.", "file": _at(found, f"{base}/output.json")},
        ]
    try:
        value = await value_of(api(found.request).results, subtask)
    except (ResultMissing, ResultDamaged) as error:
        return [*parts, {"title": title, "nothing": f"It cannot be read: {reason(error)}."}]
    return [*parts, _part(found, title, value, f"{base}/output.json")]


def _part(found: Shown, title: str, value: Any, file: str) -> dict[str, Any]:
    rows, more = fields(value)
    if not rows:
        return {"title": title, "nothing": "None."}
    return {"title": title, "nothing": "", "rows": rows, "more": more, "file": _at(found, file)}


def _at(found: Shown, path: str) -> str:
    return f"{path}?{at.PARAMETER}={found.task.seq}" if found.past else path


@needs(Permission.READ)
async def task_params(request: Request) -> Response:
    """Send the task's parameters as a file. Raises as REST's details do."""
    found = await load(request)
    return _file(found.task.params, f"task-{found.task.id}-params.json")


@needs(Permission.READ)
async def subtask_params(request: Request) -> Response:
    """Send a subtask's parameters as a file, with those of its undo."""
    found, subtask = await _named(request)
    plan = subtask.plan
    undo = {"undo": plan.undo.model_dump(mode="json")} if plan.undo is not None else {}
    value = {"operation": plan.operation, "params": plan.params, **undo}
    return _file(value, f"task-{found.task.id}-{subtask.number}-params.json")


@needs(Permission.READ)
async def subtask_output(request: Request) -> Response:
    """Send a subtask's output as a file, or what it told of its failure. Raises 404, 503."""
    found, subtask = await _named(request)
    reference = whole_of(subtask)
    if reference is not None and int(reference["bytes"]) > ONE_OUTPUT:
        raise not_found(f"The output of {subtask.plan.key} has more than {ONE_OUTPUT} bytes and is not read here.")
    try:
        value = await value_of(api(request).results, subtask)
    except (ResultMissing, ResultDamaged) as error:
        raise cannot_be_read(f"the output of {subtask.plan.key}", subtask, error) from None
    return _file(value, f"task-{found.task.id}-{subtask.number}-output.json")


async def _named(request: Request) -> tuple[Shown, Subtask]:
    found = await load(request)
    number = int(request.path_params["number"][:9])
    subtask = found.task.find(number)
    if subtask is None:
        raise SubtaskNotFound(f"Task {found.task.id} has no subtask {number}.")
    return found, subtask


def _file(value: Any, name: str) -> Response:
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(json_shown.whole(value), headers=headers, media_type="application/json")


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/tasks/{task_id:digits}/files/params.json", task_params),
    ("GET", "/tasks/{task_id:digits}/files/{number:digits}/params.json", subtask_params),
    ("GET", "/tasks/{task_id:digits}/files/{number:digits}/output.json", subtask_output),
)
