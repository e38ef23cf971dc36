"""`opsledger task download`: every result set of a task as CSV, in a zip that is whole or not there."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from opsledger.cli.look.console import clean, err
from opsledger.cli.rest import results, tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.task.log_file import opened
from opsledger.cli.task.orders import step as find_step

_HERE = Address()


def download(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    subtask: str | None = None,
    output: Annotated[
        str | None, Parameter(name=["--output", "-o"], metavar="FILE|-", allow_leading_hyphen=True)
    ] = None,
    address: Address = _HERE,
) -> None:
    """Download the rows that a task's scripts gave: a zip with a CSV file a result set.

    Parameters
    ----------
    id_
        Task id, @latest or @latest-failed.
    subtask
        Key, number or id of one step; all by default.
    output
        The file to write, task-ID-results.zip by default; - for stdout.
    """

    async def work() -> None:
        async with Client(resolve(address)) as client:
            task_id = await tasks.resolve_id(client, id_)
            only = find_step(await tasks.read(client, task_id), subtask).id if subtask is not None else None
            where, size = output or f"task-{task_id}-results.zip", 0
            pieces = results.download(client, task_id, only)
            first = await anext(pieces, b"")  # nothing is written when there is nothing to be had
            with opened(where) as sink:
                size += sink.write(first)
                async for piece in pieces:
                    size += sink.write(piece)
            if where != "-":
                err().print(f"{clean(where)}: {size:,} bytes, the results of task {task_id}", soft_wrap=True)

    asyncio.run(work())
