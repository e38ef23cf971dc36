"""`opsledger task logs`: what the steps of a task printed, once, as it comes, or into a file."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from opsledger.cli.failure import CliError, Exit, UsageError
from opsledger.cli.flag import Flag
from opsledger.cli.look.console import err
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.logs import Wanted
from opsledger.cli.task.log_file import save
from opsledger.cli.task.log_reader import Reader

_HERE = Address()


def logs(
    id_: Annotated[str, Parameter(name="ID")],
    subtask: Annotated[str | None, Parameter(name="SUBTASK")] = None,
    /,
    *,
    follow: Annotated[Flag, Parameter(name=["--follow", "-f"])] = False,
    level: str | None = None,
    find: Annotated[str | None, Parameter(metavar="TEXT")] = None,
    tail: Annotated[int | None, Parameter(metavar="N")] = None,
    attempt: Annotated[str | None, Parameter(metavar="N")] = None,
    download: Annotated[str | None, Parameter(metavar="FILE|-", allow_leading_hyphen=True)] = None,
    address: Address = _HERE,
) -> None:
    """Print what a task's steps wrote; of several steps each part is headed `==> step <==`.

    Parameters
    ----------
    id_
        Task id, @latest or @latest-failed.
    subtask
        Key, number or id of one step; all by default.
    follow
        Go on until the task ends; Ctrl-C leaves the task running.
    level
        Only lines of this level: alert (warnings and errors), debug, info, warn, error.
    find
        Only lines with this text, whatever its case.
    tail
        Only the last so many lines of each step, at most 5000.
    attempt
        Only this run: its number, or generation-attempt such as 2-1.
    download
        Write the whole log of one step into a file, gzipped if its name ends so; - for stdout.
    """
    wanted = Wanted(level, find, attempt, tail)
    if download is not None and (follow or tail is not None):
        raise UsageError("--download writes the whole log: it goes without --follow and --tail")

    async def work() -> None:
        async with Client(resolve(address)) as client:
            task_id = await tasks.resolve_id(client, id_)
            if download is not None:
                await save(client, await tasks.read(client, task_id), subtask, wanted, download)
                return
            reader = Reader(client, task_id, subtask, wanted, again=follow)
            if not follow:
                await reader.print_new(await tasks.read(client, task_id))
                return
            async for task in tasks.follow(client, task_id):
                if task is None:
                    err().print("the API cannot be reached; trying again", style="warn")
                else:
                    await reader.print_new(task)

    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        raise CliError(
            "stopped reading; the task goes on", next_step=f"opsledger task logs {id_} -f", code=Exit.INTERRUPTED
        ) from None
