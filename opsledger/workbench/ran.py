"""What came of a task on the workbench, and what an operator may do with it next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic_core import from_json

from opsledger.workbench.clock import Clock, FakeClock
from opsledger.workbench.cue import At, Attempt, Cue, Kind, cues
from opsledger.workbench.engine import Bench
from opsledger.workbench.stall import Stall
from opsledger.workbench.stores import Line
from shared.task import commands as cmd
from shared.task.allowed import allowed_on_task
from shared.task.events import AnyEvent, Problem
from shared.task.refusals import SubtaskNotFound
from shared.task.state import Subtask, Task


@dataclass(frozen=True, slots=True)
class Step:
    """One subtask. `attempts` are those that reached its operation, `log` what they said."""

    key: str
    status: str
    output: Any
    problem: Problem | None
    executed: int
    attempts: list[Attempt] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> list[str]:
        """The token of each attempt, in order."""
        return [attempt.token for attempt in self.attempts]


class TaskRan:
    """A task after a run. `retry`, `skip`, `cancel`, `rollback` and `advance` go on with it, and return this again."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.history: list[AnyEvent] = []
        """Every event of the task's log, in order."""

    @property
    def task(self) -> Task:
        """The task as the core has it."""
        return self.bench.task

    @property
    def state(self) -> str:
        """SUCCESSFUL, FAILED, CANCELLED; RUNNING when it waits for a clock that stands still."""
        return self.task.state.value

    @property
    def operation(self) -> str:
        """What was done last: EXECUTE, RETRY or ROLLBACK."""
        return self.task.operation.value

    @property
    def rolled_back(self) -> bool:
        """Whether everything that had started was undone."""
        return (self.state, self.operation) == ("SUCCESSFUL", "ROLLBACK")

    @property
    def problem(self) -> Problem | None:
        """Why it failed."""
        return self.task.problem

    @property
    def allowed(self) -> list[str]:
        """The commands that are legal now."""
        return allowed_on_task(self.task)

    @property
    def states(self) -> dict[str, str]:
        """The status of each step by key."""
        return {subtask.plan.key: subtask.status.value for subtask in self.task.subtasks}

    @property
    def outputs(self) -> dict[str, Any]:
        """The output of each step by key, large ones included."""
        return {subtask.plan.key: self._output(subtask) for subtask in self.task.subtasks}

    @property
    def steps(self) -> dict[str, Step]:
        """Each step by key."""
        return {subtask.plan.key: self._step(subtask) for subtask in self.task.subtasks}

    @property
    def lines(self) -> list[Line]:
        """Every line that was logged, as it was stored."""
        return self.bench.lines.kept

    @property
    def log(self) -> list[str]:
        """The text of every line."""
        return [line.text for line in self.lines]

    @property
    def events(self) -> list[str]:
        """What happened, in words: `task.created`, `subtask.started copy` and so on."""
        return [self._word(event) for event in self.history]

    @property
    def stalls(self) -> list[Stall]:
        """When the event loop stood still for long, and which steps ran then: something in them blocks."""
        return self.bench.watch.stalls

    @property
    def clock(self) -> Clock:
        """The clock it runs by."""
        return self.bench.clock

    @property
    def files(self) -> Path:
        """The folder the operations wrote to."""
        return self.bench.files

    @property
    def results(self) -> Mapping[str, bytes]:
        """The result files by name."""
        return self.bench.results.files

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secrets there are by now."""
        return self.bench.targets.secrets

    async def retry(self, key: str | None = None, *, crash_at: At = None, fail_at: At = None) -> Self:
        """Retry every failed step, or one, and run on. Raises the core's `Refusal`."""
        at = self.bench.clock.now()
        one = None if key is None else cmd.RetrySubtask(at, number=self._number(key))
        return await self._go_on(one or cmd.RetryTask(at), crash_at=crash_at, fail_at=fail_at)

    async def skip(self, key: str | None = None, *, crash_at: At = None, fail_at: At = None) -> Self:
        """Count every failed step, or one, as done, and run on. Raises the core's `Refusal`."""
        at = self.bench.clock.now()
        one = None if key is None else cmd.SkipSubtask(at, number=self._number(key))
        return await self._go_on(one or cmd.SkipTask(at), crash_at=crash_at, fail_at=fail_at)

    async def cancel(self, key: str | None = None) -> Self:
        """Cancel the task, or one step, and run on. Raises the core's `Refusal`."""
        at = self.bench.clock.now()
        one = None if key is None else cmd.CancelSubtask(at, number=self._number(key))
        return await self._go_on(one or cmd.CancelTask(at))

    async def rollback(self, *, crash_at: At = None, fail_at: At = None) -> Self:
        """Undo what has started, in reverse order; what goes wrong does so in an undo. Raises the core's `Refusal`."""
        await self.bench.command(cmd.RollBackTask(self.bench.clock.now()))
        return await self._run([*cues("crash", crash_at, "undo"), *cues("fail", fail_at, "undo")])

    async def advance(self, seconds: float) -> Self:
        """Move a fake clock on, and run what is due by then. Raises `TypeError` with the wall's clock."""
        if not isinstance(self.clock, FakeClock):
            raise TypeError("only a fake clock can be moved")
        self.clock.advance(seconds)
        return await self.go_on()

    async def go_on(self, *, crash_at: At = None, fail_at: At = None, cancel_at: At = None) -> Self:
        """Run until the end. Raises `NeverReached` when it came without what was asked for."""
        given: dict[Kind, At] = {"crash": crash_at, "fail": fail_at, "cancel": cancel_at}
        return await self._run([cue for kind, at in given.items() for cue in cues(kind, at)])

    async def _run(self, asked: list[Cue]) -> Self:
        self.bench.cues.expect(asked, self.states)
        await self.bench.run()
        self.history = await self.bench.history()
        if self.task.ended:
            self.bench.cues.close()
        return self

    async def _go_on(self, command: cmd.OperatorCommand, *, crash_at: At = None, fail_at: At = None) -> Self:
        await self.bench.command(command)
        return await self.go_on(crash_at=crash_at, fail_at=fail_at)

    def _number(self, key: str) -> int:
        found = next((subtask.number for subtask in self.task.subtasks if subtask.plan.key == key), None)
        if found is None:
            raise SubtaskNotFound(f"The plan has no step '{key}'; it has {', '.join(self.states)}.")
        return found

    def _step(self, subtask: Subtask) -> Step:
        key = subtask.plan.key
        return Step(
            key,
            subtask.status.value,
            self._output(subtask),
            subtask.problem,
            subtask.run_time,
            [attempt for attempt in self.bench.cues.attempts if attempt.key == key],
            [line.text for line in self.lines if line.key == key],
        )

    def _output(self, subtask: Subtask) -> Any:
        if subtask.output_ref is None:
            return subtask.output
        return from_json(self.results[str(subtask.output_ref["object"])])

    def _word(self, event: AnyEvent) -> str:
        number = getattr(event, "subtask", None)
        return event.type if number is None else f"{event.type} {self.task.subtasks[number - 1].plan.key}"
