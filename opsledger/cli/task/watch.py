"""`opsledger task watch`: stay with one task until it ends."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from opsledger.cli.look.console import err, out
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.view import Task
from opsledger.cli.task.output import Output, write_json, write_lines
from opsledger.cli.task.wait import watch as watch_until_it_rests

_HERE = Address()


def watch(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    timeout: Annotated[float | None, Parameter(metavar="SECONDS")] = None,
    output: Output = "table",
    address: Address = _HERE,
) -> int:
    """Watch one task until it ends; Ctrl-C leaves the task running.

    The exit code tells the outcome, also of a task that has ended already: 0 done, 1 failed, 3 cancelled,
    4 rolled back, 124 wait timed out.

    Parameters
    ----------
    id_
        Task id, or @latest.
    timeout
        Give up watching after so many seconds; the task goes on.
    output
        table draws progress on stdout; json and jsonl draw it on stderr and print the ended task.
    """

    async def work() -> Task:
        async with Client(resolve(address)) as client:
            found = await tasks.resolve_id(client, id_)
            return await watch_until_it_rests(client, found, out() if output == "table" else err(), seconds=timeout)

    task = asyncio.run(work())
    if output == "json":
        write_json(task.json)
    elif output == "jsonl":
        write_lines([task.json])
    return task.exit_code
