"""A second, much plainer account of what a task is: the published table once more, and a reader who trusts nothing.

Every rule of the `Ledger` is about events alone. `met` counts what a run came across, so that an empty run cannot pass.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from shared.task import commands as cmd
from shared.task import events as ev
from shared.task.ids import task_token
from shared.task.state import Direction, Subtask, SubtaskStatus, Task, TaskState

PENDING, READY, RUNNING = SubtaskStatus.PENDING, SubtaskStatus.READY, SubtaskStatus.RUNNING
CANCELING, FAILED, SUCCESSFUL = SubtaskStatus.CANCELING, SubtaskStatus.FAILED, SubtaskStatus.SUCCESSFUL
ACTIVE = {READY, RUNNING, CANCELING}
HELD = {RUNNING, CANCELING}
ENDED = {TaskState.SUCCESSFUL, TaskState.FAILED, TaskState.CANCELLED}
AT_REST = {TaskState.FAILED, TaskState.CANCELLED}

met: Counter[str] = Counter()


def legal_on_task(task: Task, word: str) -> bool:
    """The published table for the whole task, said a second time (specification §3.1, architecture §4)."""
    failed = [s for s in task.subtasks if s.status is FAILED and not s.to_undo]
    at_rest = task.state in AT_REST and not task.deleted
    spoiled = any(s.plan.prohibit_rollback and (s.touched or s.status not in {PENDING, READY}) for s in task.subtasks)
    return {
        "retry": at_rest and task.direction is Direction.FORWARD and all(s.plan.can_retry for s in failed),
        "skip": at_rest and bool(failed) and all(s.plan.can_skip for s in failed),
        "rollback": at_rest and not task.standing and not task.prohibit_rollback and not spoiled,
        "cancel": task.state not in ENDED,
        "delete": task.state in ENDED and not task.deleted,
    }[word]


def legal_on_subtask(task: Task, subtask: Subtask, word: str) -> bool:
    """The published table for one subtask, said a second time."""
    waits = subtask.status is READY and subtask.retry_at is not None
    broken = subtask.status is FAILED and not subtask.to_undo
    return (
        not task.deleted
        and {
            "retry": (waits or broken) and task.direction is Direction.FORWARD and subtask.plan.can_retry,
            "skip": (waits or broken) and subtask.plan.can_skip,
            "cancel": (waits or subtask.status is RUNNING) and subtask.plan.can_cancel,
        }[word]
    )


TASK_WORDS: dict[str, Any] = {
    "retry": cmd.RetryTask,
    "skip": cmd.SkipTask,
    "cancel": cmd.CancelTask,
    "rollback": cmd.RollBackTask,
    "delete": cmd.DeleteTask,
}
SUBTASK_WORDS: dict[str, Any] = {"retry": cmd.RetrySubtask, "skip": cmd.SkipSubtask, "cancel": cmd.CancelSubtask}


class Ledger:
    """What a suspicious reader of the events notes down; every rule here is about events alone."""

    def __init__(self) -> None:
        self.open: dict[int, tuple[int, str]] = {}
        """Per subtask: the fence and phase of the claim that has not ended."""
        self.fences: dict[int, int] = {}
        self.ends: Counter[tuple[int, int]] = Counter()
        self.runs: Counter[tuple[int, int]] = Counter()
        self.excused: Counter[tuple[int, int]] = Counter()
        self.barred: dict[int, int] = {}
        """Per subtask: the generation in which it may not start again."""
        self.undone: set[tuple[int, int]] = set()
        self.touched: set[int] = set()
        self.spoiled: set[int] = set()
        """Failed since they were last undone: a retry has to undo before it executes."""
        self.due: set[int] = set()
        """What the rollback under way has still to undo."""
        self.stopping: dict[int, int] = {}
        """Per subtask: the fence of a claim that was asked to stop and has not ended."""
        self.tokens: dict[str, int] = {}
        """The generation that each token was executed in."""
        self.turns = 0

    def note(self, before: Task | None, after: Task, events: Sequence[ev.TaskEvent], seq: int) -> None:
        """Take in one commit."""
        for event in events:
            met[event.type] += 1
            if isinstance(event, ev.Turn):
                self.turns += 1
                self._turned(before, after, event)
            match event:
                case ev.SubtaskStarted():
                    self._started(before, after, event, seq)
                case ev.SubtaskSucceeded() | ev.SubtaskUndone() | ev.SubtaskFailed() | ev.SubtaskRetryScheduled():
                    self._ended(before, after, event)
                case ev.SubtaskCancelled() | ev.SubtaskLost() | ev.SubtaskReleased():
                    self._ended(before, after, event)
                case ev.TaskFinished() if after.direction is Direction.BACKWARD and event.state == "SUCCESSFUL":
                    assert not self.due, "rolled back, and something was never visited (I11)"
                    met["I11 rolled back"] += 1
                case _:
                    pass

    def _turned(self, before: Task | None, after: Task, event: ev.Turn) -> None:
        assert event.turn == self.turns == after.turn, "one accepted command is one turn (I7)"
        assert before is not None
        for old, new in zip(before.subtasks, after.subtasks, strict=False):
            if new.status is CANCELING and old.status is not CANCELING:
                self.stopping[new.number] = self.open[new.number][0]
        match event:
            case ev.TaskRollbackRequested():
                self.due = set(self.touched)
            case ev.SubtaskSkipped() if after.direction is Direction.BACKWARD:
                self.touched.discard(event.subtask)
                self.due.discard(event.subtask)
            case ev.TaskSkipped() if after.direction is Direction.BACKWARD:
                skipped = {s.number for s in before.subtasks if s.status is FAILED and not s.to_undo}
                self.touched -= skipped
                self.due -= skipped
            case _:
                pass

    def _started(self, before: Task | None, after: Task, event: ev.SubtaskStarted, seq: int) -> None:
        number, run = event.subtask, (event.subtask, event.generation)
        assert number not in self.open, "two claims at once (I6)"
        assert seq > self.fences.get(number, 0), "fences do not rise (I6)"
        self.fences[number] = seq
        self.open[number] = (seq, event.phase)
        plan = after.subtasks[number - 1].plan
        if event.phase == "execute":
            self.runs[run] += 1
            allowed = 1 + (plan.retry.times if plan.retry else 0) + self.excused[run]
            assert self.runs[run] <= allowed, "more automatic runs than the budget (I8)"
            assert self.barred.get(number) != event.generation, "started after a cancel or an unknown outcome (I8, I10)"
            assert after.direction is Direction.FORWARD
            assert not (plan.has_undo and number in self.spoiled), "executed again without being undone (R5)"
            assert all(after.subtasks[u - 1].status is SUCCESSFUL for u in plan.upstreams), "upstreams first (I6)"
            self.touched.add(number)
            token = task_token(after.id, number, after.subtasks[number - 1].ran_generation)
            assert self.tokens.setdefault(token, event.generation) == event.generation, "a token came back (I9)"
            met["I9 token of a later generation"] += event.generation > 1
        else:
            assert number in self.touched, "undone what did not start (I11)"
            assert run not in self.undone, "undone twice in one rollback (I11)"
            if after.direction is Direction.BACKWARD:
                met["rollback step"] += 1
                assert number in self.due, "undone although the rollback does not have to (I11)"
                followers = after.subtasks[number - 1].downstreams
                assert not self.touched & set(followers), "downstreams are undone first (I11)"

    def _ended(self, before: Task | None, after: Task, event: Any) -> None:
        number = event.subtask
        fence, phase = self.open.pop(number)
        if self.stopping.pop(number, None) is not None:
            met[f"I7 a cancel ended as {event.type}"] += 1
        assert event.fence == fence, "an end that is not of the current claim (I3)"
        self.ends[number, fence] += 1
        assert self.ends[number, fence] == 1, "a claim ended twice (I10)"
        assert before is not None
        was = before.subtasks[number - 1]
        run = (number, was.generation)
        assert was.status is not CANCELING or after.subtasks[number - 1].status not in ACTIVE, "cancelled, yet goes on"
        if isinstance(event, ev.SubtaskFailed | ev.SubtaskRetryScheduled | ev.SubtaskCancelled):
            self.spoiled.add(number)
        match event:
            case ev.SubtaskCancelled():
                assert was.status is CANCELING, "cancelled without a request (I10)"
                self.barred[number] = was.generation
            case ev.SubtaskUndone():
                self.touched.discard(number)
                self.spoiled.discard(number)
                if after.direction is Direction.BACKWARD:
                    self.undone.add(run)
                    self.due.discard(number)
            case ev.SubtaskLost() | ev.SubtaskReleased():
                assert was.plan.delivery == "at_least_once" or phase == "undo", "ran again by itself (I8)"
                assert not (was.plan.delivery == "at_most_once" and was.plan.has_undo)
                self.excused[run] += phase == "execute"
            case ev.SubtaskFailed():
                self.barred[number] = was.generation
                met[f"failed {event.problem.kind}"] += 1
            case _:
                pass
