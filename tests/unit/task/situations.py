"""Every situation of a task and of a subtask that `docs/task-lifecycle.md` has a row for, and how to get there."""

from collections.abc import Callable
from functools import partial

from shared.task import commands as cmd
from tests.unit.task.given import OOPS, START, Story, node


def _pair(**settings: bool) -> Story:
    """Two subtasks, one after the other; `settings` are those of the first one."""
    return Story.of(node("a", **settings), node("b", 1))


def _sides(**settings: bool) -> Story:
    """Two subtasks side by side."""
    return Story.of(node("a", **settings), node("b"))


def _running(number: int = 1) -> Story:
    story = _sides()
    story.claim(number)
    return story


def _canceling() -> Story:
    return _running().cancel()


def _failed_while_canceling() -> Story:
    story = _sides()
    story.claim(1)
    story.claim(2)
    story.settle(1, cmd.Failed(OOPS))
    return story.cancel()


def _waiting() -> Story:
    story = Story.of(node("a", times=1, delay=5.0), node("b"))
    story.claim(1)
    story.settle(1, cmd.Failed(OOPS))
    return story


def _unplannable() -> Story:
    story = Story.typed()
    story.do(cmd.FailPlan(OOPS, START))
    return story


def _undoing() -> Story:
    story = _pair().run(1).break_down(2).roll_back()
    story.claim(2)
    return story


def _stopped_undo() -> Story:
    story = _undoing()
    story.settle(2, cmd.Failed(OOPS))
    return story


def _cancelled_undo() -> Story:
    story = _undoing().cancel()
    story.settle(2, cmd.Cancelled())
    return story


def _rolled_back() -> Story:
    story = _undoing()
    story.settle(2, cmd.Undone())
    return story.undo(1)


def _stopped_before() -> Story:
    """Both failed; the rollback, one at a time, stops at the first: the second has still to be undone."""
    story = Story.of(node("a"), node("b"))
    story.claim(1)
    story.claim(2)
    for number in (1, 2):
        story.settle(number, cmd.Failed(OOPS))
    story.roll_back()
    story.claim(1)
    story.settle(1, cmd.Failed(OOPS))
    return story


def _cancelled() -> Story:
    story = _canceling()
    story.settle(1, cmd.Cancelled())
    return story


def _deleted() -> Story:
    story = _sides().break_down(1)
    story.do(cmd.DeleteTask(START))
    return story


def _denied(*, waiting: bool) -> Story:
    story = Story.of(node("a", times=1, delay=5.0, can_retry=False, can_skip=False, can_cancel=False))
    story.claim(1)
    if waiting:
        story.settle(1, cmd.Failed(OOPS))
    return story


def _not_to_be_stopped(ending: cmd.Outcome | None, rests: str) -> Story:
    """The task is cancelled while something runs that cannot be cancelled; then that is handed back, or lost."""
    story = Story.of(node("a", can_cancel=False, undo=True), node("b"))
    if rests == "to be retried":
        story.break_down(1).retry()
    elif rests == "done":
        story.run(1).break_down(2).roll_back()
    elif rests == "failed":
        story.break_down(1).roll_back()
    elif rests == "waiting":
        story.claim(1)
        story.settle(1, cmd.Released())
        story.break_down(2).roll_back()
    fence = story.claim(1)
    story.cancel()
    if ending is not None:
        story.settle(1, ending)
    else:
        story.do(cmd.Claim(1, story.claimant(incarnation="i2"), START, owner_gone=fence))
    return story


def _running_on() -> Story:
    story = _sides(can_cancel=False)
    story.claim(1)
    return story.cancel()


NOT_TO_BE_STOPPED: list[Callable[[], Story]] = [
    *(partial(_not_to_be_stopped, None, rests) for rests in ("", "done", "failed", "waiting")),
    *(partial(_not_to_be_stopped, cmd.Released(), rests) for rests in ("", "done", "failed", "waiting")),
    partial(_not_to_be_stopped, cmd.Undone(), "to be retried"),
]
"""Ends of what a cancel of the task leaves alone, so rare that a crowd seldom meets them."""


TASKS: dict[str, Callable[[], Story]] = {
    "waits for its plan": Story.typed,
    "planned, nothing has started": _pair,
    "something runs": _running,
    "something failed, something runs": lambda: _running(2).break_down(1),
    "is being cancelled": _canceling,
    "is cancelled while something runs that cannot be": _running_on,
    "everything is done": lambda: _pair().run(1, 2),
    "something failed": lambda: _pair().break_down(1),
    "something failed that cannot be retried": lambda: _pair(can_retry=False).break_down(1),
    "something failed that cannot be skipped": lambda: _pair(can_skip=False).break_down(1),
    "something failed that prohibits rollback": lambda: _pair(prohibit_rollback=True).break_down(1),
    "no plan could be made": _unplannable,
    "cancelled before it was planned": lambda: Story.typed().cancel(),
    "cancelled while nothing ran": lambda: _pair().cancel(),
    "cancelled while something ran": _cancelled,
    "rolling back": _undoing,
    "a step of the rollback failed": _stopped_undo,
    "the rollback was cancelled while it undid something": _cancelled_undo,
    "the rollback was cancelled between two steps": lambda: _pair().run(1).break_down(2).roll_back().undo(2).cancel(),
    "rolled back": _rolled_back,
    "deleted": _deleted,
    "standing, started": Story.standing,
    "standing, stopped": lambda: Story.standing().cancel(),
}


SUBTASKS: dict[str, tuple[Callable[[], Story], int]] = {
    "waits for an upstream": (_pair, 2),
    "may be claimed": (_pair, 1),
    "waits for its retry time": (_waiting, 1),
    "waits for its retry time, abilities denied": (lambda: _denied(waiting=True), 1),
    "runs": (_running, 1),
    "runs and cannot be cancelled": (lambda: _denied(waiting=False), 1),
    "is being cancelled": (_canceling, 1),
    "failed": (lambda: _pair().break_down(1), 1),
    "failed, abilities denied": (lambda: _pair(can_retry=False, can_skip=False).break_down(1), 1),
    "failed, and its task is being cancelled": (_failed_while_canceling, 1),
    "done": (lambda: _pair().run(1), 1),
    "skipped": (lambda: _pair().break_down(1).skip(1), 1),
    "waits for a follower to be undone": (_undoing, 1),
    "may be claimed to be undone": (lambda: _pair().run(1).break_down(2).roll_back(), 2),
    "is being undone": (_undoing, 2),
    "could not be undone": (_stopped_undo, 2),
    "failed, and a stopped rollback has still to undo it": (_stopped_before, 2),
    "undone": (_rolled_back, 2),
    "of a deleted task": (_deleted, 1),
}
