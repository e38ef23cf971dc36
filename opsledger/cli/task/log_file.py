"""The whole log of one step, into a file or onto stdout.

Responsible for: a file that is whole or not there. Refuses to know: what is in it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from opsledger.cli.failure import CliError, UsageError
from opsledger.cli.look.console import clean, err
from opsledger.cli.rest import logs
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.logs import Wanted
from opsledger.cli.rest.view import Task
from opsledger.cli.task.orders import step as find_step

_NAMED_AT_MOST = 12


async def save(client: Client, task: Task, only: str | None, wanted: Wanted, where: str) -> None:
    """Write it. UsageError when the task has several steps and none is named, CliError when there is no writing."""
    if only is None and len(task.steps) != 1:
        known = ", ".join(clean(step.name) for step in task.steps[:_NAMED_AT_MOST])
        raise UsageError(f"--download writes one step's log, and task {task.id} has several", next_step=f"name {known}")
    step = find_step(task, only) if only is not None else task.steps[0]
    size = 0
    with opened(where) as sink:
        async for piece in logs.download(client, task.id, step.id, wanted, packed=where.endswith(".gz")):
            size += sink.write(piece)
    if where != "-":
        said = f"{clean(where)}: {size:,} bytes, what {clean(step.name)} of task {task.id} printed"
        err().print(said, soft_wrap=True)


@contextmanager
def opened(where: str) -> Iterator[BinaryIO]:
    """Stdout, or a draft that takes the file's place at the end: half a log must not look like a whole one."""
    if where == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    file = Path(where).expanduser()
    draft = file.with_name(f".{file.name}.part")
    try:
        with draft.open("wb") as sink:
            yield sink
        draft.replace(file)
    except OSError as error:
        raise CliError(f"cannot write {file}: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
