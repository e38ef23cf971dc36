"""After a command: stay with the tasks until they have ended, with or without their logs.

Responsible for: one limit for all of them, and one exit code. Refuses to know: the command.
"""

import asyncio
from collections.abc import Sequence

from opsledger.cli.failure import Exit
from opsledger.cli.look.console import err
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Connection
from opsledger.cli.task.choice import Following
from opsledger.cli.task.wait import After, watch


async def stay(connection: Connection, tasks: Sequence[tuple[int, After]], after: Following) -> int:
    """Watch each task from its command on, one after another; the exit code of the first that did not go well."""
    if not after.stays:
        return Exit.DONE
    loop = asyncio.get_running_loop()
    ends_at = None if after.timeout is None else loop.time() + after.timeout
    code: int = Exit.DONE
    async with Client(connection) as client:
        for task_id, begun in tasks:
            left = None if ends_at is None else max(0.0, ends_at - loop.time())
            ended = await watch(client, task_id, err(), seconds=left, after=begun, log=after.log)
            code = code or ended.exit_code
    return code
