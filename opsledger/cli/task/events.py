"""`opsledger task events`: every decision about a task, who made it, and what it caused; also as it happens."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from opsledger.cli.failure import CliError, Exit
from opsledger.cli.flag import Flag
from opsledger.cli.look.console import err
from opsledger.cli.look.history import ended_by, print_history, print_line
from opsledger.cli.rest import live, tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.task.output import Form, Output, write_json, write_lines

_HERE = Address()


def events(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    after: int = 0,
    follow: Annotated[Flag, Parameter(name=["--follow", "-f"])] = False,
    output: Output = "table",
    address: Address = _HERE,
) -> None:
    """Print a task's history as the log has it, refused commands included.

    Parameters
    ----------
    id_
        Task id, @latest or @latest-failed.
    after
        Only what comes after this log position.
    follow
        Go on until the task ends, over a live connection that is picked up again when it breaks.
    output
        table, json (a list; not with --follow) or jsonl (one decision a line).
    """
    if follow:
        _follow(address, id_, after, output)
        return

    async def work() -> list[Mapping[str, Any]]:
        async with Client(resolve(address)) as client:
            found = await tasks.resolve_id(client, id_)
            return [item async for item in tasks.events(client, found, after=after)]

    history = asyncio.run(work())
    if output == "json":
        write_json(history)
    elif output == "jsonl":
        write_lines(history)
    else:
        print_history(history)


def _follow(address: Address, id_: str, after: int, output: Form) -> None:
    async def work() -> None:
        async with Client(resolve(address)) as client:
            found = await tasks.resolve_id(client, id_)
            async for item in _until_end(client, found, after):
                if output == "table":
                    print_line(item)
                else:
                    write_lines([item])

    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        raise CliError(
            "stopped reading; the task goes on", next_step=f"opsledger task events {id_} -f", code=Exit.INTERRUPTED
        ) from None


async def _until_end(client: Client, task_id: int, after: int) -> AsyncIterator[Mapping[str, Any]]:
    """The history, then what comes, until the task rests. What lies before `after` is read to know whether it does."""
    ended, position, lost = False, 0, False
    async for item in tasks.events(client, task_id):
        ended, position = ended_by(item, ended=ended), int(item.get("seq") or 0)
        if position > after:
            yield item
    if ended:
        return
    async for commit in live.decisions(client, task_id, position):
        if commit is None:
            if not lost:
                err().print("the API cannot be reached; trying again", style="warn")
            lost = True
            continue
        lost = False
        for item in commit:
            ended = ended_by(item, ended=ended)
            yield item
        if ended:
            return
