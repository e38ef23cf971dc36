"""evolve: what an event makes of a task. Total: garbage, copies and stale reports are counted, never raised (I1, I3).

READY is set here, and sticks: eligible PENDING subtasks in number order while READY + RUNNING + CANCELING stay below
`concurrency` (R2). Each event costs what it changes, not the size of the task.
"""

from collections.abc import Callable
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Any

from shared.task import events as ev
from shared.task.state import (
    ENDED,
    UNSEALED,
    Actor,
    Claim,
    Direction,
    Operation,
    Subtask,
    SubtaskStatus,
    Task,
    TaskState,
)

PENDING, READY, RUNNING = SubtaskStatus.PENDING, SubtaskStatus.READY, SubtaskStatus.RUNNING
CANCELING, FAILED, SUCCESSFUL = SubtaskStatus.CANCELING, SubtaskStatus.FAILED, SubtaskStatus.SUCCESSFUL
FORWARD, BACKWARD = Direction.FORWARD, Direction.BACKWARD


def evolve(task: Task, event: ev.AnyEvent, at: datetime) -> None:
    """Apply one event to a draft, in place. `at` is the time of the decision that carries it."""
    handler = _HANDLERS.get(type(event))
    if handler is None or not handler(task, event, at):
        task.ignored += 1
        return
    _fill(task, at)
    _settle(task, at)


def create(task_id: int, event: ev.TaskCreated, by: Actor, at: datetime) -> Task:
    """Return the draft of a task that has just been created."""
    task = Task(
        id=task_id,
        name=event.name,
        type=event.task_type,
        creator=by,
        created_at=at,
        pool=event.pool,
        type_version=event.type_version,
        params=event.params,
        object=event.object,
        labels=event.labels,
        parent=event.parent,
        plan_ref=event.plan_ref,
    )
    task.fresh = None
    return task


def seal(task: Task, seq: int, head: str, *, changed: bool) -> None:
    """Note the commit's stream sequence: it becomes the fence of the claims the commit made."""
    for number in task.unsealed:
        subtask = task.subtasks[number - 1]
        claim = subtask.claim
        if claim is not None and claim.fence == UNSEALED:
            task.edit(number).claim = Claim(seq, claim.incarnation, claim.executor, claim.item, claim.phase)
    task.unsealed.clear()
    task.seq = seq
    task.head = head
    task.created_seq = task.created_seq or seq
    if changed:
        task.version += 1


# ---- what each event does; False means that it does not fit and changes nothing --------------------------------


def _planned(task: Task, event: ev.TaskPlanned, at: datetime) -> bool:
    if task.state is not TaskState.INITIALIZING:
        return False
    if event.part == 1:
        task.plan_id, task.parts = event.plan_id, ()
    if event.plan_id != task.plan_id or event.part != len(task.parts) + 1 or event.part > event.parts:
        return False
    if event.part < event.parts:
        task.parts = (*task.parts, event.subtasks)
        return True
    nodes = [node for part in task.parts for node in part]
    nodes.extend(event.subtasks)
    downstreams: list[list[int]] = [[] for _ in nodes]
    for number, node in enumerate(nodes, start=1):
        for upstream in node.upstreams:
            if not 1 <= upstream <= len(nodes):
                return False
            downstreams[upstream - 1].append(number)
    task.parts = ()
    task.concurrency = event.concurrency
    task.prohibit_rollback = event.prohibit_rollback
    task.subtasks = [
        Subtask(number=number, plan=node, downstreams=tuple(downstreams[number - 1]), missing=len(node.upstreams))
        for number, node in enumerate(nodes, start=1)
    ]
    task.fresh = None
    task.counts = {**dict.fromkeys(SubtaskStatus, 0), PENDING: len(nodes)}
    task.eligible = [subtask.number for subtask in task.subtasks if not subtask.missing]
    task.changed.update(range(1, len(nodes) + 1))
    task.state = TaskState.READY
    return True


def _plan_failed(task: Task, event: ev.TaskPlanFailed, at: datetime) -> bool:
    if task.state is not TaskState.INITIALIZING:
        return False
    task.problem = event.problem
    task.parts = ()
    task.state = TaskState.FAILED
    task.finished_at = at
    return True


def _started(task: Task, event: ev.SubtaskStarted, at: datetime) -> bool:
    found = task.find(event.subtask)
    if (
        found is None
        or found.status is not READY
        or event.generation != found.generation
        or event.attempt != found.attempt + 1
    ):
        return False
    subtask = task.edit(event.subtask)
    subtask.attempt = event.attempt
    subtask.claim = Claim(UNSEALED, event.incarnation, event.executor, event.item, event.phase)
    subtask.executor = event.executor
    subtask.touched = True
    subtask.commanded = False
    subtask.retry_at = None
    subtask.started_at = subtask.started_at or at
    subtask.finished_at = None
    if event.phase == "execute":
        subtask.run_time += 1
        subtask.tries += 1
        subtask.ran_generation = subtask.generation
    task.unsealed.append(event.subtask)
    task.started_at = task.started_at or at
    _move(task, subtask, RUNNING)
    return True


