"""The moves that events share: between statuses, to READY and back from it, and on to the state of the task.

Each costs what it changes, not the size of the task. Knows no event; `reports.py` and `turns.py` do.
"""

from datetime import datetime
from heapq import heappop, heappush

from shared.task.events import Problem
from shared.task.state import ACTIVE, ENDED, Direction, Operation, Subtask, SubtaskStatus, Task, TaskState

PENDING, READY, RUNNING = SubtaskStatus.PENDING, SubtaskStatus.READY, SubtaskStatus.RUNNING
CANCELING, FAILED, SUCCESSFUL = SubtaskStatus.CANCELING, SubtaskStatus.FAILED, SubtaskStatus.SUCCESSFUL
FORWARD, BACKWARD = Direction.FORWARD, Direction.BACKWARD

CANCELLED = Problem(kind="CANCELLED", message="Cancelled on request.")


def move(task: Task, subtask: Subtask, status: SubtaskStatus) -> None:
    """Give the draft's own `subtask` another status and keep every count that hangs on it."""
    before = subtask.status
    if before is status:
        return
    task.counts[before] -= 1
    task.counts[status] += 1
    if subtask.to_undo:
        task.waiting_failed += (status is FAILED) - (before is FAILED)
    subtask.status = status
    if status is READY:
        if before not in ACTIVE:  # a claim handed back was READY before, and rests where it rested then
            subtask.resting = before
            subtask.rested_at = subtask.finished_at
        subtask.finished_at = None
        task.newly_ready.append(subtask.number)
    if (before is SUCCESSFUL) is not (status is SUCCESSFUL):
        step = 1 if before is SUCCESSFUL else -1
        forward = task.direction is FORWARD
        for number in subtask.downstreams:
            follower = task.edit(number)
            follower.missing += step
            if forward and not follower.missing and follower.status is PENDING:
                heappush(task.eligible, number)


def ready(task: Task, subtask: Subtask, at: datetime) -> None:
    """The subtask may be claimed from now on."""
    subtask.claim = None
    subtask.ready_at = at
    move(task, subtask, READY)


def succeed(task: Task, subtask: Subtask, at: datetime) -> None:
    """The subtask is SUCCESSFUL; completed before a cancel reached it, the cancel leaves no trace on it."""
    if subtask.status is CANCELING:
        subtask.operation = Operation.RETRY if subtask.run_time > 1 else Operation.EXECUTE
    subtask.claim = None
    subtask.problem = None
    subtask.finished_at = at
    move(task, subtask, SUCCESSFUL)


def fail(task: Task, subtask: Subtask, problem: Problem, at: datetime) -> None:
    """The subtask is FAILED; what waits READY and no command made so goes back (fail-stop, R2)."""
    subtask.claim = None
    subtask.problem = problem
    subtask.finished_at = at
    subtask.commanded = False
    subtask.retry_at = None
    if subtask.to_undo:
        subtask.to_undo = False
        task.waiting_undo -= 1
    move(task, subtask, FAILED)
    if task.counts[READY]:
        for found in task.subtasks:
            if found.status is READY and not found.commanded:
                back(task, task.edit(found.number))


def back(task: Task, subtask: Subtask) -> None:
    """Take an unclaimed READY subtask back to where it waited."""
    subtask.recalls += 1
    subtask.commanded = False
    subtask.retry_at = None
    if task.direction is BACKWARD:
        move(task, subtask, subtask.resting)
        subtask.finished_at = subtask.rested_at
        heappush(task.eligible, subtask.number)
        return
    move(task, subtask, PENDING)
    if not subtask.missing:
        heappush(task.eligible, subtask.number)


def take_back(task: Task, subtask: Subtask, at: datetime) -> None:
    """The subtask counts as undone: PENDING, and its upstreams may follow (R8)."""
    subtask.claim = None
    subtask.problem = None
    subtask.output = None
    subtask.output_ref = None
    subtask.touched = False
    subtask.commanded = False
    subtask.finished_at = at
    move(task, subtask, PENDING)
    if subtask.to_undo:
        subtask.to_undo = False
        task.waiting_undo -= 1
    for number in subtask.plan.upstreams:
        upstream = task.edit(number)
        if upstream.holding:
            upstream.holding -= 1
        if upstream.to_undo and not upstream.holding and upstream.status not in ACTIVE:
            heappush(task.eligible, number)


def start(task: Task, at: datetime) -> None:
    """A standing task runs from now on."""
    task.state = TaskState.RUNNING
    task.started_at = at
    task.finished_at = None


def fill(task: Task, at: datetime) -> None:
    """Make READY what may be, in number order, up to the concurrency limit (R2)."""
    if not task.eligible or task.cancelled or task.stopped or task.state is TaskState.INITIALIZING:
        return
    limit = task.concurrency or len(task.subtasks)
    backward = task.direction is BACKWARD
    while task.eligible and task.active < limit:
        found = task.subtasks[heappop(task.eligible) - 1]
        if backward:
            if not found.to_undo or found.holding or found.status in ACTIVE:
                continue
        elif found.status is not PENDING or found.missing:
            continue
        subtask = task.edit(found.number)
        if not backward and subtask.touched:
            subtask.operation = Operation.RETRY
            subtask.undo_first = subtask.plan.has_undo
        ready(task, subtask, at)


def derive(task: Task, at: datetime) -> None:
    """Derive the task's state from its subtasks and its direction (I4)."""
    if not task.subtasks:
        return
    state = _derived(task)
    if state is not task.state:
        task.state = state
        task.finished_at = at if state in ENDED else None
        task.problem = None
    if state is TaskState.FAILED and task.problem is None:
        task.problem = _first_problem(task)


def _derived(task: Task) -> TaskState:
    counts = task.counts
    if task.active:
        return TaskState.RUNNING if task.started_at else TaskState.READY
    if task.direction is FORWARD:
        done = counts[SUCCESSFUL] == len(task.subtasks)
    else:
        done = counts[PENDING] == len(task.subtasks) and not task.waiting_undo
    if done:
        return TaskState.SUCCESSFUL
    if task.cancelled:
        return TaskState.CANCELLED
    return TaskState.FAILED if task.stopped else TaskState.RUNNING


def _first_problem(task: Task) -> Problem | None:
    failed = [s for s in task.subtasks if s.status is FAILED and s.problem is not None]
    if not failed:
        return None
    first = min(failed, key=lambda s: (s.finished_at is None, s.finished_at, s.number))
    problem = first.problem
    if problem is None:
        return None
    return Problem(kind=problem.kind, message=f"{first.plan.name}: {problem.message}", detail={"subtask": first.number})
