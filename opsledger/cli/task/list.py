"""`opsledger task list`: tasks that fit, newest first, a page or all of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Group, Parameter
from rich.text import Text

from opsledger.cli.flag import Flag
from opsledger.cli.look.console import err
from opsledger.cli.look.task_list import print_tasks, whats_more
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Answer, Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.view import Task, mapping, objects
from opsledger.cli.task import qualifiers
from opsledger.cli.task.moment import moment
from opsledger.cli.task.output import Output, write_json, write_lines

_HERE = Address()
_PAGE = Group("Order and pages", sort_key=1)
ALL_SIZE = 500
"""Tasks a request, when all of them are wanted."""


def list_tasks(
    *,
    where: Annotated[str | None, Parameter(metavar="QUALIFIERS")] = None,
    name: str | None = None,
    text: str | None = None,
    status: str | None = None,
    state: Annotated[str | None, Parameter(metavar="STATE,…")] = None,
    type_: Annotated[str | None, Parameter(name="--type")] = None,
    operator: str | None = None,
    object_kind: str | None = None,
    object_name: str | None = None,
    label: Annotated[list[str] | None, Parameter(negative="", metavar="K=V")] = None,
    since: Annotated[str | None, Parameter(metavar="TIME")] = None,
    until: Annotated[str | None, Parameter(metavar="TIME")] = None,
    finished: Annotated[str | None, Parameter(metavar="TIME")] = None,
    sort: Annotated[str | None, Parameter(group=_PAGE)] = None,
    page: Annotated[int, Parameter(group=_PAGE)] = 1,
    size: Annotated[int, Parameter(group=_PAGE)] = 20,
    all_: Annotated[Flag, Parameter(name="--all", group=_PAGE)] = False,
    output: Output = "table",
    address: Address = _HERE,
) -> None:
    """List tasks, newest first.

    Parameters
    ----------
    where
        As in a search box: state:failed type:host.inspect by:admin name:disks label:team=dba host:db-17 since:2h
        until:1h finished:2h, and words that are looked for in the text. Quote values with spaces.
    name
        Part of the name.
    text
        Words in the name, the object, the labels or the error.
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
    label
        A label it has; may be repeated.
    since
        Created not before this time: 2h, 3d, 2026-11-20, or 2026-11-20T02:00.
    until
        Created before this time.
    finished
        Ended not before this time.
    sort
        Field and direction, such as id,asc.
    page
        Which page, from 1.
    size
        Tasks a page, at most 2000.
    all_
        Every task that fits, not a page of them.
    output
        table, json (the whole page) or jsonl (one task a line).
    """
    now = datetime.now(UTC)
    flags = {
        "name": name,
        "text": text,
        "status": status and status.upper(),
        "state": state and state.upper(),
        "taskType": type_,
        "operator": operator,
        "objectKind": object_kind,
        "objectName": object_name,
        "label": qualifiers.labels(label),
        **qualifiers.since(since, "--since", now),
        "createdTo": moment(until, "--until", now),
        "finishedFrom": moment(finished, "--finished", now),
    }
    filters = {**qualifiers.merged(flags, where, now), "sort": sort}

    async def work() -> tuple[Mapping[str, Any], str | None]:
        async with Client(resolve(address)) as client:
            if not all_:
                answer = await tasks.page(client, **filters, page=page, size=size)
                return mapping(answer.data), answer.timestamp
            contents, timestamp = [], None
            async for answer in _pages(client, filters):
                found, timestamp = objects(mapping(answer.data).get("contents")), answer.timestamp
                if output == "jsonl":
                    write_lines(found)
                else:
                    contents += found
            return {"contents": contents}, timestamp

    found, timestamp = asyncio.run(work())
    contents = objects(found.get("contents"))
    if output == "json":
        write_json(found)
    elif output == "jsonl":
        write_lines(contents)
    elif not contents:
        err().print(Text("no task matches", style="label"))
    else:
        print_tasks([Task.of(item, timestamp) for item in contents])
        whats_more(mapping(found.get("page")))


async def _pages(client: Client, filters: Mapping[str, Any]) -> AsyncIterator[Answer]:
    """Every page: by the cursor each one gives for the next, else by number."""
    number, place = 1, {"page": 1}
    while place:
        answer = await tasks.page(client, **filters, **place, size=ALL_SIZE)
        yield answer
        number += 1
        about = mapping(mapping(answer.data).get("page"))
        following, pages = about.get("next"), about.get("totalPages")
        if following is not None:
            place = {"cursor": following}
        else:
            place = {"page": number} if isinstance(pages, int) and number <= pages and "next" not in about else {}
