"""Why something waits: what the page says, and that it is true."""

import random
from datetime import timedelta

import pytest

from services.api.console.why import Rule, holds, plan_hold
from services.api.fleet import Executor
from shared.task import commands as cmd
from shared.task.refusals import Refusal
from shared.task.state import SubtaskStatus, Task
from tests.unit.task.given import OOPS, START, Story, node


def executor(name: str, *, pool: str = "default", slots: int = 2, held: int = 0, **more: object) -> Executor:
    """One that lives and can run a no-op."""
    known = {"incarnation": name, "operations": ("noop",), "task_types": ("host.inspect",), **more}
    return Executor(name=name, pools=(pool,), slots=slots, held=held, started_at=START, at=START, **known)


CREW = (executor("a"),)


def rules(task: Task, number: int, crew: tuple[Executor, ...] | None = CREW) -> list[Rule]:
    """What holds a subtask."""
    return [hold.rule for hold in holds(task, task.subtasks[number - 1], crew, START + timedelta(seconds=9))]


def said(task: Task, number: int, crew: tuple[Executor, ...] | None = CREW) -> str:
    """The first rule that holds a subtask, in words."""
    return holds(task, task.subtasks[number - 1], crew, START + timedelta(seconds=9))[0].said


def test_upstreams_are_named() -> None:
    """Only those that are not done yet."""
    story = Story.of(node("a"), node("b"), node("c"), node("d", 1, 2, 3))
    story.run(1)
    found = holds(story.now, story[4], CREW, START)
    assert [hold.rule for hold in found] == [Rule.UPSTREAMS]
    assert found[0].said == "It starts after b and c."
    assert found[0].on == (2, 3)


def test_the_limit_of_the_task_is_told_with_those_who_fill_it() -> None:
    """A task of two at once has room for the third when one of them has ended."""
    story = Story.of(node("a"), node("b"), node("c"), concurrency=2)
    assert rules(story.now, 3) == [Rule.CONCURRENCY]
    assert said(story.now, 3) == "The task lets 2 at once be ready or at work, and so many are: a and b."


def test_a_failure_stops_what_is_new() -> None:
    """What waits behind it says so, beside its own upstream; what failed waits for a person."""
    story = Story.of(node("a"), node("b"), node("c", 2))
    story.claim(2)
    story.break_down(1)
    assert rules(story.now, 3) == [Rule.FAIL_STOP, Rule.UPSTREAMS]
    assert rules(story.now, 1) == [Rule.PERSON]
    assert rules(story.now, 2) == [Rule.SILENT]


def test_a_retry_time_is_said_with_the_failure_before_it() -> None:
    """When it is tried again, and why it has to be."""
    story = Story.of(node("a", times=1, delay=60))
    story.claim(1)
    story.do(cmd.Settle(1, story.seq, cmd.Failed(OOPS), story.at))
    assert rules(story.now, 1) == [Rule.RETRY_TIME]
    assert said(story.now, 1) == "It is tried again by itself in 51 s, at 03:05:05 UTC. It failed: exit code 1"


@pytest.mark.parametrize(
    ("crew", "rule", "words"),
    [
        ((), Rule.NO_EXECUTOR, "No executor of pool default is alive. Pools with executors: none."),
        ((executor("a", pool="gpu"),), Rule.NO_EXECUTOR, "Pools with executors: gpu."),
        (
            (executor("a", operations=("greet",)),),
            Rule.NO_EXECUTOR,
            "Pool default has 1 executor, but none to run noop.",
        ),
        ((executor("a", draining=True),), Rule.NO_EXECUTOR, "draining"),
        ((executor("a", held=2),), Rule.BUSY, "All 2 slots of 1 executor of pool default are taken"),
        ((executor("a", held=2), executor("b")), Rule.QUEUE, "b has a free slot"),
        (None, Rule.QUEUE, "It waits for an executor of pool default to run noop."),
    ],
)
def test_executors_are_told_apart(crew: tuple[Executor, ...] | None, rule: Rule, words: str) -> None:
    """None of the pool, none that can, all draining, all busy, or one that will take it."""
    story = Story.of(node("a"))
    assert rules(story.now, 1, crew) == [rule]
    assert words in said(story.now, 1, crew)


