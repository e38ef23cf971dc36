"""The core under a random crowd: executors, lost executors, stale reports, copies, operators right and wrong.

After each step the invariants I1-I14 of the reliability page are checked, as far as they concern the core, against a
second, much plainer account of what a task is. A run counts what it met, and fails when it met too little.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.log.fold import apply
from shared.messages.codec import decode, digest
from shared.task import commands as cmd
from shared.task import events as ev
from shared.task.decide import decide
from shared.task.evolve import evolve
from shared.task.executing import MAX_LOSSES
from shared.task.plan import PlannedSubtask
from shared.task.refusals import ClaimedElsewhere, NotReady, Refusal, StaleFence
from shared.task.state import Direction, Operation, Subtask, SubtaskStatus, Task, TaskState
from tests.unit.task.given import OOPS, Story, node, replay, standing

PENDING, READY, RUNNING = SubtaskStatus.PENDING, SubtaskStatus.READY, SubtaskStatus.RUNNING
CANCELING, FAILED, SUCCESSFUL = SubtaskStatus.CANCELING, SubtaskStatus.FAILED, SubtaskStatus.SUCCESSFUL
ACTIVE = {READY, RUNNING, CANCELING}
HELD = {RUNNING, CANCELING}
ENDED = {TaskState.SUCCESSFUL, TaskState.FAILED, TaskState.CANCELLED}
AT_REST = {TaskState.FAILED, TaskState.CANCELLED}

met: Counter[str] = Counter()
picks = st.integers(0, 11)
rarely = st.integers(0, 4).map(lambda number: number == 0)


def random_plan(chance: Random) -> tuple[PlannedSubtask, ...]:
    """A random graph of one to six subtasks, of every ability."""
    size = chance.randint(1, 6)
    order = chance.sample(range(1, size + 1), size)
    upstreams = {
        number: sorted(chance.sample(order[:place], chance.choice([0, 0, 1, 1, 2][: place + 2])))
        for place, number in enumerate(order)
    }
    return tuple(
        node(
            f"s{number}",
            *upstreams[number],
            undo=chance.random() < 0.5,
            times=chance.choice([0, 0, 1, 2]),
            delay=chance.choice([0.0, 5.0]),
            delivery=chance.choice(["at_least_once", "at_least_once", "at_most_once"]),
            can_retry=chance.random() > 0.1,
            can_skip=chance.random() > 0.1,
            can_cancel=chance.random() > 0.1,
            prohibit_rollback=chance.random() < 0.02,
        )
        for number in range(1, size + 1)
    )


def legal_on_task(task: Task, word: str) -> bool:
    """The published table for the whole task, said a second time (specification §3.1, architecture §4)."""
    failed = [s for s in task.subtasks if s.status is FAILED and not s.to_undo]
    at_rest = task.state in AT_REST and not task.deleted
    spoiled = any(s.plan.prohibit_rollback and (s.touched or s.status not in {PENDING, READY}) for s in task.subtasks)
    return {
        "retry": at_rest and task.direction is Direction.FORWARD and all(s.plan.can_retry for s in failed),
        "skip": at_rest and bool(failed) and all(s.plan.can_skip for s in failed),
        "rollback": at_rest and not task.prohibit_rollback and not spoiled,
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

    def note(self, before: Task | None, after: Task, events: Sequence[ev.TaskEvent], seq: int) -> None:
        """Take in one commit."""
        for event in events:
            met[event.type] += 1
            match event:
                case ev.SubtaskStarted():
                    self._started(before, after, event, seq)
                case ev.SubtaskSucceeded() | ev.SubtaskUndone() | ev.SubtaskFailed() | ev.SubtaskRetryScheduled():
                    self._ended(before, after, event)
                case ev.SubtaskCancelled() | ev.SubtaskLost() | ev.SubtaskReleased():
                    self._ended(before, after, event)
                case ev.SubtaskSkipped() if after.direction is Direction.BACKWARD:
                    self.touched.discard(event.subtask)
                case ev.TaskSkipped() if before is not None and after.direction is Direction.BACKWARD:
                    self.touched -= {s.number for s in before.subtasks if s.status is FAILED and not s.to_undo}
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
        else:
            assert number in self.touched, "undone what did not start (I11)"
            assert run not in self.undone, "undone twice in one rollback (I11)"
            if after.direction is Direction.BACKWARD:
                met["rollback step"] += 1
                followers = after.subtasks[number - 1].downstreams
                assert not self.touched & set(followers), "downstreams are undone first (I11)"

    def _ended(self, before: Task | None, after: Task, event: Any) -> None:
        number = event.subtask
        fence, phase = self.open.pop(number)
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
            case ev.SubtaskLost() | ev.SubtaskReleased():
                assert was.plan.delivery == "at_least_once" or phase == "undo", "ran again by itself (I8)"
                assert not (was.plan.delivery == "at_most_once" and was.plan.has_undo)
                self.excused[run] += phase == "execute"
            case ev.SubtaskFailed():
                self.barred[number] = was.generation
                met[f"failed {event.problem.kind}"] += 1
            case _:
                pass


class Core(RuleBasedStateMachine):
    """One task and everybody who deals with it."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.ledger = Ledger()
        self.reports: list[tuple[int, int]] = []
        self.nodes: tuple[PlannedSubtask, ...] = ()
        self.before: Task | None = None

    # ---- steps ----------------------------------------------------------------------------------------------

    @initialize(
        nodes=st.randoms(use_true_random=False).map(random_plan),
        concurrency=st.integers(0, 3),
        fixed=rarely,
        typed=rarely,
        plan_prohibits=st.integers(0, 9),
    )
    def begin(
        self, nodes: tuple[PlannedSubtask, ...], concurrency: int, fixed: bool, typed: bool, plan_prohibits: int
    ) -> None:
        """The task is created, with its plan or without."""
        self.nodes, self.concurrency, self.fixed = nodes, concurrency, fixed and plan_prohibits == 0
        if typed:
            self.story = Story.typed()
        else:
            self.story = Story.of(*nodes, concurrency=concurrency, prohibit_rollback=self.fixed)
        self._note(None)

    def _note(self, before: Task | None) -> None:
        self.ledger.note(before, self.story.now, self.story.events, self.story.seq)
        self._step(before, self.story.now, self.story.events)

    def _do(self, *commands: cmd.Command) -> bool:
        """Decide twice (I14); return whether it was accepted. A refusal must leave everything as it was."""
        before = self.story.task
        facts = standing(before) if before is not None else {}
        try:
            verdict = decide(before, *commands)
        except Refusal as refusal:
            met[f"refused {refusal.kind}"] += 1
            with pytest.raises(type(refusal)):
                decide(before, *commands)
            assert before is None or standing(before) == facts
            return False
        assert decide(before, *commands).events == verdict.events
        assert before is None or standing(before) == facts, "deciding changed the task it was asked about"
        if verdict.events:
            self.story.commit(verdict.task, verdict.events)
            self._note(before)
        return True

    def _pick(self, place: int, *statuses: SubtaskStatus) -> int | None:
        found = [s.number for s in self.story.now.subtasks if s.status in statuses]
        return found[place % len(found)] if found else None

    @property
    def _planned(self) -> bool:
        return bool(self.story.task and self.story.task.subtasks)

    @precondition(lambda self: self.story.now.state is TaskState.INITIALIZING)
    @rule(parts=st.integers(1, 3), ends=st.booleans(), name=st.sampled_from(["p", "q"]))
    def plan(self, parts: int, ends: bool, name: str) -> None:
        """An executor plans: at once, in parts, or it breaks off in the middle and another one begins again."""
        size = max(1, -(-len(self.nodes) // parts))
        groups = [self.nodes[start : start + size] for start in range(0, len(self.nodes), size)]
        chosen = groups if ends else groups[:-1]
        for part, group in enumerate(chosen, start=1):
            record = cmd.RecordPlan(name, group, self.story.at, part, len(groups), self.concurrency, self.fixed)
            assert self._do(record)
            met["part"] += len(groups) > 1
        if chosen and not ends:
            stray = cmd.RecordPlan("stray", groups[-1], self.story.at, len(groups), len(groups))
            assert len(groups) == 1 or not self._do(stray)

    @precondition(lambda self: self.story.now.state is TaskState.INITIALIZING)
    @rule()
    def cannot_plan(self) -> None:
        """No plan is to be had."""
        assert self._do(cmd.FailPlan(OOPS, self.story.at))
        assert self.story.now.state is TaskState.FAILED

    @precondition(lambda self: self._planned)
    @rule(place=picks)
    def claim(self, place: int) -> None:
        """An executor takes what is READY."""
        number = self._pick(place, READY)
        if number is None:
            return
        waits = self.story[number].retry_at
        claimed = self._do(cmd.Claim(number, self.story.claimant(), self.story.at))
        assert claimed is (waits is None or waits <= self.story.at.timestamp())
        if claimed:
            self.reports.append((number, self.story.seq))

    @precondition(lambda self: self._planned)
    @rule(place=picks, steps=st.integers(1, 6))
    def work_on(self, place: int, steps: int) -> None:
        """An executor runs a chain."""
        self.claim(place)
        for _ in range(steps):
            self.settle(place, "done", onward=True)

    @precondition(lambda self: self._planned)
    @rule(place=picks)
    def claim_what_is_not_ready(self, place: int) -> None:
        """An executor comes with an item that is late: somebody runs it, or nobody may."""
        number = self._pick(place, PENDING, FAILED, SUCCESSFUL, RUNNING, CANCELING)
        if number is None:
            return
        expected = ClaimedElsewhere if self.story[number].status in HELD else NotReady
        refusal = self.story.refused(cmd.Claim(number, self.story.claimant(), self.story.at))
        assert type(refusal) is expected

    @precondition(lambda self: self._planned)
    @rule(
        place=picks,
        ending=st.sampled_from(["done", "done", "done", "failed", "failed", "fatal", "cancelled", "released"]),
        onward=st.booleans(),
    )
    def settle(self, place: int, ending: str, onward: bool) -> None:
        """An executor reports, and takes the next one in the same commit when it can."""
        number = self._pick(place, RUNNING, CANCELING)
        if number is None:
            return
        claim, status = self.story[number].claim, self.story[number].status
        assert claim is not None
        undoing = claim.phase == "undo"
        done: cmd.Outcome = cmd.Undone() if undoing else cmd.Succeeded(output={"n": number})
        outcome: cmd.Outcome = {
            "done": done,
            "failed": cmd.Failed(OOPS),
            "fatal": cmd.Failed(OOPS, retryable=False),
            "cancelled": cmd.Cancelled(),
            "released": cmd.Released(),
        }[ending]
        commands: list[cmd.Command] = [cmd.Settle(number, claim.fence, outcome, self.story.at)]
        if onward:
            commands.append(
                cmd.ClaimNext(self.story.claimant(), frozenset({"default"}), frozenset({"noop"}), self.story.at)
            )
        accepted = self._do(*commands)
        assert accepted is (ending != "cancelled" or status is CANCELING)
        if accepted:
            met[f"{ending} while {status}"] += 1
            for event in self.story.events:
                if isinstance(event, ev.SubtaskStarted):
                    met["claimed onward"] += 1
                    self.reports.append((event.subtask, self.story.seq))

    @precondition(lambda self: self._planned)
    @rule(place=picks)
    def settle_in_the_wrong_phase(self, place: int) -> None:
        """An executor that mixes up doing and undoing is refused."""
        number = self._pick(place, RUNNING, CANCELING)
        if number is None:
            return
        claim = self.story[number].claim
        assert claim is not None
        wrong: cmd.Outcome = cmd.Succeeded() if claim.phase == "undo" else cmd.Undone()
        assert not self._do(cmd.Settle(number, claim.fence, wrong, self.story.at))

    @precondition(lambda self: self._planned)
    @rule(place=picks, by_item=st.booleans())
    def lose(self, place: int, by_item: bool) -> None:
        """An executor dies; its item comes back, or the bucket says that it is gone."""
        number = self._pick(place, RUNNING, CANCELING)
        if number is None:
            return
        before = self.story[number]
        claim = before.claim
        assert claim is not None
        if by_item:
            old = self.story.claimant(claim.item.seq, "i2", claim.item.delivery)
            assert type(self.story.refused(cmd.Claim(number, old, self.story.at))) is ClaimedElsewhere
            anew = self.story.claimant(claim.item.seq, "i2", claim.item.delivery + 1)
            again = cmd.Claim(number, anew, self.story.at)
        else:
            again = cmd.Claim(number, self.story.claimant(None, "i2"), self.story.at, owner_gone=claim.fence)
        assert self._do(again)
        after = self.story[number]
        risky = before.plan.delivery == "at_most_once" and (claim.phase == "execute" or before.plan.has_undo)
        if before.status is CANCELING:
            assert (after.status, after.operation) == (FAILED, Operation.CANCEL)
            met["lost while canceling"] += 1
        elif risky:
            assert after.status is FAILED
            assert after.problem is not None
            assert after.problem.kind == "UNKNOWN_OUTCOME"
        elif before.losses >= MAX_LOSSES:
            assert after.problem is not None
            assert after.problem.kind == "EXECUTOR_LOST"
        else:
            assert after.status is RUNNING
            assert (after.generation, after.claim and after.claim.phase) == (before.generation, claim.phase)
            met["taken over"] += 1
            self.reports.append((number, self.story.seq))

    @precondition(lambda self: bool(self.reports))
    @rule(place=picks, done=st.booleans())
    def stale_report(self, place: int, done: bool) -> None:
        """An executor that lost its claim reports all the same; nobody listens (I3)."""
        number, fence = self.reports[place % len(self.reports)]
        claim = self.story[number].claim
        if claim is not None and claim.fence == fence:
            return
        outcome: cmd.Outcome = cmd.Succeeded() if done else cmd.Failed(OOPS)
        refusal = self.story.refused(cmd.Settle(number, fence, outcome, self.story.at))
        assert isinstance(refusal, StaleFence)
        met["stale report"] += 1
        self._changes_nothing(ev.SubtaskSucceeded(subtask=number, fence=fence))

    @rule(place=picks, other=picks)
    def copy(self, place: int, other: int) -> None:
        """A commit, or an event, comes a second time: it changes nothing (I3)."""
        body = self.story.bodies[place % len(self.story.bodies)]
        draft = self.story.now.draft()
        facts = standing(draft)
        assert apply(draft, decode(body), self.story.seq + 1, digest(body)) is draft
        assert standing(draft) == {**facts, "seq": self.story.seq + 1, "ignored": facts["ignored"] + 1}
        events = decode(body).decisions[0].events
        self._changes_nothing(events[other % len(events)])

    def _changes_nothing(self, event: ev.TaskEvent) -> None:
        if isinstance(event, ev.TaskPlanned | ev.TaskPlanFailed) and self.story.now.state is TaskState.INITIALIZING:
            return  # planning has no fence: here the chain of hashes alone keeps copies out
        draft = self.story.now.draft()
        facts = standing(draft)
        fits = evolve(draft, event, self.story.at)
        assert fits is (isinstance(event, ev.TaskFinished) and draft.state in ENDED)
        assert standing(draft) == {**facts, "ignored": facts["ignored"] + (not fits)}
        met["copied event"] += 1

    @rule(word=st.sampled_from(list(TASK_WORDS)), fitting=st.booleans(), wrong_version=rarely, really=st.integers(0, 7))
    def command_task(self, word: str, fitting: bool, wrong_version: bool, really: int) -> None:
        """An operator commands the task, rightly or wrongly: accepted exactly when the table says so (I12)."""
        if fitting:
            words = [other for other in TASK_WORDS if legal_on_task(self.story.now, other)]
            word = words[really % len(words)] if words else word
        if (word == "delete" and really) or (word == "cancel" and really > 2):
            return  # these end a story
        before = self.story.now
        legal = legal_on_task(before, word)
        accepted = self._do(TASK_WORDS[word](self.story.at, before.version + wrong_version))
        assert accepted is (legal and not wrong_version)
        if accepted:
            met[f"task {word} from {before.state} {before.direction}"] += 1
            self._after_turn(before, word)

    @precondition(lambda self: self._planned)
    @rule(word=st.sampled_from(list(SUBTASK_WORDS)), place=picks, fitting=st.booleans())
    def command_subtask(self, word: str, place: int, fitting: bool) -> None:
        """An operator commands one subtask, whatever the task does meanwhile."""
        before = self.story.now
        number = place % len(before.subtasks) + 1
        if fitting:
            found = [s.number for s in before.subtasks if legal_on_subtask(before, s, word)]
            number = found[place % len(found)] if found else number
        legal = legal_on_subtask(before, before.subtasks[number - 1], word)
        assert self._do(SUBTASK_WORDS[word](self.story.at, number=number)) is legal
        if legal:
            met[f"subtask {word} from {before.subtasks[number - 1].status} {before.direction}"] += 1
            self._after_turn(before, word)

    def _after_turn(self, before: Task, word: str) -> None:
        after = self.story.now
        assert after.turn == before.turn + 1
        raised = {s.number: s.generation - before.subtasks[s.number - 1].generation for s in after.subtasks}
        assert set(raised.values()) <= {0, 1}, "generation rises by one (I5)"
        if word not in {"retry", "rollback"}:
            assert not any(raised.values())
        if word == "rollback":
            assert after.direction is Direction.BACKWARD
            assert [n for n, up in raised.items() if up] == [s.number for s in before.subtasks if s.touched]
            self.ledger.barred.clear()

    @rule(seconds=st.sampled_from([1, 5]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.story.later(seconds)

    @precondition(lambda self: self._planned)
    @rule(place=picks, word=st.sampled_from(list(SUBTASK_WORDS)), other=picks)
    def two_at_once(self, place: int, word: str, other: int) -> None:
        """Two callers' decisions go into one commit, the second decided on what the first leads to."""
        number = self._pick(place, RUNNING, CANCELING)
        if number is None:
            return
        before = self.story.now
        claim = before.subtasks[number - 1].claim
        assert claim is not None
        outcome: cmd.Outcome = cmd.Undone() if claim.phase == "undo" else cmd.Succeeded()
        first = decide(before, cmd.Settle(number, claim.fence, outcome, self.story.at))
        second = SUBTASK_WORDS[word](self.story.at, number=other % len(before.subtasks) + 1)
        try:
            verdict = decide(first.task, second)
        except Refusal:
            return
        self.story.commit(verdict.task, first.events, verdict.events)
        self.ledger.note(before, first.task, first.events, self.story.seq)
        self.ledger.note(first.task, verdict.task, verdict.events, self.story.seq)
        self._finish_rule(before, first.task, first.events)
        self._finish_rule(first.task, verdict.task, verdict.events)
        met["two in one commit"] += 1

    # ---- what holds after each step -------------------------------------------------------------------------

    def _step(self, before: Task | None, after: Task, events: Sequence[ev.TaskEvent]) -> None:
        operator = any(isinstance(event, ev.Turn) for event in events)
        if before is None:
            assert after.version == 1
            return
        assert after.version == before.version + 1
        if before.state in ENDED:
            assert operator, "an ended task changed by itself (I5)"
        self._finish_rule(before, after, events)
        if before.subtasks:
            self._ready_rules(before, after)
        if before.cancelled and not operator:
            assert after.cancelled

    @staticmethod
    def _finish_rule(before: Task, after: Task, events: Sequence[ev.TaskEvent]) -> None:
        ends = after.state in ENDED and (after.state, after.finished_at) != (before.state, before.finished_at)
        said = [event.type for event in events].count("task.finished")
        assert said == ends, "task.finished exactly when the task ends"

    @staticmethod
    def _ready_rules(before: Task, after: Task) -> None:
        """Fail-stop, cancel and concurrency keep PENDING from READY; nothing else takes READY away (R2)."""
        for old, new in zip(before.subtasks, after.subtasks, strict=True):
            if old.status not in ACTIVE and new.status in ACTIVE and not new.commanded:
                assert not after.cancelled, "READY in a cancelled task"
                assert not after.stopped, "READY while a failure stops the task (R2)"
                limit = after.concurrency or len(after.subtasks)
                assert after.active <= limit, "more active than the concurrency (R2)"
            if old.status is READY and new.status is PENDING and old.touched is new.touched:
                assert after.cancelled or after.stopped, "READY sticks"
        failed = {s.number for s in after.subtasks if s.status is FAILED}
        if failed - {s.number for s in before.subtasks if s.status is FAILED}:
            assert all(s.commanded for s in after.subtasks if s.status is READY), "fail-stop takes READY back"

    @invariant()
    def counts_agree(self) -> None:
        """What is counted on the way is what there is."""
        task = self.story.task
        if task is None:
            return
        found = Counter(s.status for s in task.subtasks)
        assert all(task.counts[status] == found[status] for status in SubtaskStatus)
        assert task.waiting_undo == sum(s.to_undo for s in task.subtasks)
        assert task.waiting_failed == sum(s.to_undo and s.status is FAILED for s in task.subtasks)
        for s in task.subtasks:
            assert (s.claim is not None) is (s.status in HELD), "claimed exactly while held (I6)"
            assert s.claim is None or s.claim.fence > 0
            assert s.missing == sum(task.subtasks[u - 1].status is not SUCCESSFUL for u in s.plan.upstreams)
            assert s.touched is (s.number in self.ledger.touched)
            assert (s.finished_at is None) or s.status not in ACTIVE, "an end while it is not over"
            assert s.status is not FAILED or s.problem is not None
            assert s.retry_at is None or s.status is READY
            if s.to_undo:
                assert s.holding == sum(task.subtasks[d - 1].to_undo for d in s.downstreams) or any(
                    task.subtasks[d - 1].status is FAILED for d in s.downstreams
                )

    @invariant()
    def state_follows_from_subtasks(self) -> None:
        """The task's state is a function of its subtasks, its direction and a cancel (I4)."""
        task = self.story.task
        if task is None or not task.subtasks:
            return
        statuses = [s.status for s in task.subtasks]
        active = [status for status in statuses if status in ACTIVE]
        assert (task.state in ENDED) is not bool(active), "ended means that nothing is active, and back (I4, P8)"
        forward = task.direction is Direction.FORWARD
        if active:
            assert task.state in {TaskState.READY, TaskState.RUNNING}
            assert task.finished_at is None
            assert task.problem is None
            return
        met[f"ended {task.state} {task.direction}"] += 1
        assert task.finished_at is not None
        assert (task.problem is not None) is (task.state is TaskState.FAILED)
        if forward:
            done = set(statuses) == {SUCCESSFUL}
        else:
            done = set(statuses) == {PENDING} and not any(s.touched for s in task.subtasks)
        assert (task.state is TaskState.SUCCESSFUL) is done
        if not done:
            assert (task.state is TaskState.CANCELLED) is task.cancelled

    @invariant()
    def nothing_waits_for_nobody(self) -> None:
        """What may become READY is READY, or the limit, a failure or a cancel stands in its way."""
        task = self.story.task
        if task is None or not task.subtasks or task.cancelled or task.stopped:
            return
        if task.concurrency and task.active >= task.concurrency:
            return
        if task.direction is Direction.FORWARD:
            assert not [s for s in task.subtasks if s.status is PENDING and not s.missing]
        else:
            assert not [s for s in task.subtasks if s.to_undo and not s.holding and s.status not in ACTIVE]

    # ---- the end --------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Heal: with willing executors and a patient operator every task comes to a good end (liveness)."""
        if self.story.task is None:
            return
        replayed = replay(self.story.bodies)
        assert replayed is not None
        assert standing(replayed) == standing(self.story.task), "replay gives another task (I2)"
        for _ in range(200):
            if not self._heal():
                break
        else:
            raise AssertionError(f"no end in sight: {self.story.now.state}, {self.story.statuses}")

    def _heal(self) -> bool:
        task = self.story.now
        if task.state is TaskState.INITIALIZING:
            return self._do(cmd.RecordPlan("end", self.nodes, self.story.at, 1, 1, self.concurrency, self.fixed))
        held = self._pick(0, RUNNING, CANCELING)
        if held is not None:
            claim = self.story[held].claim
            assert claim is not None
            done: cmd.Outcome = cmd.Undone() if claim.phase == "undo" else cmd.Succeeded()
            return self._do(cmd.Settle(held, claim.fence, done, self.story.at))
        ready = self._pick(0, READY)
        if ready is not None:
            self.story.later(10)
            return self._do(cmd.Claim(ready, self.story.claimant(), self.story.at))
        assert task.state in ENDED, "nothing runs, nothing is ready, and it has not ended"
        if task.state is TaskState.SUCCESSFUL or task.deleted:
            met["healed"] += 1
            return False
        word = next((word for word in ("rollback", "retry", "skip") if legal_on_task(task, word)), None)
        return word is not None and self._do(TASK_WORDS[word](self.story.at))


WANTED = (
    *(f"subtask.{word}" for word in ("started", "succeeded", "undone", "failed", "retry_scheduled", "cancelled")),
    *("subtask.lost", "subtask.released", "subtask.retried", "subtask.skipped", "subtask.cancel_requested"),
    *(f"task.{word}" for word in ("planned", "plan_failed", "retried", "skipped", "cancel_requested", "finished")),
    *("task.rollback_requested", "task.deleted", "failed UNKNOWN_OUTCOME", "rollback step", "taken over"),
    *("refused illegal_state", "refused not_yet", "refused version_mismatch", "refused rollback_prohibited"),
    *("refused not_skippable", "stale report", "copied event", "part", "claimed onward", "two in one commit"),
    *("done while CANCELING", "cancelled while CANCELING", "released while RUNNING", "lost while canceling"),
    *("ended SUCCESSFUL FORWARD", "ended SUCCESSFUL BACKWARD", "ended CANCELLED BACKWARD", "ended FAILED BACKWARD"),
    *("task retry from CANCELLED FORWARD", "task rollback from FAILED BACKWARD", "subtask skip from FAILED BACKWARD"),
    *("subtask cancel from READY FORWARD", "subtask retry from READY FORWARD", "healed"),
)


ENDINGS = ["done", "done", "done", "done", "failed", "fatal", "cancelled", "released"]

STEPS: dict[str, tuple[int, Callable[[Random], dict[str, Any]]]] = {
    "plan": (3, lambda r: {"parts": r.randint(1, 3), "ends": r.random() < 0.6, "name": r.choice("pq")}),
    "cannot_plan": (1, lambda _: {}),
    "claim": (8, lambda r: {"place": r.randint(0, 11)}),
    "work_on": (2, lambda r: {"place": r.randint(0, 11), "steps": r.randint(1, 4)}),
    "claim_what_is_not_ready": (1, lambda r: {"place": r.randint(0, 11)}),
    "settle": (8, lambda r: {"place": r.randint(0, 11), "ending": r.choice(ENDINGS), "onward": r.random() < 0.5}),
    "settle_in_the_wrong_phase": (1, lambda r: {"place": r.randint(0, 11)}),
    "lose": (2, lambda r: {"place": r.randint(0, 11), "by_item": r.random() < 0.5}),
    "stale_report": (1, lambda r: {"place": r.randint(0, 11), "done": r.random() < 0.5}),
    "copy": (1, lambda r: {"place": r.randint(0, 99), "other": r.randint(0, 11)}),
    "command_task": (
        4,
        lambda r: {
            "word": r.choice(list(TASK_WORDS)),
            "fitting": r.random() < 0.7,
            "wrong_version": r.random() < 0.1,
            "really": r.randint(0, 7),
        },
    ),
    "command_subtask": (
        4,
        lambda r: {"word": r.choice(list(SUBTASK_WORDS)), "place": r.randint(0, 11), "fitting": r.random() < 0.5},
    ),
    "wait": (2, lambda r: {"seconds": r.choice([1, 5])}),
    "two_at_once": (
        1,
        lambda r: {"place": r.randint(0, 11), "word": r.choice(list(SUBTASK_WORDS)), "other": r.randint(0, 11)},
    ),
}
WHILE_PLANNING = {"plan", "cannot_plan"}
ANY_TIME = {"stale_report", "copy", "command_task", "wait"}


def tell(seed: int, steps: int) -> Story:
    """One story by chance alone: dozens of times faster than Hypothesis, with the same steps and the same checks."""
    chance = Random(seed)
    core = Core()
    core.begin(random_plan(chance), chance.choice([0, 0, 1, 2, 3]), chance.random() < 0.05, chance.random() < 0.15, 0)
    names, weights = list(STEPS), [weight for weight, _ in STEPS.values()]
    for name in chance.choices(names, weights, k=steps):
        if core.story.now.state is TaskState.SUCCESSFUL and chance.random() < 0.2:
            break
        if name == "stale_report" and not core.reports:
            continue
        if name not in ANY_TIME and (name in WHILE_PLANNING) is not (core.story.now.state is TaskState.INITIALIZING):
            continue
        if name not in ANY_TIME | WHILE_PLANNING and not core.story.now.subtasks:
            continue
        getattr(core, name)(**STEPS[name][1](chance))
        core.counts_agree()
        core.state_follows_from_subtasks()
        core.nothing_waits_for_nobody()
    core.teardown()
    return core.story


def _tell_many(seeds: range) -> None:
    met.clear()
    for seed in seeds:
        try:
            tell(seed, 150)
        except Exception as error:
            error.add_note(f"in the story of seed {seed}")
            raise
    assert {word: met[word] for word in WANTED if met[word] < 5} == {}, "the run met too little"


def _explore(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Core,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[phase for phase in Phase if phase is not Phase.explain],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_core_keeps_its_invariants() -> None:
    """Stories that Hypothesis invents keep I1-I14 after each step, and can be brought to a good end."""
    _explore(examples=60, steps=50)


def test_the_core_keeps_its_invariants_in_a_crowd() -> None:
    """So do hundreds of stories by chance, which together meet every event, every refusal and every way to end."""
    _tell_many(range(2_000))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_core_keeps_its_invariants_at_length() -> None:
    """The same with many more stories."""
    _tell_many(range(20_000))
    _explore(examples=1_000, steps=100)