def _held(task: Task, number: int, fence: int) -> Subtask | None:
    """Return the draft's copy of a subtask whose current claim has this fence; stale reports find None."""
    found = task.find(number)
    if found is None or found.claim is None or found.claim.fence != fence or fence == UNSEALED:
        return None
    return task.edit(number)


def _succeeded(task: Task, event: ev.SubtaskSucceeded, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence)
    if subtask is None:
        return False
    subtask.output = event.output
    subtask.output_ref = event.output_ref
    _succeed(task, subtask, at)
    return True


def _undone(task: Task, event: ev.SubtaskUndone, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence)
    if subtask is None:
        return False
    if task.direction is BACKWARD:
        subtask.operation = Operation.ROLLBACK
        _take_back(task, subtask, at)
        return True
    subtask.touched = False
    subtask.undo_first = False
    if subtask.status is CANCELING:
        _fail(task, subtask, _CANCELLED, at)
        return True
    subtask.claim = None
    subtask.commanded = True
    _move(task, subtask, READY)
    return True


def _failed(task: Task, event: ev.SubtaskFailed, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence)
    if subtask is None:
        return False
    _fail(task, subtask, event.problem, at)
    return True


def _retry_scheduled(task: Task, event: ev.SubtaskRetryScheduled, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence)
    if subtask is None or subtask.status is not RUNNING:
        return False
    subtask.claim = None
    subtask.problem = event.problem
    subtask.operation = Operation.RETRY
    subtask.retry_at = event.retry_at
    subtask.undo_first = subtask.plan.has_undo
    _move(task, subtask, READY)
    return True


def _cancelled(task: Task, event: ev.SubtaskCancelled, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence)
    if subtask is None or subtask.status is not CANCELING:
        return False
    _fail(task, subtask, _CANCELLED, at)
    return True


def _handed_back(task: Task, event: ev.SubtaskLost | ev.SubtaskReleased, at: datetime) -> bool:
    subtask = _held(task, event.subtask, event.fence)
    if subtask is None or subtask.status is not RUNNING:
        return False
    subtask.claim = None
    _move(task, subtask, READY)
    return True


def _task_retried(task: Task, event: ev.TaskRetried, at: datetime) -> bool:
    task.operation = Operation.RETRY
    _resume(task)
    if not task.subtasks:  # it never had a plan: ask for one again
        task.state = TaskState.INITIALIZING
        task.finished_at = task.problem = None
    for found in _failed_ones(task):
        _again(task, task.edit(found.number))
    return True


def _subtask_retried(task: Task, event: ev.SubtaskRetried, at: datetime) -> bool:
    found = task.find(event.subtask)
    if found is None:
        return False
    _resume(task)
    _again(task, task.edit(event.subtask), limited=False)
    return True


def _task_skipped(task: Task, event: ev.TaskSkipped, at: datetime) -> bool:
    _resume(task)
    for found in _failed_ones(task):
        _skip(task, task.edit(found.number), at)
    return True


def _subtask_skipped(task: Task, event: ev.SubtaskSkipped, at: datetime) -> bool:
    found = task.find(event.subtask)
    if found is None:
        return False
    _resume(task)
    _skip(task, task.edit(event.subtask), at)
    return True


def _task_cancel_requested(task: Task, event: ev.TaskCancelRequested, at: datetime) -> bool:
    task.cancelled = True
    if task.state is TaskState.INITIALIZING:
        task.state = TaskState.CANCELLED
        task.finished_at = at
        task.parts = ()
        return True
    for found in task.subtasks:
        if found.status is READY:
            _back(task, task.edit(found.number))
        elif found.status is RUNNING:
            subtask = task.edit(found.number)
            subtask.operation = Operation.CANCEL
            _move(task, subtask, CANCELING)
    return True


def _subtask_cancel_requested(task: Task, event: ev.SubtaskCancelRequested, at: datetime) -> bool:
    found = task.find(event.subtask)
    if found is None or found.status not in {READY, RUNNING}:
        return False
    subtask = task.edit(event.subtask)
    subtask.operation = Operation.CANCEL
    if subtask.status is RUNNING:
        _move(task, subtask, CANCELING)
    else:
        _fail(task, subtask, _CANCELLED, at)
    return True


