"""decide: what a command makes happen, or why not. Pure: same task, same command, same answer (I14).

The API and the executors call the same function. `docs/task-lifecycle.md` publishes the table.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

from shared.task import commands as cmd
from shared.task import events as ev
from shared.task.allowed import (
    allowed_on_subtask,
    allowed_on_task,
    check_version,
    illegal_subtask,
    illegal_task,
    require_subtask,
)
from shared.task.evolve import create, evolve
from shared.task.refusals import (
    ClaimedElsewhere,
    NotReady,
    NotSkippable,
    NotYet,
    RollbackProhibited,
    StaleFence,
    SubtaskNotFound,
    TaskNotFound,
)
from shared.task.state import ENDED, Direction, Subtask, SubtaskStatus, Task, TaskState

READY, RUNNING, CANCELING = SubtaskStatus.READY, SubtaskStatus.RUNNING, SubtaskStatus.CANCELING
FAILED = SubtaskStatus.FAILED


@dataclass(slots=True)
class Verdict:
    """What a decision does: its events, the draft they lead to, and what they made READY and nobody claimed yet."""

    task: Task
    events: list[ev.TaskEvent] = field(default_factory=list)
    claimed: list[int] = field(default_factory=list)

    @property
    def ready(self) -> list[int]:
        """Numbers of subtasks that became READY and still are: they must be dispatched."""
        subtasks = self.task.subtasks
        return [n for n in dict.fromkeys(self.task.newly_ready) if subtasks[n - 1].status is READY]


def decide(task: Task | None, *commands: cmd.Command) -> Verdict:
    """Decide `commands` one after another as one decision on a draft of `task`.

    Raises a `Refusal` when one of them is not legal; then none takes effect. The end of the task is added when the
    commands bring it about.
    """
    before = (task.state, task.finished_at) if task is not None else None
    if task is None:
        first = commands[0]
        if not isinstance(first, cmd.CreateTask):
            raise TaskNotFound("The task does not exist.")
        verdict = _create(first)
        commands = commands[1:]
    else:
        verdict = Verdict(task.draft())
    for command in commands:
        _decide(verdict, command)
    draft = verdict.task
    if draft.state in ENDED and verdict.events and (draft.state, draft.finished_at) != before:
        _emit(verdict, _finish(draft), commands[-1].at if commands else draft.created_at)
    return verdict


def _finish(task: Task) -> ev.TaskFinished:
    return ev.TaskFinished.model_validate({"state": task.state.value, "operation": task.operation.value})


def _emit(verdict: Verdict, event: ev.TaskEvent, at: datetime) -> None:
    verdict.events.append(event)
    evolve(verdict.task, event, at)


def _create(command: cmd.CreateTask) -> Verdict:
    created = ev.TaskCreated(
        name=command.name,
        task_type=command.task_type,
        type_version=command.type_version,
        params=command.params,
        object=command.object,
        labels=command.labels,
        parent=command.parent,
        pool=command.pool,
        plan_ref=command.plan_ref,
    )
    verdict = Verdict(create(command.task_id, created, command.by, command.at), [created])
    if command.subtasks:
        planned = ev.TaskPlanned(
            plan_id="inline",
            concurrency=command.concurrency,
            prohibit_rollback=command.prohibit_rollback,
            subtasks=command.subtasks,
        )
        _emit(verdict, planned, command.at)
    return verdict


def _decide(verdict: Verdict, command: cmd.Command) -> None:  # noqa: C901  one row a command
    match command:
        case cmd.Settle():
            _settle(verdict, command)
        case cmd.ClaimNext():
            _claim_next(verdict, command)
        case cmd.Claim():
            _claim(verdict, command)
        case cmd.RecordPlan():
            _record_plan(verdict, command)
        case cmd.FailPlan():
            _fail_plan(verdict, command)
        case cmd.CreateTask():
            raise illegal_task(verdict.task, "create")
        case cmd.RetryTask() | cmd.SkipTask() | cmd.CancelTask() | cmd.RollBackTask() | cmd.DeleteTask():
            _on_task(verdict, command)
        case cmd.RetrySubtask() | cmd.SkipSubtask() | cmd.CancelSubtask():
            _on_subtask(verdict, command)
        case _:
            assert_never(command)


# ---- executors ----------------------------------------------------------------------------------------------


def _record_plan(verdict: Verdict, command: cmd.RecordPlan) -> None:
    task = verdict.task
    if task.state is not TaskState.INITIALIZING:
        raise NotReady(f"Task {task.id} has its plan.")
    if command.part > 1 and (command.plan_id != task.plan_id or command.part != len(task.parts) + 1):
        raise NotReady(f"Part {command.part} of plan {command.plan_id} does not follow what task {task.id} has.")
    event = ev.TaskPlanned(
        plan_id=command.plan_id,
        part=command.part,
        parts=command.parts,
        concurrency=command.concurrency,
        prohibit_rollback=command.prohibit_rollback,
        subtasks=command.subtasks,
    )
    _emit(verdict, event, command.at)


def _fail_plan(verdict: Verdict, command: cmd.FailPlan) -> None:
    if verdict.task.state is not TaskState.INITIALIZING:
        raise NotReady(f"Task {verdict.task.id} has its plan.")
    _emit(verdict, ev.TaskPlanFailed(problem=command.problem), command.at)


def _claim(verdict: Verdict, command: cmd.Claim) -> None:
    task = verdict.task
    subtask = task.find(command.number)
    if subtask is None:
        raise SubtaskNotFound(f"Task {task.id} has no subtask {command.number}.")
    if subtask.claim is not None:
        _take_over(verdict, subtask, command)
        subtask = task.subtasks[command.number - 1]
        if subtask.status is not READY:  # cancelled or of unknown outcome: ended, not started again
            return
    if subtask.status is not READY:
        raise NotReady(f"Subtask {command.number} of task {task.id} is {subtask.status}.")
    if subtask.retry_at is not None and command.at.timestamp() < subtask.retry_at:
        raise NotYet(
            f"Subtask {command.number} of task {task.id} waits for its retry time.",
            target={"retryAt": subtask.retry_at},
        )
    _start(verdict, subtask, command.claimant, command.at)


def _take_over(verdict: Verdict, subtask: Subtask, command: cmd.Claim) -> None:
    """End the claim of an executor that is gone: its item came back, or KV `executors` says so."""
    claim = subtask.claim
    assert claim is not None  # noqa: S101  the caller looked
    same_item = command.redelivered and claim.item == command.claimant.item
    if not same_item and command.owner_gone != claim.fence:
        raise ClaimedElsewhere(
            f"Subtask {subtask.number} of task {verdict.task.id} is claimed by executor {claim.executor}.",
            incarnation=claim.incarnation,
            fence=claim.fence,
        )
    if subtask.status is CANCELING:
        event: ev.TaskEvent = ev.SubtaskCancelled(subtask=subtask.number, fence=claim.fence)
    elif subtask.plan.delivery == "at_most_once" and claim.phase == "execute":
        problem = ev.Problem(
            kind="UNKNOWN_OUTCOME",
            message=f"Executor {claim.executor} was lost while it ran this; whether it took effect is not known. "
            "Look at the target, then skip, retry or roll back.",
        )
        event = ev.SubtaskFailed(subtask=subtask.number, fence=claim.fence, problem=problem)
    else:
        event = ev.SubtaskLost(subtask=subtask.number, fence=claim.fence)
    _emit(verdict, event, command.at)


def _start(verdict: Verdict, subtask: Subtask, claimant: cmd.Claimant, at: datetime) -> None:
    undoing = subtask.undo_first or verdict.task.direction is Direction.BACKWARD
    event = ev.SubtaskStarted(
        subtask=subtask.number,
        generation=subtask.generation,
        attempt=subtask.attempt + 1,
        phase="undo" if undoing else "execute",
        executor=claimant.executor,
        incarnation=claimant.incarnation,
        item=claimant.item,
    )
    verdict.claimed.append(subtask.number)
    _emit(verdict, event, at)


def _claim_next(verdict: Verdict, command: cmd.ClaimNext) -> None:
    now = command.at.timestamp()
    for number in verdict.ready:
        subtask = verdict.task.subtasks[number - 1]
        if (
            subtask.plan.pool in command.pools
            and subtask.plan.operation in command.operations
            and (subtask.retry_at is None or subtask.retry_at <= now)
        ):
            _start(verdict, subtask, command.claimant, command.at)
            return


def _settle(verdict: Verdict, command: cmd.Settle) -> None:
    task = verdict.task
    subtask = task.find(command.number)
    if subtask is None or subtask.claim is None or subtask.claim.fence != command.fence:
        raise StaleFence(f"The claim {command.fence} on subtask {command.number} of task {task.id} is no longer held.")
    number, fence = command.number, command.fence
    event: ev.TaskEvent
    match command.outcome:
        case cmd.Succeeded() as done:
            event = ev.SubtaskSucceeded(subtask=number, fence=fence, output=done.output, output_ref=done.output_ref)
        case cmd.Undone():
            event = ev.SubtaskUndone(subtask=number, fence=fence)
        case cmd.Failed() as failed:
            event = _failure(subtask, fence, failed, command.at)
        case cmd.Cancelled():
            if subtask.status is not CANCELING:
                raise illegal_subtask(task, subtask, "end as cancelled")
            event = ev.SubtaskCancelled(subtask=number, fence=fence)
        case cmd.Released():
            event = _release(subtask, fence)
        case _:
            assert_never(command.outcome)
    _emit(verdict, event, command.at)


def _failure(subtask: Subtask, fence: int, failed: cmd.Failed, at: datetime) -> ev.TaskEvent:
    """A failed execution is tried again by itself while the budget of its generation lasts (R3)."""
    budget = subtask.plan.retry
    executing = subtask.claim is not None and subtask.claim.phase == "execute"
    again = budget is not None and failed.retryable and executing and subtask.status is RUNNING
    if budget is not None and again and subtask.tries <= budget.times:
        return ev.SubtaskRetryScheduled(
            subtask=subtask.number,
            fence=fence,
            problem=failed.problem,
            retry_at=at.timestamp() + budget.delay_seconds,
        )
    return ev.SubtaskFailed(subtask=subtask.number, fence=fence, problem=failed.problem)


def _release(subtask: Subtask, fence: int) -> ev.TaskEvent:
    """An executor going away: what may run again is handed back, what may not is of unknown outcome (P14)."""
    if subtask.status is CANCELING:
        return ev.SubtaskCancelled(subtask=subtask.number, fence=fence)
    if subtask.plan.delivery == "at_most_once" and subtask.claim is not None and subtask.claim.phase == "execute":
        problem = ev.Problem(
            kind="UNKNOWN_OUTCOME",
            message="The executor was stopped while it ran this, and it must not run twice by itself. "
            "Look at the target, then skip, retry or roll back.",
        )
        return ev.SubtaskFailed(subtask=subtask.number, fence=fence, problem=problem)
    return ev.SubtaskReleased(subtask=subtask.number, fence=fence)


# ---- operators ----------------------------------------------------------------------------------------------

_TASK_EVENTS: dict[type[Any], tuple[str, Any]] = {
    cmd.RetryTask: ("retry", ev.TaskRetried),
    cmd.SkipTask: ("skip", ev.TaskSkipped),
    cmd.CancelTask: ("cancel", ev.TaskCancelRequested),
    cmd.RollBackTask: ("rollback", ev.TaskRollbackRequested),
    cmd.DeleteTask: ("delete", ev.TaskDeleted),
}

_SUBTASK_EVENTS: dict[type[Any], tuple[str, Any]] = {
    cmd.RetrySubtask: ("retry", ev.SubtaskRetried),
    cmd.SkipSubtask: ("skip", ev.SubtaskSkipped),
    cmd.CancelSubtask: ("cancel", ev.SubtaskCancelRequested),
}


def _on_task(verdict: Verdict, command: cmd.OperatorCommand) -> None:
    task = verdict.task
    check_version(task, command.version)
    word, event = _TASK_EVENTS[type(command)]
    if word == "rollback" and task.state in {TaskState.FAILED, TaskState.CANCELLED} and task.rollback_prohibited():
        raise RollbackProhibited(
            f"Rollback of task {task.id} is prohibited.", target={"allowed": allowed_on_task(task)}
        )
    if word not in allowed_on_task(task):
        if word == "skip":
            fixed = next((s for s in task.subtasks if s.status is FAILED and not s.plan.can_skip), None)
            if fixed is not None and task.ended:
                raise NotSkippable(f"Subtask '{fixed.plan.key}' of task {task.id} cannot be skipped.")
        raise illegal_task(task, word)
    _emit(verdict, event(turn=task.turn + 1), command.at)


def _on_subtask(verdict: Verdict, command: cmd.SubtaskCommand) -> None:
    task = verdict.task
    subtask = require_subtask(task, command.number)
    check_version(task, command.version)
    word, event = _SUBTASK_EVENTS[type(command)]
    if word not in allowed_on_subtask(task, subtask):
        if word == "skip" and subtask.status is FAILED and not subtask.plan.can_skip:
            raise NotSkippable(f"Subtask '{subtask.plan.key}' of task {task.id} cannot be skipped.")
        raise illegal_subtask(task, subtask, word)
    _emit(verdict, event(turn=task.turn + 1, subtask=command.number), command.at)
