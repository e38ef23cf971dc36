"""Why something waits: the rules that hold each subtask back, by the counts that the fold moves it on (`moves.py`).

What the fold leaves waiting is held by a rule named here, and what is named is in force: a test plays stories against
the fold. Of executors it believes what they say of themselves. Knows no page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.api.console.span import ago, lasted
from services.api.fleet import Executor
from shared.task.allowed import allowed_on_subtask, allowed_on_task
from shared.task.state import ACTIVE, Direction, Subtask, SubtaskStatus, Task, TaskState

Crew = Sequence[Executor] | None
"""The executors that live, None when that is not known: of the past nobody recorded it."""
NAMED: Final = 5
"""How many other subtasks one sentence names."""
LONG: Final = timedelta(seconds=30)
"""What waits longer than this for an executor that is there deserves another word."""


class Rule(StrEnum):
    """What holds something back."""

    PERSON = "someone has to act"
    FAIL_STOP = "a failure stops what is new"
    CANCELLED = "the task is cancelled"
    UPSTREAMS = "its upstreams are not done"
    FOLLOWERS = "its followers are not undone"
    CONCURRENCY = "the task's own limit"
    RETRY_TIME = "its retry time"
    NO_EXECUTOR = "no executor for it"
    BUSY = "every executor for it is busy"
    QUEUE = "an executor will take it"
    STOPPING = "it is being stopped"
    SILENT = "its executor is not heard"


@dataclass(frozen=True, slots=True)
class Hold:
    """One rule that holds a subtask, in a sentence; `on` are the numbers of the subtasks that it waits for."""

    rule: Rule
    said: str
    on: tuple[int, ...] = ()


def holds(task: Task, subtask: Subtask, crew: Crew, now: datetime) -> list[Hold]:
    """Return everything that holds a subtask back; nothing when it runs, is done, or is not to do anything more."""
    if task.deleted:
        return []
    if subtask.status is SubtaskStatus.READY:
        return [_ready(task, subtask, crew, now)]
    if subtask.status in ACTIVE:
        return _at_work(subtask, crew)
    if subtask.to_undo or (subtask.status is SubtaskStatus.PENDING and task.direction is Direction.FORWARD):
        return _waiting(task, subtask)
    if subtask.status is SubtaskStatus.FAILED:
        return [_person(task, subtask)]
    return []


def _person(task: Task, subtask: Subtask) -> Hold:
    lawful = [*allowed_on_subtask(task, subtask), *(["rollback"] if "rollback" in allowed_on_task(task) else [])]
    ways = " or ".join(_WAYS.get(word, word) for word in lawful)
    said = f"It failed and waits for someone: {ways}." if ways else "It failed; nothing can be done about it now."
    return Hold(Rule.PERSON, said)


_WAYS: Final = {"retry": "retry it", "skip": "skip it", "rollback": "roll the task back"}


def _waiting(task: Task, subtask: Subtask) -> list[Hold]:
    """Return what keeps `moves.fill` from making a subtask READY."""
    found: list[Hold] = []
    if task.cancelled:
        found.append(Hold(Rule.CANCELLED, "The task was cancelled, so nothing new starts until it is retried."))
    if task.stopped:
        failed = _numbers(task, SubtaskStatus.FAILED)
        said = f"{_names(task, failed)} failed, and a failure keeps anything new from starting."
        found.append(Hold(Rule.FAIL_STOP, said, failed))
    if task.direction is Direction.BACKWARD:
        if subtask.holding:
            after = tuple(
                number
                for number in subtask.downstreams
                if (other := task.subtasks[number - 1]).to_undo or other.status in ACTIVE or other.touched
            )
            said = f"It is undone after its followers: {_names(task, after)} first."
            found.append(Hold(Rule.FOLLOWERS, said, after))
    elif subtask.missing:
        missing = tuple(
            number
            for number in subtask.plan.upstreams
            if task.subtasks[number - 1].status is not SubtaskStatus.SUCCESSFUL
        )
        found.append(Hold(Rule.UPSTREAMS, f"It starts after {_names(task, missing)}.", missing))
    limit = task.concurrency or len(task.subtasks)
    if task.active >= limit:
        active = tuple(one.number for one in task.subtasks if one.status in ACTIVE)
        said = f"The task lets {limit} at once be ready or at work, and so many are: {_names(task, active)}."
        found.append(Hold(Rule.CONCURRENCY, said, active))
    return found


def plan_hold(task: Task, crew: Crew) -> Hold | None:
    """Return what keeps a task from having a plan, None when it has one, or never will."""
    if task.state is not TaskState.INITIALIZING or task.deleted:
        return None
    what = f"to plan tasks of type {task.type}"
    return _executor(
        task.pool, [one for one in crew if task.type in one.task_types] if crew is not None else None, crew, what
    )


def _ready(task: Task, subtask: Subtask, crew: Crew, now: datetime) -> Hold:
    if subtask.retry_at is not None and subtask.retry_at > now.timestamp():
        at = datetime.fromtimestamp(subtask.retry_at, tz=now.tzinfo)
        why = (
            f" It failed: {subtask.problem.message.splitlines()[0][:300]}"
            if subtask.problem and subtask.problem.message
            else ""
        )
        return Hold(Rule.RETRY_TIME, f"It is tried again by itself {ago(at, now)}, at {at:%H:%M:%S} UTC.{why}")
    plan = subtask.plan
    operation = (
        plan.undo.operation if task.direction is Direction.BACKWARD and plan.undo is not None else plan.operation
    )
    fit = (
        [one for one in crew if operation in one.operations or plan.operation in one.operations]
        if crew is not None
        else None
    )
    found = _executor(plan.pool, fit, crew, f"to run {operation}")
    waited = now - subtask.ready_at if subtask.ready_at is not None else timedelta()
    if found.rule is Rule.QUEUE and waited > LONG:
        more = f" It has been ready for {lasted(subtask.ready_at, None, now)}; the queue is mended by itself."
        return Hold(found.rule, found.said + more)
    return found


def _executor(pool: str, fit: Sequence[Executor] | None, crew: Crew, what: str) -> Hold:
    """Return what keeps work of a pool waiting, given those who could do it."""
    if crew is None or fit is None:
        return Hold(Rule.QUEUE, f"It waits for an executor of pool {pool} {what}.")
    of_pool = [one for one in crew if pool in one.pools]
    mine = [one for one in fit if pool in one.pools]
    if not of_pool:
        pools = ", ".join(sorted({found for one in crew for found in one.pools})) or "none"
        return Hold(Rule.NO_EXECUTOR, f"No executor of pool {pool} is alive. Pools with executors: {pools}.")
    if not mine:
        return Hold(Rule.NO_EXECUTOR, f"Pool {pool} has {_many(len(of_pool), 'executor')}, but none {what}.")
    taking = [one for one in mine if not one.draining]
    if not taking:
        return Hold(Rule.NO_EXECUTOR, f"Every executor of pool {pool} {what} is draining and takes no new work.")
    free = [one for one in taking if one.busy < one.slots]
    if not free:
        slots = sum(one.slots for one in taking)
        return Hold(
            Rule.BUSY,
            f"All {_many(slots, 'slot')} of {_many(len(taking), 'executor')} of pool {pool} are taken; it is queued.",
        )
    return Hold(Rule.QUEUE, f"It is queued; {free[0].name} has a free slot and will take it in a moment.")


def _at_work(subtask: Subtask, crew: Crew) -> list[Hold]:
    """Return what is to be said of something that runs: that it is told to stop, or that nobody hears of it."""
    claim, found = subtask.claim, list[Hold]()
    if subtask.status is SubtaskStatus.CANCELING:
        who = claim.executor if claim is not None else "Its executor"
        found.append(Hold(Rule.STOPPING, f"{who} has been told to stop it."))
    if crew is None or claim is None or any(one.incarnation == claim.incarnation for one in crew):
        return found
    said = f"{claim.executor} has it and is not heard of. Another executor takes it over when the lease has ended."
    return [*found, Hold(Rule.SILENT, said)]


def _numbers(task: Task, status: SubtaskStatus) -> tuple[int, ...]:
    return tuple(one.number for one in task.subtasks if one.status is status and not one.to_undo)


def _names(task: Task, numbers: Sequence[int]) -> str:
    named = [task.subtasks[number - 1].plan.name for number in numbers[:NAMED]]
    if len(numbers) > NAMED:
        return f"{', '.join(named)} and {len(numbers) - NAMED} more"
    return " and ".join(filter(None, [", ".join(named[:-1]), named[-1]])) if named else "others"


def _many(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")
