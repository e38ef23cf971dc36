"""`opsledger task results`: what a task's steps tell of their results, and the rows of one result set."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from opsledger.cli.failure import CliError, UsageError
from opsledger.cli.look.console import clean, err
from opsledger.cli.look.results import print_results, print_rows
from opsledger.cli.rest import results as rest
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.view import objects, text
from opsledger.cli.task.orders import step as find_step
from opsledger.cli.task.output import Output, write_json, write_lines

_HERE = Address()


def results(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    subtask: str | None = None,
    set_: Annotated[int | None, Parameter(name="--set", metavar="N")] = None,
    page: int = 1,
    size: int = 100,
    output: Output = "table",
    address: Address = _HERE,
) -> None:
    """Show what a task's scripts gave: failed statements, result sets, and with --set the rows of one.

    Parameters
    ----------
    id_
        Task id, @latest or @latest-failed.
    subtask
        Key, number or id of one step; all by default.
    set_
        Rows of this statement, counted from 1 through the script.
    page
        Which page of rows, from 1.
    size
        Rows a page, at most 1000.
    output
        table, json (the answer) or jsonl (one step or one row a line).
    """

    async def work() -> Mapping[str, Any]:
        async with Client(resolve(address)) as client:
            task_id = await tasks.resolve_id(client, id_)
            only = find_step(await tasks.read(client, task_id), subtask).id if subtask is not None else None
            found = await rest.told(client, task_id, only)
            if set_ is None:
                return {"task": task_id, **found}
            step_id = _step_with_rows(task_id, objects(found.get("results")), set_)
            return await rest.rows(client, task_id, step_id, set_, page=page, size=size)

    found = asyncio.run(work())
    if output == "json":
        write_json({key: value for key, value in found.items() if key != "task"})
    elif output == "jsonl":
        write_lines(found.get("results", []) if set_ is None else found.get("rows", []))
    elif set_ is not None:
        print_rows(found)
    else:
        print_results(found)
        for one in objects(found.get("unread")):
            err().print(Text(clean(f"{text(one.get('key'))}: {text(one.get('why'))}"), style="warn"), soft_wrap=True)


def _step_with_rows(task_id: int, entries: list[Mapping[str, Any]], index: int) -> int:
    """The one step whose script has this result set. CliError when there is none, UsageError when there are several."""
    sets = {
        int(entry["subtask"]): (text(entry.get("key")), [one.get("index") for one in objects(entry.get("results"))])
        for entry in entries
    }
    fits = {step: key for step, (key, indexes) in sets.items() if index in indexes}
    if len(fits) > 1:
        known = ", ".join(clean(key) for key in fits.values())
        raise UsageError(f"several steps of task {task_id} have a result set {index}", next_step=f"--subtask {known}")
    if not fits:
        there = sorted({one for _, indexes in sets.values() for one in indexes if isinstance(one, int)})
        known = ", ".join(map(str, there[:20])) + (", …" if len(there) > 20 else "")
        told = f"result sets there are: {known}" if there else "no statement has given rows: leave --set out"
        raise CliError(f"task {task_id} has no result set {index}", next_step=told)
    return next(iter(fits))