def test_a_task_without_a_plan_waits_for_one_who_makes_it() -> None:
    """Somebody of its pool who offers its type."""
    story = Story.typed()
    able, unable = plan_hold(story.now, CREW), plan_hold(story.now, (executor("a", task_types=()),))
    assert able is not None
    assert able.rule is Rule.QUEUE
    assert unable is not None
    assert unable.said == "Pool default has 1 executor, but none to plan tasks of type host.inspect."


def test_a_rollback_goes_backwards() -> None:
    """An upstream waits until its follower is undone."""
    story = Story.of(node("a", undo=True), node("b", 1, undo=True), node("c", 2))
    story.run(1)
    story.run(2)
    story.break_down(3)
    story.roll_back()
    assert rules(story.now, 1) == [Rule.FOLLOWERS]
    assert "b" in said(story.now, 1)


def test_what_runs_or_is_done_waits_for_nothing() -> None:
    """Nothing is said of it; what is told to stop is."""
    story = Story.of(node("a"), node("b"))
    story.run(1)
    story.claim(2)
    claim = story[2].claim
    assert claim is not None
    crew = (executor("a", incarnation=claim.incarnation),)
    assert rules(story.now, 1, crew) == rules(story.now, 2, crew) == []
    story.do(cmd.CancelTask(story.at))
    assert rules(story.now, 2, crew) == [Rule.STOPPING]


@pytest.mark.parametrize("seed", range(60))
def test_the_words_are_the_rules_of_the_fold(seed: int) -> None:
    """After every command, each subtask that the fold left waiting is held by a rule, and each rule named is in force.

    Text and truth cannot part: a rule that the page forgets, or makes up, fails here.
    """
    dice = random.Random(seed)
    size = dice.randint(2, 7)
    nodes = [
        node(f"n{at}", *sorted(dice.sample(range(1, at), dice.randint(0, min(2, at - 1)))), undo=dice.random() < 0.5)
        for at in range(1, size + 1)
    ]
    story = Story.of(*nodes, concurrency=dice.choice([0, 1, 2, 10]))
    for _ in range(40):
        check(story.now)
        act(story, dice)


def act(story: Story, dice: random.Random) -> None:
    """Do something lawful, or nothing."""
    number = dice.randint(1, len(story.now.subtasks))
    story.later(1)
    try:
        match dice.choice(["claim"] * 4 + ["settle"] * 4 + ["retry", "skip", "cancel", "rollback"]):
            case "claim":
                story.claim(number)
            case "settle" if (claim := story[number].claim) is not None:
                undoing = claim.phase == "undo"
                good = cmd.Undone() if undoing else cmd.Succeeded()
                outcome = good if dice.random() < 0.7 else cmd.Failed(OOPS)
                story.do(cmd.Settle(number, claim.fence, outcome, story.at))
            case "retry":
                story.do(cmd.RetryTask(story.at))
            case "skip":
                story.do(cmd.SkipTask(story.at))
            case "cancel" if dice.random() < 0.3:
                story.do(cmd.CancelTask(story.at))
            case "rollback" if dice.random() < 0.3:
                story.do(cmd.RollBackTask(story.at))
    except Refusal:
        pass


def check(task: Task) -> None:
    """Compare what is said of each subtask with what the fold would do."""
    for subtask in task.subtasks:
        found = {hold.rule for hold in holds(task, subtask, None, START)}
        waiting = subtask.to_undo or (subtask.status is SubtaskStatus.PENDING and task.direction.value == "FORWARD")
        if subtask.status in {SubtaskStatus.READY, SubtaskStatus.RUNNING, SubtaskStatus.CANCELING} or not waiting:
            continue
        assert found, f"{subtask.plan.key} waits and nobody knows why"
        undone = [task.subtasks[one - 1] for one in subtask.plan.upstreams]
        behind = any(one.status is not SubtaskStatus.SUCCESSFUL for one in undone)
        assert (Rule.UPSTREAMS in found) is (behind and not subtask.to_undo)
        assert (Rule.CANCELLED in found) is task.cancelled
        assert (Rule.FAIL_STOP in found) is task.stopped
        room = task.active < (task.concurrency or len(task.subtasks))
        assert (Rule.CONCURRENCY in found) is not room
