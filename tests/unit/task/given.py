"""Given-when-then for the core: a story plays commands against one task through the real codec and the real fold.

Knows no broker. Every decision is encoded, decoded and folded once more, and both states must be equal, so that each
test of the core tests the wire as well (I2).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from shared.log.fold import fold
from shared.log.port import Stored
from shared.messages.codec import digest, encode
from shared.messages.commit import By, Commit, Decision
from shared.task import commands as cmd
from shared.task import events as ev
from shared.task.decide import Verdict, decide
from shared.task.evolve import seal
from shared.task.plan import PlannedSubtask, RetryPolicy, UndoPlan
from shared.task.refusals import Refusal
from shared.task.state import Subtask, SubtaskStatus, Task

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BY = By(kind="user", name="tester", via="rest")
OOPS = ev.Problem(kind="EXIT_CODE", message="exit code 1")

_PASSING = {"fresh", "newly_ready", "unsealed", "changed", "subtasks"}


def node(
    key: str,
    *upstreams: int,
    undo: bool = False,
    times: int = 0,
    delay: float = 0.0,
    **settings: Any,
) -> PlannedSubtask:
    """A planned subtask; `times` and `delay` (s) are its automatic retries."""
    return PlannedSubtask(
        key=key,
        name=key,
        operation="noop",
        upstreams=upstreams,
        timeout_s=60,
        pool="default",
        delivery=settings.pop("delivery", "at_least_once"),
        retry=RetryPolicy(times=times, delay_seconds=delay) if times else None,
        undo=UndoPlan(operation="noop") if undo else None,
        **settings,
    )


def standing(task: Task) -> dict[str, Any]:
    """Everything a task is, without what only a draft knows: what two ways to one state must agree on."""
    facts = {key: value for key, value in vars(task).items() if key not in _PASSING}
    facts["eligible"] = sorted(set(task.eligible))
    facts["subtasks"] = [vars(subtask) for subtask in task.subtasks]
    return facts


@dataclass
class Story:
    """One task and its log. `at` is the time that the next command comes with."""

    task: Task | None = None
    bodies: list[bytes] = field(default_factory=list)
    events: list[ev.TaskEvent] = field(default_factory=list)
    at: datetime = START
    items: int = 0

    @classmethod
    def of(cls, *nodes: PlannedSubtask, **settings: Any) -> Self:
        """A task created with its plan."""
        story = cls()
        story.do(cmd.CreateTask(7, "a task", "plan", BY.actor(), START, subtasks=nodes, **settings))
        return story

    @classmethod
    def typed(cls) -> Self:
        """A task that waits for its plan."""
        story = cls()
        story.do(cmd.CreateTask(7, "a task", "host.inspect", BY.actor(), START))
        return story

    @classmethod
    def standing(cls) -> Self:
        """A standing task."""
        story = cls()
        story.do(cmd.CreateTask(7, "a task", "object.sync", BY.actor(), START, standing=True))
        return story

    @property
    def now(self) -> Task:
        """The task as it stands."""
        assert self.task is not None
        return self.task

    @property
    def seq(self) -> int:
        """The sequence of the last commit, which is the fence of the claims it made."""
        return len(self.bodies)

    def __getitem__(self, number: int) -> Subtask:
        """Subtask `number`."""
        return self.now.subtasks[number - 1]

    @property
    def statuses(self) -> list[str]:
        """The statuses of all subtasks, in order."""
        return [subtask.status.value for subtask in self.now.subtasks]

    def do(self, *commands: cmd.Command) -> Verdict:
        """Decide, commit, fold; return the verdict."""
        verdict = decide(self.task, *commands)
        if verdict.events:
            self.commit(verdict.task, verdict.events)
        return verdict

    def commit(self, draft: Task, *decisions: list[ev.TaskEvent]) -> None:
        """Store one commit of one or more decisions and check that its fold is the draft."""
        before = self.task
        body = encode(
            Commit(
                task=draft.id,
                prev=before.head if before is not None else "",
                decisions=tuple(
                    Decision(id=f"d{self.seq + 1}-{place}", at=self.at, by=BY, events=tuple(events))
                    for place, events in enumerate(decisions)
                ),
            )
        )
        self.bodies.append(body)
        folded, _ = fold([Stored(self.seq, f"d{self.seq}", body)], before)
        seal(draft, self.seq, digest(body), changed=True)
        assert folded is not None
        assert standing(folded) == standing(draft)
        self.task = draft
        self.events = [event for events in decisions for event in events]

    def refused(self, *commands: cmd.Command) -> Refusal:
        """Decide what must be refused; return the refusal."""
        try:
            verdict = decide(self.task, *commands)
        except Refusal as refusal:
            return refusal
        raise AssertionError(f"accepted: {verdict.events}")

    @property
    def types(self) -> list[str]:
        """The types of the last commit's events."""
        return [event.type for event in self.events]

    # ---- an executor ------------------------------------------------------------------------------------------

    def claimant(self, item: int | None = None, incarnation: str = "i1", delivery: int = 1) -> cmd.Claimant:
        """Who claims, on a new item unless one is named."""
        if item is None:
            self.items += 1
            item = self.items
        return cmd.Claimant(incarnation, f"executor {incarnation}", ev.Item(stamp="s", seq=item, delivery=delivery))

    def claim(self, number: int, **settings: Any) -> int:
        """Claim a subtask; return the fence."""
        by = self.claimant(settings.pop("item", None), settings.pop("incarnation", "i1"))
        self.do(cmd.Claim(number, by, self.at, **settings))
        return self.seq

    def settle(self, number: int, outcome: cmd.Outcome, *, fence: int | None = None, onward: bool = False) -> Verdict:
        """Report on the current claim of a subtask, or on the one that `fence` names."""
        claim = self[number].claim
        held = fence if fence is not None else (claim.fence if claim is not None else 0)
        commands: list[cmd.Command] = [cmd.Settle(number, held, outcome, self.at)]
        if onward:
            commands.append(
                cmd.ClaimNext(self.claimant(), frozenset({"default"}), frozenset({"noop"}), self.at),
            )
        return self.do(*commands)

    def run(self, *numbers: int) -> Self:
        """Claim and execute subtasks, one after another; a retry's undo is done on the way."""
        for number in numbers:
            self.claim(number)
            claim = self[number].claim
            assert claim is not None
            if claim.phase == "undo":
                self.settle(number, cmd.Undone())
                if self[number].status is SubtaskStatus.READY:
                    self.claim(number)
                    self.settle(number, cmd.Succeeded())
            else:
                self.settle(number, cmd.Succeeded(output={"from": number}))
        return self

    def break_down(self, *numbers: int) -> Self:
        """Claim subtasks and let them fail for good."""
        for number in numbers:
            self.claim(number)
            self.settle(number, cmd.Failed(OOPS, retryable=False))
        return self

    def undo(self, *numbers: int) -> Self:
        """Claim subtasks and undo them."""
        for number in numbers:
            self.claim(number)
            self.settle(number, cmd.Undone())
        return self

    # ---- an operator ------------------------------------------------------------------------------------------

    def retry(self, number: int | None = None) -> Self:
        """Retry the task, or one subtask."""
        self.do(cmd.RetryTask(self.at) if number is None else cmd.RetrySubtask(self.at, number=number))
        return self

    def skip(self, number: int | None = None) -> Self:
        """Skip what failed, or one subtask."""
        self.do(cmd.SkipTask(self.at) if number is None else cmd.SkipSubtask(self.at, number=number))
        return self

    def cancel(self, number: int | None = None) -> Self:
        """Cancel the task, or one subtask."""
        self.do(cmd.CancelTask(self.at) if number is None else cmd.CancelSubtask(self.at, number=number))
        return self

    def roll_back(self) -> Self:
        """Roll the task back."""
        self.do(cmd.RollBackTask(self.at))
        return self

    def later(self, seconds: float) -> Self:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)
        return self


def replay(bodies: Iterable[bytes]) -> Task | None:
    """The fold of a whole log, with the places in it as sequences."""
    return fold([Stored(seq, "", body) for seq, body in enumerate(bodies, start=1)])[0]
