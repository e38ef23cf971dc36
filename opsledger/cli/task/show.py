"""`opsledger task show`: one task as it stands."""

import asyncio
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opsledger.cli.look.console import clean, err, out
from opsledger.cli.look.findings import findings, print_findings, report_path
from opsledger.cli.look.task_table import LISTED_AT_MOST, body, head
from opsledger.cli.look.words import clock
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Where, resolve
from opsledger.cli.rest.view import Task, mapping, text, when
from opsledger.cli.task.output import Output, write_json, write_lines

_HERE = Where()


def show(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    output: Output = "table",
    where: Where = _HERE,
) -> None:
    """Show one task and its steps.

    Parameters
    ----------
    id_
        Task id, or @latest.
    all_
        List every step, however many there are.
    output
        table, json (the task) or jsonl (one step a line).
    """

    async def work() -> Task:
        async with Client(resolve(where)) as client:
            return await tasks.read(client, await tasks.resolve_id(client, id_))

    task = asyncio.run(work())
    if output == "json":
        write_json(task.json)
    elif output == "jsonl":
        write_lines(step.json for step in task.steps)
    else:
        _print(out(), task, everything=all_)


def _print(console: Console, task: Task, *, everything: bool) -> None:
    console.print(head(console, task))
    console.print(_facts(task))
    console.print(body(console, task, everything=everything))
    if len(task.steps) > LISTED_AT_MOST and not everything:
        err().print(Text("every step: --all, or -o jsonl", style="label"))
    found = findings(task)
    if found is not None:
        console.print()
        print_findings(console, found)
        if path := report_path(task):
            console.print()
            console.print(Text.assemble(("report   ", "label"), clean(path)))


def _facts(task: Task) -> Table:
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="label", no_wrap=True)
    facts.add_column(overflow="fold")
    about = mapping(task.json.get("object"))
    labels = mapping(task.json.get("labels"))
    rows = {
        "type": task.type,
        "about": " ".join(filter(None, (text(about.get("kind")), text(about)))),
        "labels": ", ".join(f"{key}={value}" for key, value in labels.items()),
        "by": text(task.json.get("creator")),
        "created": clock(when(task.json.get("createTime")), task.now),
        "ended": clock(when(task.json.get("finishTime")), task.now) if task.ended else "",
    }
    for label, value in rows.items():
        if value:
            facts.add_row(label, Text(clean(value)))
    facts.add_row("", "")
    return facts
