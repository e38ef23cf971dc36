"""Results of a task: what its subtasks tell, one page of one result set, everything as a zip, any result file as it is.

Read-only. Callers name tasks, subtasks, statements and files; objects are looked up in the outputs.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.rest import query, results_odc
from services.api.rest.envelope import ok
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import needs
from services.api.rest.ports import api
from services.api.rest.results_find import cannot_be_read, id_of, loaded, not_found, one_of, only, told, whole
from services.api.rest.results_send import BYTES, ZIP, Attachment
from services.api.rest.tasks import INSTANCES
from services.api.results import Carried, ResultSet, carried, files_of
from services.api.results_rows import PAGE_BYTES, PageTooLarge, page_of
from services.api.results_zip import Script, zipped
from shared.store.objects import ResultDamaged, ResultMissing
from shared.task.state import Subtask, Task

DEFAULT_SIZE: Final = 100
MAX_SIZE: Final = 1000
MAX_PAGE: Final = 100_000_000


@needs(Permission.READ)
async def results(request: Request) -> Response:
    """Show what the task's subtasks tell of their results: summaries, result sets, files."""
    dialect, found, task = query.dialect(request), api(request), await loaded(request)
    entries: list[dict[str, Any]] = []
    unread: list[dict[str, Any]] = []
    async for one in told(found, task, only(request, task)):
        about = {"subtask": id_of(task, one.subtask), "key": one.subtask.plan.key}
        if one.carried is None:
            unread.append({**about, "why": one.unread})
        elif dialect == "odc":
            entries.append({**about, **results_odc.shown(task, one.carried)})
        else:
            entries.append({**about, **_entry(task, one.subtask, one.carried)})
    return ok(request, {"results": entries, **({"unread": unread} if unread else {})})


@needs(Permission.READ)
async def result_set(request: Request) -> Response:
    """Show rows of one statement's result set, a page of them."""
    number = query.number(request, "page", 1, least=1, most=MAX_PAGE) or 1
    size = query.number(request, "size", DEFAULT_SIZE, least=1, most=MAX_SIZE) or DEFAULT_SIZE
    found, task = api(request), await loaded(request)
    subtask, output = await one_of(request, found, task)
    one = _set_of(subtask, carried(subtask, output), request.path_params["index"])
    start = (number - 1) * size
    try:
        rows = await page_of(found.results.read(one.reference), start, size) if start < one.rows else []
    except (ResultMissing, ResultDamaged) as error:
        raise cannot_be_read(f"result set {one.index}", subtask, error) from None
    except PageTooLarge:
        fewer = "ask for fewer rows" if size > 1 else "download the results"
        raise bad_parameter("size", f"gives a page of more than {PAGE_BYTES} bytes here: {fewer}") from None
    about = {"index": one.index, "sql": one.sql, "columns": one.columns, "rows": rows}
    return ok(request, {**about, "totalRows": one.rows, "truncated": one.truncated, "page": number, "size": size})


@needs(Permission.READ)
async def results_download(request: Request) -> Response:
    """Download every result set of the task's scripts as CSV, in a zip."""
    found, task = api(request), await loaded(request)
    mine = [one async for one in told(found, task, only(request, task))]
    if unread := next((one for one in mine if one.unread is not None), None):
        why = f"What {unread.subtask.plan.key} gave is not known: {unread.unread}."
        raise not_found(f"{why} Name a subtask to download what that one gave: subtask=ID.")
    scripts = [(one.subtask, one.carried.sets()) for one in mine if one.carried is not None]
    scripts = [(subtask, sets) for subtask, sets in scripts if sets]
    if not scripts:
        raise not_found(f"No statement of task {task.id} has given rows, so there is nothing to download.")
    await whole(
        found.results,
        ((f"result set {one.index}", subtask, one.reference) for subtask, sets in scripts for one in sets),
    )
    pieces = zipped(found.results, [Script(subtask.plan.key, sets) for subtask, sets in scripts], task.created_at)
    return Attachment(request, pieces, name=f"task-{task.id}-results.zip", media=ZIP)


@needs(Permission.READ)
async def result_file(request: Request) -> Response:
    """Download one result file, as the operation wrote it."""
    found, task, name = api(request), await loaded(request), request.path_params["name"]
    subtask, output = await one_of(request, found, task)
    file = next((file for file in files_of(output) if file.name == name), None)
    if file is None:
        raise not_found(f"{subtask.plan.key} of task {task.id} has no result file {name[:100]}.")
    await whole(found.results, [(f"the file {file.name}", subtask, file.reference)])
    prefix = f"task-{task.id}-{subtask.number}-"
    pieces = found.results.read(file.reference)
    return Attachment(request, pieces, name=prefix + file.name, media=BYTES, size=file.size)


def _entry(task: Task, subtask: Subtask, carried: Carried) -> dict[str, Any]:
    """Return what is shown of one subtask: our fields, and those of the output that have no name of ours."""
    files = {file.name: file for file in carried.files}
    base = f"{INSTANCES}/{task.id}"
    ours: dict[str, Any] = {
        "name": subtask.plan.name,
        "status": subtask.status.value,
        "kind": carried.kind,
        "files": [
            {
                "name": file.name,
                "bytes": file.size,
                "sha256": file.reference["sha256"],
                "path": f"{base}/subtasks/{id_of(task, subtask)}/files/{file.name}",
            }
            for file in files.values()
        ],
    }
    if carried.sets():
        ours["download"] = f"{base}/results/download"
    taken = {"subtask", "key", *ours}
    return ours | {name: value for name, value in carried.summary().items() if name not in taken}


def _set_of(subtask: Subtask, carried: Carried | None, index: str) -> ResultSet:
    """Return the result set of a statement. Raises 404 with those there are."""
    sets = carried.sets() if carried is not None else []
    found = next((one for one in sets if str(one.index) == index), None)
    if found is None:
        known = ", ".join(str(one.index) for one in sets[:20]) + (", …" if len(sets) > 20 else "")
        have = f"Those with rows: {known}." if sets else "No statement of it gave rows."
        raise not_found(f"{subtask.plan.key} has no result set {index[:20]}. {have}")
    return found
