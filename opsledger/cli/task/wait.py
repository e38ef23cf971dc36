"""Watch one task until it rests, and turn its outcome into an exit code.

Responsible for: the wait, its limit and its interruption. Refuses to know: how progress is drawn.
"""

import asyncio

from rich.console import Console

from opsledger.cli.failure import CliError, Exit
from opsledger.cli.look.progress import progress
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.view import Task


async def watch(client: Client, task_id: int, console: Console, *, seconds: float | None = None) -> Task:
    """As `until_rest`, for a command of its own: Ctrl-C becomes CliError 130, and the task goes on."""
    try:
        return await until_rest(client, task_id, console, seconds=seconds)
    except asyncio.CancelledError:
        raise CliError(
            f"stopped watching; task {task_id} goes on", next_step=_come_back(task_id), code=Exit.INTERRUPTED
        ) from None


async def until_rest(client: Client, task_id: int, console: Console, *, seconds: float | None = None) -> Task:
    """Show the task until it rests. CliError 124 after `seconds`; the task goes on."""
    try:
        async with asyncio.timeout(seconds):
            return await _shown(client, task_id, console)
    except TimeoutError:
        raise CliError(
            f"task {task_id} has not ended after {seconds:g} s; it goes on",
            next_step=_come_back(task_id),
            code=Exit.WAIT_TIMED_OUT,
        ) from None


async def _shown(client: Client, task_id: int, console: Console) -> Task:
    last: Task | None = None
    with progress(console) as display:
        async for task in tasks.follow(client, task_id):
            last = task or last
            display.update(task)
    if last is None:  # pragma: no cover - following ends with an ended task
        raise CliError(f"task {task_id} was never seen")
    return last


def _come_back(task_id: int) -> str:
    return f"watch it again with: opsledger task watch {task_id}"
