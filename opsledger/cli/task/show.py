"""`opsledger task show`: one task as it stands."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opsledger.cli.flag import Flag
from opsledger.cli.look.answers import print_refused
from opsledger.cli.look.console import clean, err, out
from opsledger.cli.look.console import show as put
from opsledger.cli.look.findings import findings, print_findings, report_path
from opsledger.cli.look.task_table import LISTED_AT_MOST, body, head
from opsledger.cli.look.words import clock
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.view import Task, mapping, text, when
from opsledger.cli.task.moment import moment
from opsledger.cli.task.output import Output, write_json, write_lines

_HERE = Address()


def show(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    all_: Annotated[Flag, Parameter(name="--all")] = False,
    at: Annotated[str | None, Parameter(metavar="SEQ|TIME")] = None,
    output: Output = "table",
    address: Address = _HERE,
) -> None:
    """Show one task and its steps.

    Parameters
    ----------
    id_
        Task id, or @latest.
    all_
        List every step, however many there are.
    at
        As it was at a log position (`task events` names them), or at a time: 2h ago as 2h, or 2026-11-20T02:00.
    output
        table, json (the task) or jsonl (one step a line).
    """
    then = _then(at)

    async def work() -> Task:
        async with Client(resolve(address)) as client:
            found = await tasks.resolve_id(client, id_)
            return await (tasks.read(client, found) if then is None else tasks.read_at(client, found, then))

    task = asyncio.run(work())
    if output == "json":
        write_json(task.json)
    elif output == "jsonl":
        write_lines(step.json for step in task.steps)
    else:
        _print(out(), task, everything=all_)


def _then(at: str | None) -> str | None:
    """A log position as it is, a time with its offset."""
    return at if at is not None and at.isascii() and at.isdigit() else moment(at, "--at", datetime.now(UTC))


def _print(console: Console, task: Task, *, everything: bool) -> None:
    if then := mapping(task.json.get("at")):
        said = f"as it was at log position {text(then.get('seq'))}, {clock(when(then.get('time')), task.now)}"
        console.print(Text(clean(said), style="warn"))
    put(console, head(console, task), _facts(task), body(console, task, everything=everything))
    if len(task.steps) > LISTED_AT_MOST and not everything:
        err().print(Text("every step: --all, or -o jsonl", style="label"))
    if task.type.startswith("bulk."):
        print_refused(console, task)
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
    allowed = task.json.get("allowed")
    if isinstance(allowed, list) and not task.json.get("at"):
        rows["allowed"] = ", ".join(map(str, allowed))
    for label, value in rows.items():
        if value:
            facts.add_row(label, Text(clean(value)))
    facts.add_row("", "")
    return facts
