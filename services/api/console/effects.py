"""What a command would do, in words and as rows: the dry run as a person reads it. Decides nothing, knows no address.

What comes is told from the two states that the decision lies between, so words and truth cannot part.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from services.api.asked import Preview
from services.api.console import shown
from services.api.console.badge import ROLLED_BACK, Badge
from services.api.console.layers import depths
from shared.task.state import Direction, Subtask, SubtaskStatus, Task, TaskState

NAMED: Final = 3
"""So many subtasks are named in a sentence."""
ROWS: Final = 50
"""So many changes are shown."""
NOTHING: Final = Badge("·", "Nothing to undo", "idle")


@dataclass(frozen=True, slots=True)
class Change:
    """What would become of a subtask."""

    number: int
    name: str
    before: Badge
    after: Badge


def said(found: Preview, number: int | None = None) -> list[str]:
    """Return in sentences what the command would do; `number` is the subtask's that it is for."""
    before, after = found.before, found.after
    if before is None or after is None:
        return []
    match found.word.removeprefix("subtask."):
        case "retry":
            return _retry(before, after, found.touched)
        case "skip":
            return _skip(before, after, found.touched)
        case "cancel":
            return _cancel(before, after, number)
        case "rollback":
            return _rollback(after)
        case _:
            return ["It leaves the lists. Its history, its logs and its results stay, and its address still shows it."]


def changes(found: Preview) -> tuple[list[Change], int]:
    """Return what changes, in the order it happens in, and how many changes are left out."""
    before, after = found.before, found.after
    if before is None or after is None:
        return [], 0
    if found.word == "rollback":
        made = [_undoing(before, subtask) for subtask in _last_first(after)]
    else:
        made = [_change(before, after.subtasks[number - 1]) for number in found.touched if before.find(number)]
        made = [one for one in made if one.before != one.after]
    return made[:ROWS], max(0, len(made) - ROWS)


def _change(before: Task, subtask: Subtask) -> Change:
    was = before.subtasks[subtask.number - 1]
    return Change(subtask.number, subtask.plan.name, shown.badge_of(was), shown.badge_of(subtask))


def _undoing(before: Task, subtask: Subtask) -> Change:
    was = shown.badge_of(before.subtasks[subtask.number - 1])
    return Change(subtask.number, subtask.plan.name, was, ROLLED_BACK if subtask.plan.has_undo else NOTHING)


def _last_first(task: Task) -> list[Subtask]:
    """Return what a rollback undoes, in its order."""
    depth = depths({one.number: one.plan.upstreams for one in task.subtasks})
    waiting = [one for one in task.subtasks if one.to_undo]
    return sorted(waiting, key=lambda one: (-depth[one.number], one.number))


def _retry(before: Task, after: Task, touched: Sequence[int]) -> list[str]:
    if after.standing:
        return ["It starts again."]
    if not after.subtasks:
        return ["An executor plans it again, and then it runs."]
    again = [one for one in _of(after, touched) if one.generation > before.subtasks[one.number - 1].generation]
    text = []
    if again:
        text.append(f"{_count(again, 'runs', 'run')} again: {names(again)}.")
        if first := [one for one in again if one.undo_first]:
            text.append(f"What an earlier attempt left is undone first: {names(first)}.")
    else:
        text.append(f"It goes on where it stopped; next: {names(_begun(before, after)) or 'what is ready'}.")
    return text + _held(after) + _rest(after, again)


def _skip(before: Task, after: Task, touched: Sequence[int]) -> list[str]:
    over = [one for one in _of(after, touched) if before.subtasks[one.number - 1].status is SubtaskStatus.FAILED]
    over = over or _of(after, touched)[:1]
    if after.direction is Direction.BACKWARD:
        text = [f"{names(over)}: counted as undone; what is there of it stays."]
    else:
        text = [f"{names(over)}: counted as done without its work. What follows gets no output of it."]
    if after.state is TaskState.SUCCESSFUL:
        return [*text, "Nothing is left to do then: the task ends."]
    begun = _begun(before, after)
    return text + ([f"Next: {names(begun)}."] if begun else []) + _held(after)


def _cancel(before: Task, after: Task, number: int | None) -> list[str]:
    if number is not None:
        one = after.subtasks[number - 1]
        ends = "is stopped and" if one.status is SubtaskStatus.CANCELING else "is not tried again and"
        return [f"{one.plan.name} {ends} counts as failed: nothing new starts until it is retried or skipped."]
    if after.standing:
        return ["It stops taking requests. It can be started again."]
    if before.state is TaskState.INITIALIZING:
        return ["It is stopped before it has a plan. It can be retried."]
    stopping = [one for one in after.subtasks if one.status is SubtaskStatus.CANCELING]
    going = [one for one in after.subtasks if one.status is SubtaskStatus.RUNNING]
    held = before.counts[SubtaskStatus.READY]
    text = [f"{_count(stopping, 'is', 'are')} asked to stop: {names(stopping)}."] if stopping else []
    if going:
        text.append(f"{_count(going, 'runs', 'run')} to the end, for the plan says so: {names(going)}.")
    if held:
        text.append(f"{held} that {'was' if held == 1 else 'were'} about to start {'does' if held == 1 else 'do'} not.")
    way = "rolled back again" if after.direction is Direction.BACKWARD else "retried or rolled back later"
    return [*text, f"Nothing new starts. What is done stays done; it can be {way}."]


def _rollback(after: Task) -> list[str]:
    undone = _last_first(after)
    if not undone:
        return ["Nothing of it is there, so nothing is undone: it ends as rolled back."]
    text = [f"{_count(undone, 'is', 'are')} undone, the last first: {names(undone)}."]
    if idle := [one for one in undone if not one.plan.has_undo]:
        text.append(f"{_count(idle, 'has', 'have')} no way to be undone; what it did stays: {names(idle)}.")
    return [*text, "There is no way forward again."]


def _of(task: Task, numbers: Iterable[int]) -> list[Subtask]:
    return [task.subtasks[number - 1] for number in numbers]


def _begun(before: Task, after: Task) -> list[Subtask]:
    """Return what becomes ready by the command."""
    ready = SubtaskStatus.READY
    return [s for s in after.subtasks if s.status is ready and before.subtasks[s.number - 1].status is not ready]


def _held(after: Task) -> list[str]:
    """Say what still keeps the task from going on."""
    failed = [s for s in after.subtasks if s.status is SubtaskStatus.FAILED and not s.to_undo]
    if not failed:
        return []
    return [f"{names(failed)} failed, too: nothing else starts until that is retried or skipped."]


def _rest(after: Task, again: Sequence[Subtask]) -> list[str]:
    late = [one for one in again if one.status is SubtaskStatus.PENDING]
    text = [f"{len(late):,} of them wait their turn: {after.concurrency} run at once."] if late else []
    mine = {one.number for one in again}
    then = [s for s in after.subtasks if s.status is SubtaskStatus.PENDING and s.number not in mine]
    return [*text, f"Then {names(then)} follow{'s' if len(then) == 1 else ''}."] if then else text


def _count(some: Sequence[Subtask], one: str, many: str) -> str:
    return f"1 subtask {one}" if len(some) == 1 else f"{len(some):,} subtasks {many}"


def names(some: Sequence[Subtask]) -> str:
    """Return the first names, and how many more there are."""
    first = ", ".join(one.plan.name for one in some[:NAMED])
    return f"{first} and {len(some) - NAMED:,} more" if len(some) > NAMED else first
