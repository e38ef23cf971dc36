"""What the steps of a task printed, read again and again and printed once.

Responsible for: the order of the steps, their headings, and not repeating. Refuses to know: why it is read.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from opsledger.cli.look.console import clean, clean_log
from opsledger.cli.rest import logs
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.logs import Wanted
from opsledger.cli.rest.view import Step, Task, text
from opsledger.cli.task.orders import step as find_step

_AT_ONCE = 8


class Reader:
    """Remembers how far each step's log has been printed; leaves out what was written before the task was `seen`."""

    def __init__(
        self,
        client: Client,
        task_id: int,
        only: str | None,
        wanted: Wanted | None = None,
        *,
        again: bool = True,
        seen: Task | None = None,
    ) -> None:
        self.task_id = task_id
        self._client = client
        self._only = only
        self._wanted = wanted or Wanted()
        self._by_line = again or not self._wanted.everything
        self._cursors: dict[int, str | None] = {}
        self._runs: dict[int, str] = {}
        self._old = {step.id: (step.run, step.status == "RUNNING") for step in seen.steps} if seen else {}
        self._settled: set[tuple[int, str, str]] = set()
        self._last: int | None = None
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def print_new(self, task: Task) -> None:
        """Print what the chosen steps wrote since the last time, in the order of the steps."""
        steps = [step for step in self._chosen(task) if self._may_have_more(step)]
        texts = await asyncio.gather(*(self._read(step) for step in steps))
        for step, new in zip(steps, texts, strict=True):
            self._write(step, new, headed=self._only is None and len(task.steps) > 1)

    def _chosen(self, task: Task) -> list[Step]:
        if self._only is None:
            return task.steps
        return [find_step(task, self._only)] if task.ended or task.steps else []

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
            if not self._by_line:
                return await logs.whole(self._client, self.task_id, step.id)
            before = self._cursors.get(step.id)
            lines, cursor = await logs.lines(self._client, self.task_id, step.id, self._wanted, before)
        self._cursors[step.id] = cursor
        return "".join(self._line(step.id, line) for line in lines if not self._is_old(step.id, line))

    def _is_old(self, step_id: int, line: Mapping[str, Any]) -> bool:
        """Whether a run wrote it that was over when the task was `seen`."""
        over, still_runs = self._old.get(step_id, ((0, 0), False))
        generation, _, attempt = text(line.get("run")).partition("-")
        if not (generation.isdigit() and attempt.isdigit()):
            return False
        run = (int(generation), int(attempt))
        return run < over or (run == over and not still_runs)

    def _line(self, step_id: int, line: Mapping[str, Any]) -> str:
        """A line as the one text has it; another run of the step is headed."""
        run = " ".join(filter(None, (text(line.get("run")), "undo" if line.get("phase") == "undo" else "")))
        before, self._runs[step_id] = self._runs.get(step_id), run
        head = f"#### run {run} ####\n" if before is not None and before != run else ""
        return f"{head}{text(line.get('at'))} {text(line.get('level'))} {text(line.get('text'))}\n"

    def _write(self, step: Step, new: str, *, headed: bool) -> None:
        if not new:
            return
        if headed and self._last != step.id:
            gap = "\n" if self._last is not None else ""
            sys.stdout.write(f"{gap}==> {clean(step.name)} <==\n")
        self._last = step.id
        shown = clean_log(new) if sys.stdout.isatty() else new
        sys.stdout.write(shown if shown.endswith("\n") else shown + "\n")
        sys.stdout.flush()
