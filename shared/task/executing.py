"""Deciding executors' commands: plans, claims, takeovers, and how attempts ended. Knows no operator."""

from datetime import datetime
from typing import assert_never

from shared.task import commands as cmd
from shared.task import events as ev
from shared.task.allowed import illegal_subtask
from shared.task.plan import MAX_SUBTASKS
from shared.task.refusals import ClaimedElsewhere, NotReady, NotYet, PlanInvalid, StaleFence, SubtaskNotFound
from shared.task.state import UNSEALED, Claim, Direction, Subtask, SubtaskStatus, Task, TaskState
from shared.task.verdict import Verdict

READY, RUNNING, CANCELING = SubtaskStatus.READY, SubtaskStatus.RUNNING, SubtaskStatus.CANCELING


def record_plan(verdict: Verdict, command: cmd.RecordPlan) -> None:
    """Give the task its subtasks, or one part of them."""
    task = verdict.task
    if task.state is not TaskState.INITIALIZING:
        raise NotReady(f"Task {task.id} has its plan.")
    if command.part > 1 and (command.plan_id != task.plan_id or command.part != len(task.parts) + 1):
        raise NotReady(f"Part {command.part} of plan {command.plan_id} does not follow what task {task.id} has.")
    _check_plan(verdict, command)
    event = ev.TaskPlanned(
        plan_id=command.plan_id,
        part=command.part,
        parts=command.parts,
        concurrency=command.concurrency,
        prohibit_rollback=command.prohibit_rollback,
        subtasks=command.subtasks,
    )
    verdict.emit(event, command.at)


def _check_plan(verdict: Verdict, command: cmd.RecordPlan) -> None:
    """Graphs are checked where they are made (`freeze`); here only what the fold could not take."""
    if not command.subtasks or not 1 <= command.part <= command.parts:
        raise PlanInvalid("a plan, and each part of it, has at least one subtask.", reason="size")
    if command.part < command.parts:
        return
    earlier = verdict.task.parts if command.part > 1 else ()
    size = sum(map(len, earlier)) + len(command.subtasks)
    if size > MAX_SUBTASKS:
        raise PlanInvalid(
            f"a plan has 1 to {MAX_SUBTASKS} subtasks, this one has {size}.", reason="size", target={"subtasks": size}
        )
    for node in (node for part in (*earlier, command.subtasks) for node in part):
        if any(not 1 <= upstream <= size for upstream in node.upstreams):
            raise PlanInvalid(
                f"subtask '{node.key}' names an upstream that is not in the plan.",
                reason="unknown_upstream",
                target={"subtask": node.key},
            )


def fail_plan(verdict: Verdict, command: cmd.FailPlan) -> None:
    """Record that no plan can be made."""
    if verdict.task.state is not TaskState.INITIALIZING:
        raise NotReady(f"Task {verdict.task.id} has its plan.")
    verdict.emit(ev.TaskPlanFailed(problem=command.problem), command.at)


def claim(verdict: Verdict, command: cmd.Claim) -> None:
    """Take one subtask, from an executor that is gone if need be."""
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
    gone = command.claimant.item.again(claim.item) or command.owner_gone == claim.fence
    if not gone or claim.fence == UNSEALED:  # unsealed: made in this very commit
        raise ClaimedElsewhere(
            f"Subtask {subtask.number} of task {verdict.task.id} is claimed by executor {claim.executor}.",
            incarnation=claim.incarnation,
            fence=claim.fence,
        )
    verdict.emit(_abandoned(subtask, claim, _LOST.format(claim.executor), ev.SubtaskLost), command.at)


MAX_LOSSES = 10
"""How many executors one generation of a subtask may take down before it fails instead of taking the next (T13)."""

_LOST = "Executor {} was lost while it ran this"
_STOPPED = "The executor was stopped while it ran this, and it must not run twice by itself"


def _abandoned(
    subtask: Subtask, claim: Claim, why: str, again: type[ev.SubtaskLost | ev.SubtaskReleased]
) -> ev.TaskEvent:
    """An attempt that nobody will report on: what may run again is READY again, what may not is of unknown outcome.

    `at_most_once` covers the undo, too, where there is one to run (P6).
    """
    number, fence = subtask.number, claim.fence
    if subtask.status is CANCELING:
        return ev.SubtaskCancelled(subtask=number, fence=fence)
    acts = claim.phase == "execute" or subtask.plan.has_undo
    if subtask.plan.delivery == "at_most_once" and acts:
        message = f"{why}; whether it took effect is not known. Look at the target, then skip, retry or roll back."
        return ev.SubtaskFailed(
            subtask=number, fence=fence, problem=ev.Problem(kind="UNKNOWN_OUTCOME", message=message)
        )
    if again is ev.SubtaskLost and subtask.losses >= MAX_LOSSES:
        message = f"{why}, as {subtask.losses} others were before: it seems to take its executor down."
        problem = ev.Problem(kind="EXECUTOR_LOST", message=message)
        return ev.SubtaskFailed(subtask=number, fence=fence, problem=problem)
    return again(subtask=number, fence=fence)


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
    verdict.emit(event, at)


def claim_next(verdict: Verdict, command: cmd.ClaimNext) -> None:
    """Take the first subtask that this decision made READY and that the claimant can run; none is fine."""
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


def settle(verdict: Verdict, command: cmd.Settle) -> None:
    """Record how the attempt ended, if the reporter still holds the claim."""
    task = verdict.task
    subtask = task.find(command.number)
    claim = subtask.claim if subtask is not None else None
    if subtask is None or claim is None or claim.fence != command.fence or command.fence == UNSEALED:
        raise StaleFence(f"The claim {command.fence} on subtask {command.number} of task {task.id} is no longer held.")
    number, fence = command.number, command.fence
    event: ev.TaskEvent
    match command.outcome:
        case cmd.Succeeded() as done:
            _require_phase(task, subtask, claim, "execute")
            event = ev.SubtaskSucceeded(subtask=number, fence=fence, output=done.output, output_ref=done.output_ref)
        case cmd.Undone():
            _require_phase(task, subtask, claim, "undo")
            event = ev.SubtaskUndone(subtask=number, fence=fence)
        case cmd.Failed() as failed:
            event = _failure(task, subtask, claim, failed, command.at)
        case cmd.Cancelled():
            if subtask.status is not CANCELING:
                raise illegal_subtask(task, subtask, "end as cancelled")
            event = ev.SubtaskCancelled(subtask=number, fence=fence)
        case cmd.Released():
            event = _abandoned(subtask, claim, _STOPPED, ev.SubtaskReleased)
        case _:
            assert_never(command.outcome)
    verdict.emit(event, command.at)


def _require_phase(task: Task, subtask: Subtask, claim: Claim, phase: str) -> None:
    if claim.phase != phase:
        raise illegal_subtask(task, subtask, f"end the phase '{phase}' in the phase '{claim.phase}'")


def _failure(task: Task, subtask: Subtask, claim: Claim, failed: cmd.Failed, at: datetime) -> ev.TaskEvent:
    """A failed execution is tried again by itself while the budget of its generation lasts (R3)."""
    budget = subtask.plan.retry
    again = failed.retryable and claim.phase == "execute" and subtask.status is RUNNING and not task.cancelled
    if budget is not None and again and subtask.tries <= budget.times:
        return ev.SubtaskRetryScheduled(
            subtask=subtask.number,
            fence=claim.fence,
            problem=failed.problem,
            retry_at=at.timestamp() + budget.delay_seconds,
        )
    return ev.SubtaskFailed(subtask=subtask.number, fence=claim.fence, problem=failed.problem)
