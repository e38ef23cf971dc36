"""The machine: one task under a random crowd of executors, lost executors, stale reports, copies and operators.

The steps are Hypothesis rules; `tell` takes the same steps by chance alone. Which invariant is asserted where stands in
`test_machine.py`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.log.fold import apply, fold
from shared.log.port import Stored
from shared.messages.codec import decode, digest
from shared.queue.dispatch import due, stuck
from shared.task import commands as cmd
from shared.task import events as ev
from shared.task.decide import decide
from shared.task.evolve import evolve
from shared.task.executing import MAX_LOSSES
from shared.task.plan import PlannedSubtask
from shared.task.refusals import ClaimedElsewhere, NotReady, Refusal, StaleFence
from shared.task.state import Direction, Operation, SubtaskStatus, Task, TaskState
from tests.unit.task.doubt import (
    ACTIVE,
    CANCELING,
    ENDED,
    FAILED,
    HELD,
    PENDING,
    READY,
    RUNNING,
    SUBTASK_WORDS,
    SUCCESSFUL,
    TASK_WORDS,
    Ledger,
    legal_on_subtask,
    legal_on_task,
    met,
)
from tests.unit.task.given import OOPS, Story, node, replay, standing

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
            can_cancel=chance.random() > 0.2,
            prohibit_rollback=chance.random() < 0.02,
        )
        for number in range(1, size + 1)
    )


class Core(RuleBasedStateMachine):
    """One task and everybody who deals with it."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.ledger = Ledger()
        self.reports: list[tuple[int, int]] = []
        self.nodes: tuple[PlannedSubtask, ...] = ()
        self.accepted = 0
        self.refused = 0
        self.commanded = 0

    # ---- steps ----------------------------------------------------------------------------------------------

    @initialize(
        nodes=st.randoms(use_true_random=False).map(random_plan),
        concurrency=st.integers(0, 3),
        fixed=rarely,
        typed=rarely,
        plan_prohibits=st.integers(0, 9),
        stands=rarely,
    )
    def begin(
        self,
        nodes: tuple[PlannedSubtask, ...],
        concurrency: int,
        fixed: bool,
        typed: bool,
        plan_prohibits: int,
        stands: bool,
    ) -> None:
        """The task is created, with its plan or without, or as one that never has any."""
        self.nodes, self.concurrency, self.fixed = nodes, concurrency, fixed and plan_prohibits == 0
        if stands:
            self.story = Story.standing()
        elif typed:
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
        if self.story.seq % 5 == 0:
            assert decide(replay(self.story.bodies), *commands).events == verdict.events, "so would others (I14)"
            met["I14 decided on a replayed copy"] += 1
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
        elif self.story.now.cancelled:
            assert after.status not in ACTIVE, "a cancelled task begins again (I10)"
            met["lost and not begun again in a cancelled task"] += 1
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

    @rule(place=picks, other=picks)
    def garbage(self, place: int, other: int) -> None:
        """Bytes that are no commit, an event nobody knows, one about what is not there: skipped and counted (I1)."""
        kinds: list[ev.AnyEvent] = [
            ev.UnknownEvent.model_validate({"type": "subtask.teleported", "subtask": place}),
            ev.SubtaskSucceeded(subtask=place + 100, fence=other),
            ev.SubtaskRetried(turn=self.story.now.turn + 1, subtask=place + 100),
            ev.SubtaskFailed(subtask=1, fence=0, problem=OOPS),
        ]
        draft = self.story.now.draft()
        facts = standing(draft)
        assert not evolve(draft, kinds[other % len(kinds)], self.story.at)
        assert standing(draft) == {**facts, "ignored": facts["ignored"] + 1}
        rubbish = [b"", b"{}", b"\xff", b'{"v":1,"task":7,"decisions":[]}'][place % 4]
        folded, seq = fold([Stored(self.story.seq + 1, "", rubbish)], self.story.now, task_id=7)
        assert folded is not None
        assert (folded.ignored, seq) == (facts["ignored"] + 1, self.story.seq + 1)
        assert {**standing(folded), "ignored": 0, "seq": 0} == {**facts, "ignored": 0, "seq": 0}
        met["I1 garbage"] += 1

    @rule(place=picks)
    def read_in_two_pieces(self, place: int) -> None:
        """A state that was kept, and what was stored since, give the same as everything from the beginning (I2)."""
        bodies = self.story.bodies
        cut = place % len(bodies)
        kept = replay(bodies[:cut])
        tail = [Stored(seq, "", body) for seq, body in enumerate(bodies[cut:], start=cut + 1)]
        assert standing(fold(tail, kept)[0] or self.story.now) == standing(self.story.now)
        met["I2 read in two pieces"] += 1

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
        accepted = self._command(TASK_WORDS[word](self.story.at, before.version + wrong_version))
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
        assert self._command(SUBTASK_WORDS[word](self.story.at, number=number)) is legal
        if legal:
            met[f"subtask {word} from {before.subtasks[number - 1].status} {before.direction}"] += 1
            self._after_turn(before, word)

    def _command(self, command: cmd.OperatorCommand) -> bool:
        """Command as an operator; each command is accepted or refused, once (I7)."""
        self.commanded += 1
        accepted = self._do(command)
        self.accepted += accepted
        self.refused += not accepted
        return accepted

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
        self.commanded, self.accepted = self.commanded + 1, self.accepted + 1
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
        if not operator:
            assert after.cancelled is before.cancelled, "a cancel came or went by itself"
            old, new = ([s.generation for s in task.subtasks] for task in (before, after))
            assert not old or old == new, "a generation rises by an operator's retry or rollback alone (I5, I9)"

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
        assert not (task.cancelled and task.counts[READY]), "READY in a cancelled task (I10)"
        canceling = {s.number for s in task.subtasks if s.status is CANCELING}
        assert set(self.ledger.stopping) == canceling, "a cancel without an outcome (I7)"
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
    def a_standing_task_only_starts_and_stops(self) -> None:
        """It has no subtasks, runs from its creation until it is cancelled, and is started by a retry alone."""
        task = self.story.task
        if task is None or not task.standing:
            return
        assert not task.subtasks
        assert not task.parts
        assert task.direction is Direction.FORWARD
        assert task.state is (TaskState.CANCELLED if task.cancelled else TaskState.RUNNING)
        assert (task.finished_at is not None) is task.cancelled
        assert task.started_at is not None
        assert not due(task)
        assert not stuck(task, self.story.at.timestamp())
        met[f"standing {task.state}"] += 1

    @precondition(lambda self: self.story.now.standing)
    @rule()
    def plan_what_stands(self) -> None:
        """No executor can give it a plan, nor say that there is none."""
        assert not self._do(cmd.RecordPlan("p", self.nodes, self.story.at))
        assert not self._do(cmd.FailPlan(OOPS, self.story.at))

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
        assert self.commanded == self.accepted + self.refused, "each command has one outcome (I7)"
        assert self.accepted == self.ledger.turns == self.story.now.turn, "each accepted command took effect once (I7)"
        for _ in range(200):
            if not self._heal():
                break
        else:
            raise AssertionError(f"no end in sight: {self.story.now.state}, {self.story.statuses}")
        assert not self.ledger.stopping, "a cancel without an outcome (I7)"

    def _heal(self) -> bool:
        task = self.story.now
        if task.standing:
            return task.state is TaskState.RUNNING and self._do(cmd.CancelTask(self.story.at))
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
    "garbage": (1, lambda r: {"place": r.randint(0, 11), "other": r.randint(0, 11)}),
    "plan_what_stands": (1, lambda _: {}),
    "read_in_two_pieces": (1, lambda r: {"place": r.randint(0, 99)}),
    "wait": (2, lambda r: {"seconds": r.choice([1, 5])}),
    "two_at_once": (
        1,
        lambda r: {"place": r.randint(0, 11), "word": r.choice(list(SUBTASK_WORDS)), "other": r.randint(0, 11)},
    ),
}
WHILE_PLANNING = {"plan", "cannot_plan"}
ANY_TIME = {"plan_what_stands", "stale_report", "copy", "garbage", "read_in_two_pieces", "command_task", "wait"}


def tell(seed: int, steps: int) -> Story:
    """One story by chance alone: dozens of times faster than Hypothesis, with the same steps and the same checks."""
    chance = Random(seed)
    core = Core()
    core.begin(
        random_plan(chance),
        chance.choice([0, 0, 1, 2, 3]),
        chance.random() < 0.05,
        chance.random() < 0.15,
        0,
        seed % 20 == 7,
    )
    names, weights = list(STEPS), [weight for weight, _ in STEPS.values()]
    for name in chance.choices(names, weights, k=steps):
        if core.story.now.state is TaskState.SUCCESSFUL and chance.random() < 0.2:
            break
        if name == "stale_report" and not core.reports:
            continue
        if name == "plan_what_stands" and not core.story.now.standing:
            continue
        if name not in ANY_TIME and (name in WHILE_PLANNING) is not (core.story.now.state is TaskState.INITIALIZING):
            continue
        if name not in ANY_TIME | WHILE_PLANNING and not core.story.now.subtasks:
            continue
        getattr(core, name)(**STEPS[name][1](chance))
        core.counts_agree()
        core.state_follows_from_subtasks()
        core.nothing_waits_for_nobody()
        core.a_standing_task_only_starts_and_stops()
    core.teardown()
    return core.story
