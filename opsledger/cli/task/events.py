"""`opsledger task events`: every decision about a task, who made it, and what it caused."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from opsledger.cli.look.console import clean, grid, out, show
from opsledger.cli.look.words import clock
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Where, resolve
from opsledger.cli.rest.view import error_text, objects, text, when
from opsledger.cli.task.output import Output, write_json, write_lines

_HERE = Where()


def events(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    after: int = 0,
    output: Output = "table",
    where: Where = _HERE,
) -> None:
    """Print a task's history as the log has it, refused commands included.

    Parameters
    ----------
    id_
        Task id, or @latest.
    after
        Only what comes after this log position.
    output
        table, json (a list) or jsonl (one decision a line).
    """

    async def work() -> list[Mapping[str, Any]]:
        async with Client(resolve(where)) as client:
            found = await tasks.resolve_id(client, id_)
            return [item async for item in tasks.events(client, found, after=after)]

    history = asyncio.run(work())
    if output == "json":
        write_json(history)
    elif output == "jsonl":
        write_lines(history)
    else:
        _print(history)


def _print(history: list[Mapping[str, Any]]) -> None:
    table = grid("seq", "at", "by", "decision", "outcome", "what", right=("seq",), wide="what")
    now = datetime.now(UTC)
    for item in history:
        refused = item.get("outcome") == "refused"
        table.add_row(
            Text(text(item.get("seq")), style="label"),
            Text(clock(when(item.get("at")), now), style="label"),
            Text(clean(text(item.get("by")))),
            Text(clean(text(item.get("decision")))),
            Text(text(item.get("outcome")), style="bad" if refused else "good"),
            Text(clean(_what(item))),
        )
    show(out(), table)


def _what(item: Mapping[str, Any]) -> str:
    """The refusal, or the kinds of events with how many of each; then the reason that was given."""
    kinds: dict[str, int] = {}
    for event in objects(item.get("events")):
        kind = text(event.get("type"))
        kinds[kind] = kinds.get(kind, 0) + 1
    caused = ", ".join(kind if times == 1 else f"{kind} ({times})" for kind, times in kinds.items())
    reason = text(item.get("reason"))
    parts = [error_text(item.get("refusal")), caused, f"“{reason}”" if reason else ""]
    return "  ".join(filter(None, parts))
