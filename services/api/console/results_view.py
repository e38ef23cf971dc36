"""Results: what a task's subtasks gave, in the words of their kind; rows of scripts by the page, files to download.

What is listed, and what can be read of it, is REST's affair (`rest/results_find.py`), so page and API tell the same.
"""

from datetime import datetime
from typing import Any, Final

from services.api import synchronisation as sync
from services.api.console.json_shown import fields
from services.api.console.list_answers import answers
from services.api.console.object_lists_read import WORDS, place
from services.api.console.results_kinds import MOCK, MOCK_CHECK, check_rows, mock_row, sync_row, sync_sum
from services.api.console.results_rows_view import failures, sets, table
from services.api.console.shown import badge_of
from services.api.console.task_shown import Shown
from services.api.rest import query
from services.api.rest.ports import api
from services.api.rest.results_find import Told, id_of, told
from services.api.rest.tasks import INSTANCES
from services.api.results import SQL, SYNC, Carried
from shared.messages.object_lists import folder_of
from shared.task.state import Task

ENTRIES: Final = 200
"""Subtasks that one page tells of."""
FILES: Final = 50
MONTHS: Final = 12


async def results(found: Shown) -> dict[str, Any]:
    """Return what the subtasks tell, by kind."""
    task = found.task if found.past else await newest(found)
    scripts: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    unread: list[dict[str, Any]] = []
    mock: list[dict[str, Any]] = []
    checks: list[dict[str, Any]] = []
    synced: list[dict[str, Any]] = []
    count = more = 0
    downloads = False
    async for one in told(api(found.request), task):
        if count == ENTRIES:
            more += 1
            continue
        count += 1
        about = _about(found, one)
        if one.carried is None:
            unread.append({**about, "why": one.unread})
            continue
        match one.carried.kind:
            case "sql":
                scripts.append({**about, **_script(found, one, one.carried)})
                downloads = downloads or bool(one.carried.sets())
            case kind if kind == MOCK:
                mock.append(mock_row(about, one.carried))
            case kind if kind == MOCK_CHECK:
                checks += check_rows(one.carried)
            case kind if kind == SYNC:
                synced.append(sync_row(about, one.carried, task.parent))
            case _:
                rows, left = fields(one.carried.summary())
                others.append({**about, "rows": rows, "left": left, "kind": one.carried.kind})
    return {
        "scripts": scripts,
        "rows": await table(found, scripts),
        "mock": mock,
        "checks": [one for one in checks if one["notes"] or not mock],
        "synced": synced,
        "sums": sync_sum(synced),
        "others": others,
        "unread": unread,
        "more": more,
        "download": f"{INSTANCES}/{task.id}/results/download" if downloads and not found.past else None,
        "months": await _months(found) if task.standing and task.type == sync.TYPE else None,
        "nothing": _nothing(task),
        "bulk": await answers(found),
    }


async def newest(found: Shown) -> Task:
    """Return the task as the log has it, as REST does: the view may be behind. Raises `LogUnavailable`."""
    log = api(found.request).log
    if await log.last(found.task.id) == found.task.seq:
        return found.task
    return await log.load(found.task.id, fresh=True) or found.task


def _about(found: Shown, one: Told) -> dict[str, Any]:
    number = one.subtask.number
    base = f"{INSTANCES}/{found.task.id}/subtasks/{id_of(found.task, one.subtask)}/files"
    files = one.carried.files if one.carried is not None and one.carried.kind != SQL else []
    return {
        "number": number,
        "name": one.subtask.plan.name,
        "badge": badge_of(one.subtask),
        "href": found.address(view="graph", subtask=number, set=None, page=None),
        "files": [{"name": file.name, "bytes": file.size, "href": f"{base}/{file.name}"} for file in files[:FILES]],
        "files_more": max(0, len(files) - FILES),
    }


def _script(found: Shown, one: Told, carried: Carried) -> dict[str, Any]:
    value = carried.value
    where = " on " + str(value["connection"]) if value.get("connection") else ""
    dialect = f" ({value['dialect']})" if where and value.get("dialect") else ""
    return {
        "said": f"{value.get('statements', 0)} statements{where}{dialect}",
        "success": value.get("success", 0),
        "failure": value.get("failure", 0),
        "failures": failures(value),
        "failures_cut": value.get("recordsTruncated") is True,
        "sets": sets(found, one.subtask.number, carried),
        "found": carried.sets(),
    }


async def _months(found: Shown) -> dict[str, Any]:
    """Return what a synchronisation did in the chosen month, and the ways to others."""
    task, given = found.task, query.text(found.request, "month") or ""
    since, before = sync.month_named(given) or sync.month_of(found.now)
    counts = (await api(found.request).sync.totals([task.id], since, before))[task.id]
    earlier = sync.month_of(datetime.fromtimestamp(since.timestamp() - 1, tz=since.tzinfo))[0]
    return {
        "month": f"{since:%B %Y}",
        "counts": counts.shown(),
        "earlier": found.address(month=f"{earlier:%Y-%m}") if earlier >= sync.month_of(task.created_at)[0] else None,
        "later": found.address(month=f"{before:%Y-%m}") if before <= found.now else None,
        "children": f"/tasks?q=parent%3A{task.id}",
        "lists": [(word, place(task.id, which), folder_of(task.id, which)) for which, word in WORDS.items()],
        "destination": str(task.params.get("destination", "")),
    }


def _nothing(task: Task) -> str:
    if not task.ended:
        return "No results yet. They appear here as soon as a subtask gives some."
    return "No subtask of it tells of rows, counts or files. What they returned stands under Parameters."
