"""`opsledger task logs`: what the steps of a task printed, once or as it comes."""

import asyncio
import sys
from typing import Annotated

from cyclopts import Parameter

from opsledger.cli.failure import CliError, Exit, UsageError
from opsledger.cli.look.console import clean, clean_log, err
from opsledger.cli.rest import tasks
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Where, resolve
from opsledger.cli.rest.view import Step, Task

_HERE = Where()
_AT_ONCE = 8


def logs(
    id_: Annotated[str, Parameter(name="ID")],
    subtask: Annotated[str | None, Parameter(name="SUBTASK")] = None,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    where: Where = _HERE,
) -> None:
    """Print what a task's steps wrote; of several steps each part is headed `==> step <==`.

    Parameters
    ----------
    id_
        Task id, or @latest.
    subtask
        Key, number or id of one step; all by default.
    follow
        Go on until the task ends; Ctrl-C leaves the task running.
    """

    async def work() -> None:
        async with Client(resolve(where)) as client:
            reader = Reader(client, await tasks.resolve_id(client, id_), subtask)
            if not follow:
                await reader.print_new(await tasks.read(client, reader.task_id))
                return
            async for task in tasks.follow(client, reader.task_id):
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


class Reader:
    """Remembers how much of each step's log has been printed."""

    def __init__(self, client: Client, task_id: int, only: str | None) -> None:
        self.task_id = task_id
        self._client = client
        self._only = only
        self._printed: dict[int, str] = {}
        self._settled: set[tuple[int, str, str]] = set()
        self._last: int | None = None
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def print_new(self, task: Task) -> None:
        """Print what the chosen steps wrote since the last time, in the order of the steps."""
        steps = [step for step in self._chosen(task) if self._may_have_more(step)]
        texts = await asyncio.gather(*(self._read(step) for step in steps))
        for step, text in zip(steps, texts, strict=True):
            before = self._printed.get(step.id, "")
            self._printed[step.id] = text
            self._write(step, text.removeprefix(before), headed=self._only is None and len(task.steps) > 1)

    def _chosen(self, task: Task) -> list[Step]:
        if self._only is None:
            return task.steps
        found = [s for s in task.steps if self._only in {s.name, str(s.number), str(s.id)}]
        if not found and (task.ended or task.steps):
            known = ", ".join(clean(step.name) for step in task.steps[:12])
            raise UsageError(f"task {task.id} has no step {self._only}", next_step=f"its steps are: {known}")
        return found

    def _may_have_more(self, step: Step) -> bool:
        """Skip steps that never started, and those read in full since they last changed."""
        if step.json.get("startTime") is None and step.status in {"PENDING", "READY"}:
            return False
        change = (step.id, step.word, str(step.json.get("runTime")))
        if step.status in {"RUNNING", "CANCELING"}:
            return True
        fresh = change not in self._settled
        self._settled.add(change)
        return fresh

    async def _read(self, step: Step) -> str:
        async with self._gate:
            return await tasks.log(self._client, self.task_id, step.id)

    def _write(self, step: Step, text: str, *, headed: bool) -> None:
        if not text:
            return
        if headed and self._last != step.id:
            gap = "\n" if self._last is not None else ""
            sys.stdout.write(f"{gap}==> {clean(step.name)} <==\n")
        self._last = step.id
        shown = clean_log(text) if sys.stdout.isatty() else text
        sys.stdout.write(shown if shown.endswith("\n") else shown + "\n")
        sys.stdout.flush()
