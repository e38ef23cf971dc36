"""decide: what a command makes happen, or why not. Pure: same task, same command, same answer (I14).

The API and the executors call the same function; `docs/task-lifecycle.md` publishes the table. Executors' commands are
decided in `executing.py`, operators' in `operating.py`.
"""

from typing import assert_never

from shared.task import commands as cmd
from shared.task import events as ev
from shared.task import executing, operating
from shared.task.allowed import illegal_task
from shared.task.evolve import create
from shared.task.refusals import TaskNotFound
from shared.task.state import ENDED, Task
from shared.task.verdict import Verdict

__all__ = ["Verdict", "decide"]


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
        verdict.emit(_finish(draft), commands[-1].at if commands else draft.created_at)
    return verdict


def _finish(task: Task) -> ev.TaskFinished:
    return ev.TaskFinished.model_validate({"state": task.state.value, "operation": task.operation.value})


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
        standing=command.standing,
    )
    verdict = Verdict(create(command.task_id, created, command.by, command.at), [created])
    if command.subtasks:
        plan = cmd.RecordPlan(
            plan_id="inline",
            subtasks=command.subtasks,
            at=command.at,
            concurrency=command.concurrency,
            prohibit_rollback=command.prohibit_rollback,
        )
        executing.record_plan(verdict, plan)
    return verdict


def _decide(verdict: Verdict, command: cmd.Command) -> None:
    match command:
        case cmd.Settle():
            executing.settle(verdict, command)
        case cmd.ClaimNext():
            executing.claim_next(verdict, command)
        case cmd.Claim():
            executing.claim(verdict, command)
        case cmd.RecordPlan():
            executing.record_plan(verdict, command)
        case cmd.FailPlan():
            executing.fail_plan(verdict, command)
        case cmd.CreateTask():
            raise illegal_task(verdict.task, "create")
        case cmd.RetryTask() | cmd.SkipTask() | cmd.CancelTask() | cmd.RollBackTask() | cmd.DeleteTask():
            operating.on_task(verdict, command)
        case cmd.RetrySubtask() | cmd.SkipSubtask() | cmd.CancelSubtask():
            operating.on_subtask(verdict, command)
        case _:
            assert_never(command)