def _rollback_requested(task: Task, event: ev.TaskRollbackRequested, at: datetime) -> bool:
    task.operation = Operation.ROLLBACK
    task.direction = BACKWARD
    task.cancelled = False
    task.eligible = []
    if not task.subtasks:  # it never had a plan: there is nothing to undo
        task.state = TaskState.SUCCESSFUL
        task.finished_at = at
        task.problem = None
    marked = [found.number for found in task.subtasks if found.touched]
    for found in task.subtasks:
        subtask = task.edit(found.number)
        subtask.retry_at = None
        subtask.undo_first = False
        if subtask.touched:
            subtask.operation = Operation.ROLLBACK
            subtask.generation += 1
            subtask.tries = 0
            if not subtask.to_undo:
                subtask.to_undo = True
                task.waiting_undo += 1
                task.waiting_failed += subtask.status is FAILED
        else:
            _move(task, subtask, PENDING)
    for number in marked:
        subtask = task.edit(number)
        subtask.holding = sum(task.subtasks[follower - 1].to_undo for follower in subtask.downstreams)
        if not subtask.holding:
            task.eligible.append(number)
    heapify(task.eligible)
    return True


def _deleted(task: Task, event: ev.TaskDeleted, at: datetime) -> bool:
    task.deleted = True
    return True


def _finished(task: Task, event: ev.TaskFinished, at: datetime) -> bool:
    return task.state in ENDED


# ---- the moves they share -----------------------------------------------------------------------------------

_CANCELLED = ev.Problem(kind="CANCELLED", message="Cancelled on request.")


def _move(task: Task, subtask: Subtask, status: SubtaskStatus) -> None:
    before = subtask.status
    if before is status:
        return
    task.counts[before] -= 1
    task.counts[status] += 1
    if subtask.to_undo:
        task.waiting_failed += (status is FAILED) - (before is FAILED)
    subtask.status = status
    if status is READY:
        subtask.resting = before
        task.newly_ready.append(subtask.number)
    if (before is SUCCESSFUL) is not (status is SUCCESSFUL):
        step = 1 if before is SUCCESSFUL else -1
        forward = task.direction is FORWARD
        for number in subtask.downstreams:
            follower = task.edit(number)
            follower.missing += step
            if forward and not follower.missing and follower.status is PENDING:
                heappush(task.eligible, number)


def _succeed(task: Task, subtask: Subtask, at: datetime) -> None:
    if subtask.status is CANCELING:  # completed before the cancel reached it
        subtask.operation = Operation.RETRY if subtask.run_time > 1 else Operation.EXECUTE
    subtask.claim = None
    subtask.problem = None
    subtask.finished_at = at
    _move(task, subtask, SUCCESSFUL)


def _fail(task: Task, subtask: Subtask, problem: ev.Problem, at: datetime) -> None:
    subtask.claim = None
    subtask.problem = problem
    subtask.finished_at = at
    subtask.commanded = False
    subtask.retry_at = None
    if subtask.to_undo:
        subtask.to_undo = False
        task.waiting_undo -= 1
    _move(task, subtask, FAILED)
    if task.counts[READY]:  # fail-stop: what no command made READY goes back
        for found in task.subtasks:
            if found.status is READY and not found.commanded:
                _back(task, task.edit(found.number))


def _back(task: Task, subtask: Subtask) -> None:
    """Take an unclaimed READY subtask back to where it waited."""
    subtask.commanded = False
    subtask.retry_at = None
    if task.direction is BACKWARD:
        _move(task, subtask, subtask.resting)
        heappush(task.eligible, subtask.number)
        return
    _move(task, subtask, PENDING)
    if not subtask.missing:
        heappush(task.eligible, subtask.number)


def _take_back(task: Task, subtask: Subtask, at: datetime) -> None:
    """The subtask counts as undone: PENDING, and its upstreams may follow."""
    subtask.claim = None
    subtask.problem = None
    subtask.output = None
    subtask.output_ref = None
    subtask.touched = False
    subtask.finished_at = at
    _move(task, subtask, PENDING)
    if subtask.to_undo:
        subtask.to_undo = False
        task.waiting_undo -= 1
    for number in subtask.plan.upstreams:
        upstream = task.edit(number)
        if upstream.holding:
            upstream.holding -= 1
        if upstream.to_undo and not upstream.holding and upstream.status in {FAILED, SUCCESSFUL, PENDING}:
            heappush(task.eligible, number)


def _skip(task: Task, subtask: Subtask, at: datetime) -> None:
    subtask.operation = Operation.SKIP
    subtask.retry_at = None
    if task.direction is BACKWARD:
        _take_back(task, subtask, at)
    else:
        _succeed(task, subtask, at)


