"""Watch one task until it rests, and turn its outcome into an exit code.

Responsible for: the wait, its limit and its interruption. Refuses to know: how progress is drawn.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from rich.console import Console

from opsledger.cli.failure import CliError, Exit
from opsledger.cli.look.progress import Lines, Progress, progress
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.view import Task
from opsledger.cli.task.log_reader import Reader


@dataclass(frozen=True, slots=True)
class After:
    """The command that the wait comes after: its log position, and the task as it was then."""

    seq: int | None = None
    seen: Task | None = None


_NOTHING = After()


async def watch(
    client: Client,
    task_id: int,
    console: Console,
    *,
    seconds: float | None = None,
    after: After = _NOTHING,
    log: bool = False,
) -> Task:
    """As `until_rest`, for a command of its own: Ctrl-C becomes CliError 130, and the task goes on."""
    try:
        return await until_rest(client, task_id, console, seconds=seconds, after=after, log=log)
    except asyncio.CancelledError:
        raise CliError(
            f"stopped watching; task {task_id} goes on", next_step=_come_back(task_id), code=Exit.INTERRUPTED
        ) from None


async def until_rest(
    client: Client,
    task_id: int,
    console: Console,
    *,
    seconds: float | None = None,
    after: After = _NOTHING,
    log: bool = False,
) -> Task:
    """Show the task until it rests; CliError 124 after `seconds`, and the task goes on.

    It begins `after` a command. `log` prints on stdout what its steps write.
    """
    try:
        async with asyncio.timeout(seconds):
            display = Lines(console) if log else progress(console)
            reader = Reader(client, task_id, None, seen=after.seen) if log else None
            return await _shown(tasks.follow(client, task_id, min_seq=after.seq), display, reader)
    except TimeoutError:
        limit = f"{seconds or 0:.3g} s"
        raise CliError(
            f"task {task_id} has not ended after {limit}; it goes on",
            next_step=_come_back(task_id),
            code=Exit.WAIT_TIMED_OUT,
        ) from None


async def _shown(pictures: AsyncIterator[Task | None], display: Progress, reader: Reader | None) -> Task:
    last: Task | None = None
    with display:
        async for task in pictures:
            last = task or last
            if task is not None and reader is not None:
                await reader.print_new(task)  # first what was printed, then what became of it
            display.update(task)
    if last is None:  # pragma: no cover - following ends with an ended task
        raise CliError("the task was never seen")
    return last


def _come_back(task_id: int) -> str:
    return f"watch it again with: opsledger task watch {task_id}"
