"""`opsledger task list`: one page of tasks, newest first."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from opsledger.cli.look.console import clean, err, grid, out, show
from opsledger.cli.look.words import clock, count, span, state
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Answer, Client
from opsledger.cli.rest.connection import Where, resolve
from opsledger.cli.rest.view import Task, mapping, objects, text, when
from opsledger.cli.task.output import Output, write_json, write_lines

_HERE = Where()


def list_tasks(
    *,
    name: str | None = None,
    status: str | None = None,
    state: Annotated[str | None, Parameter(metavar="STATE,…")] = None,
    type_: Annotated[str | None, Parameter(name="--type")] = None,
    operator: str | None = None,
    object_kind: str | None = None,
    object_name: str | None = None,
    sort: str | None = None,
    page: int = 1,
    size: int = 20,
    output: Output = "table",
    where: Where = _HERE,
) -> None:
    """List tasks, newest first.

    Parameters
    ----------
    name
        Part of the name.
    status
        OCP's words, comma separated: RUNNING, SUCCESSFUL, FAILED.
    state
        Our words, comma separated: INITIALIZING, READY, RUNNING, SUCCESSFUL, FAILED, CANCELLED.
    type_
        Task type, such as host.inspect.
    operator
        Who created it.
    object_kind
        Kind of the object it is about.
    object_name
        Part of that object's name.
    sort
        Field and direction, such as id,asc.
    page
        Which page, from 1.
    size
        Tasks a page, at most 2000.
    output
        table, json (the whole page) or jsonl (one task a line).
    """
    filters = {
        "name": name,
        "status": status and status.upper(),
        "state": state and state.upper(),
        "taskType": type_,
        "operator": operator,
        "objectKind": object_kind,
        "objectName": object_name,
        "sort": sort,
        "page": page,
        "size": size,
    }

    async def work() -> Answer:
        async with Client(resolve(where)) as client:
            return await tasks.page(client, **filters)

    answer = asyncio.run(work())
    found = mapping(answer.data)
    if output == "json":
        write_json(found)
    elif output == "jsonl":
        write_lines(objects(found.get("contents")))
    else:
        _print(found, answer.timestamp)


def _print(found: Mapping[str, Any], timestamp: str | None) -> None:
    console = out()
    rows = [Task.of(item, timestamp) for item in objects(found.get("contents"))]
    if not rows:
        err().print(Text("no task matches", style="label"))
        return
    table = grid("id", "name", "state", "steps", "about", "by", "started", "time", right=("id", "steps", "time"))
    for task in rows:
        steps = task.steps
        finished = sum(step.status == "SUCCESSFUL" for step in steps)
        table.add_row(
            str(task.id),
            Text(clean(task.name or task.type)),
            state(console, task.word),
            Text(f"{finished}/{len(steps)}" if steps else "", style="label"),
            Text(clean(text(task.json.get("object")))),
            Text(clean(text(task.json.get("creator"))), style="label"),
            Text(clock(when(task.json.get("startTime")), task.now), style="label"),
            Text(span(task.seconds()), style="label"),
        )
    show(console, table)
    about = mapping(found.get("page"))
    pages = about.get("totalPages")
    if isinstance(pages, int) and pages > 1:
        total = about.get("totalElements")
        of_all = f" · {count(total, 'task')}" if isinstance(total, int) else ""
        err().print(Text(f"page {about.get('number')} of {pages:,}{of_all}; the next with --page", style="label"))