def _again(task: Task, subtask: Subtask, *, limited: bool = True) -> None:
    """An operator's retry: one generation up; past the concurrency limit it waits its turn as PENDING."""
    subtask.operation = Operation.RETRY
    subtask.generation += 1
    subtask.tries = 0
    subtask.retry_at = None
    subtask.undo_first = subtask.touched and subtask.plan.has_undo
    if limited and task.concurrency and task.active >= task.concurrency:
        _move(task, subtask, PENDING)
        heappush(task.eligible, subtask.number)
        return
    subtask.commanded = True
    if subtask.status is READY:
        task.newly_ready.append(subtask.number)
    _move(task, subtask, READY)


def _resume(task: Task) -> None:
    """A cancelled task goes on."""
    task.cancelled = False


def _failed_ones(task: Task) -> list[Subtask]:
    return [found for found in task.subtasks if found.status is FAILED and not found.to_undo]


def _fill(task: Task, at: datetime) -> None:
    """Make READY what may be, in number order, up to the concurrency limit (R2)."""
    if not task.eligible or task.cancelled or task.stopped or task.state is TaskState.INITIALIZING:
        return
    limit = task.concurrency or len(task.subtasks)
    backward = task.direction is BACKWARD
    while task.eligible and task.active < limit:
        found = task.subtasks[heappop(task.eligible) - 1]
        if backward:
            if not found.to_undo or found.holding or found.status in {READY, RUNNING, CANCELING}:
                continue
        elif found.status is not PENDING or found.missing:
            continue
        subtask = task.edit(found.number)
        if not backward and subtask.touched:
            subtask.operation = Operation.RETRY
            subtask.undo_first = subtask.plan.has_undo
        subtask.ready_at = at
        _move(task, subtask, READY)


def _settle(task: Task, at: datetime) -> None:
    """Derive the task's state from its subtasks and its direction (I4)."""
    if not task.subtasks:
        return
    counts = task.counts
    if task.active:
        state = TaskState.RUNNING if task.started_at else TaskState.READY
    elif task.direction is FORWARD and counts[SUCCESSFUL] == len(task.subtasks):
        state = TaskState.SUCCESSFUL
    elif task.direction is BACKWARD and counts[PENDING] == len(task.subtasks) and not task.waiting_undo:
        state = TaskState.SUCCESSFUL
    elif task.cancelled:
        state = TaskState.CANCELLED
    elif task.stopped:
        state = TaskState.FAILED
    else:
        state = TaskState.RUNNING
    if state is not task.state:
        task.state = state
        task.finished_at = at if state in ENDED else None
        task.problem = _first_problem(task) if state is TaskState.FAILED else None


def _first_problem(task: Task) -> ev.Problem | None:
    failed = [s for s in task.subtasks if s.status is FAILED and s.problem is not None]
    if not failed:
        return None
    first = min(failed, key=lambda s: (s.finished_at is None, s.finished_at, s.number))
    problem = first.problem
    if problem is None:
        return None
    return ev.Problem(
        kind=problem.kind, message=f"{first.plan.name}: {problem.message}", detail={"subtask": first.number}
    )


def _turned(handler: Callable[[Task, Any, datetime], bool]) -> Callable[[Task, Any, datetime], bool]:
    """Let an operator's event take effect only as the next turn; a copy of an earlier one does not fit (I3)."""

    def apply(task: Task, event: ev.Turn, at: datetime) -> bool:
        if event.turn != task.turn + 1 or not handler(task, event, at):
            return False
        task.turn = event.turn
        return True

    return apply


_HANDLERS: dict[type[Any], Callable[[Task, Any, datetime], bool]] = {
    ev.TaskPlanned: _planned,
    ev.TaskPlanFailed: _plan_failed,
    ev.SubtaskStarted: _started,
    ev.SubtaskSucceeded: _succeeded,
    ev.SubtaskUndone: _undone,
    ev.SubtaskFailed: _failed,
    ev.SubtaskRetryScheduled: _retry_scheduled,
    ev.SubtaskCancelled: _cancelled,
    ev.SubtaskLost: _handed_back,
    ev.SubtaskReleased: _handed_back,
    ev.TaskRetried: _turned(_task_retried),
    ev.TaskSkipped: _turned(_task_skipped),
    ev.TaskCancelRequested: _turned(_task_cancel_requested),
    ev.TaskRollbackRequested: _turned(_rollback_requested),
    ev.TaskDeleted: _turned(_deleted),
    ev.SubtaskRetried: _turned(_subtask_retried),
    ev.SubtaskSkipped: _turned(_subtask_skipped),
    ev.SubtaskCancelRequested: _turned(_subtask_cancel_requested),
    ev.TaskFinished: _finished,
}
