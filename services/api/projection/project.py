"""Rows of the view as pure functions of a folded task. Knows columns and tasks, no database.

`…_fixed` are the columns that never change after the row exists, `…_changing` the rest, each in the order of
`tables.py`; the writer updates just the latter. `row_of` and `subtask_row` are the whole rows, by name.
"""

from collections.abc import Mapping
from typing import Any

from services.api.creation import PLAN_TYPE
from services.api.projection.tables import SUBTASK_CHANGING, SUBTASK_FIXED, TASK_CHANGING, TASK_FIXED
from services.api.projection.text import When, as_json, clean, finite, folded, indexed, integer, searched, utc
from shared.task.events import Problem
from shared.task.state import ACTIVE, Subtask, SubtaskStatus, Task

PLACES = ("cluster", "tenant", "host")
"""Kinds of objects that other tasks' labels name, too."""
PENDING, READY, RUNNING = SubtaskStatus.PENDING, SubtaskStatus.READY, SubtaskStatus.RUNNING
CANCELING, FAILED, SUCCESSFUL = SubtaskStatus.CANCELING, SubtaskStatus.FAILED, SubtaskStatus.SUCCESSFUL


def row_of(task: Task, when: When = utc) -> dict[str, Any]:
    """Return the task's row by column name; `when` says how moments are given."""
    values = task_fixed(task, when) + task_changing(task, when)
    return dict(zip(TASK_FIXED + TASK_CHANGING, values, strict=True))


def subtask_row(task: Task, subtask: Subtask, when: When = utc) -> dict[str, Any]:
    """Return the subtask's row by column name."""
    values = subtask_fixed(task, subtask) + subtask_changing(subtask, when)
    return dict(zip(SUBTASK_FIXED + SUBTASK_CHANGING, values, strict=True))


def label_rows(task: Task) -> list[tuple[int, str, str]]:
    """Return the rows of `task_labels`."""
    labels = {indexed(key): indexed(value) for key, value in task.labels.items()}
    return [(task.id, key, value) for key, value in sorted(labels.items())]


def task_fixed(task: Task, when: When) -> tuple[Any, ...]:
    """Return what the task's creation settled."""
    about = task.object
    return (
        task.id,
        task.created_seq,
        indexed(task.name),
        folded(task.name),
        indexed(task.type),
        integer(task.type_version) if task.type_version is not None else None,
        indexed(task.pool),
        indexed(task.creator.kind),
        indexed(task.creator.name),
        indexed(task.creator.via) if task.creator.via is not None else None,
        indexed(about.kind) if about is not None else None,
        indexed(about.id) if about is not None and about.id is not None else None,
        indexed(about.name) if about is not None else None,
        as_json(task.labels),
        as_json(task.params),
        integer(task.parent) if task.parent is not None else None,
        as_json(task.plan_ref) if task.plan_ref is not None else None,
        when(task.created_at),
        *search_columns(
            task.name,
            (about.kind, about.name) if about is not None else None,
            task.labels,
            [found.plan.params for found in task.subtasks] if brings_its_plan(task) else task.params,
        ),
    )


def brings_its_plan(task: Task) -> bool:
    """Whether the commit that created the task planned it too: then its parameters are those of its subtasks."""
    return task.type == PLAN_TYPE and task.plan_ref is None


def search_columns(
    name: str, about: tuple[str, str] | None, labels: Mapping[str, str], params: Any
) -> tuple[str | None, ...]:
    """Return what a task is searched by: names of its object, cluster, tenant and host, and its text. All folded.

    A task belongs to the cluster, tenant or host that is its object, or that its labels name: `host` or `host.name`.
    """
    places = []
    for kind in PLACES:
        names = [about[1]] if about is not None and about[0] == kind else []
        names += [labels[key] for key in (kind, f"{kind}.name") if key in labels]
        places.append("\n".join(folded(each) for each in dict.fromkeys(names)) if names else None)
    thing = folded(about[1]) if about is not None else None
    return thing, *places, searched(indexed(name), indexed(about[1]) if about is not None else "", params)


def task_changing(task: Task, when: When) -> tuple[Any, ...]:
    """Return what commits change of the task."""
    counts = task.counts
    ready, running, canceling = counts[READY], counts[RUNNING], counts[CANCELING]
    step = _step(task)
    return (
        task.state.value,
        task.operation.value,
        task.direction.value,
        integer(task.concurrency),
        task.prohibit_rollback,
        task.cancelled,
        task.deleted,
        task.turn,
        task.version,
        task.seq,
        task.head,
        task.ignored,
        when(task.started_at),
        when(task.finished_at),
        _problem(task.problem),
        len(task.subtasks),
        counts[PENDING],
        ready,
        running,
        canceling,
        counts[FAILED],
        counts[SUCCESSFUL],
        ready + running + canceling,
        step.number if step is not None else None,
        clean(step.plan.name) if step is not None else None,
    )


def subtask_fixed(task: Task, subtask: Subtask) -> tuple[Any, ...]:
    """Return what the plan settled."""
    plan = subtask.plan
    return (
        task.id,
        subtask.number,
        clean(plan.key),
        clean(plan.name),
        clean(plan.description) if plan.description is not None else None,
        clean(plan.operation),
        as_json(plan.params),
        as_json(plan.upstreams),
        as_json(subtask.downstreams),
        finite(plan.timeout_s) or 0.0,
        clean(plan.pool),
        plan.delivery,
        as_json(plan.retry) if plan.retry is not None else None,
        as_json(plan.undo) if plan.undo is not None else None,
        plan.own_undo,
        plan.can_retry,
        plan.can_skip,
        plan.can_cancel,
        plan.prohibit_rollback,
    )


def subtask_changing(subtask: Subtask, when: When) -> tuple[Any, ...]:
    """Return what commits change of the subtask."""
    claim = subtask.claim
    return (
        subtask.status.value,
        subtask.operation.value,
        subtask.generation,
        subtask.attempt,
        subtask.run_time,
        subtask.tries,
        clean(subtask.executor) if subtask.executor is not None else None,
        clean(claim.incarnation) if claim is not None else None,
        claim.fence if claim is not None else None,
        claim.phase if claim is not None else None,
        subtask.touched,
        subtask.to_undo,
        subtask.undo_first,
        finite(subtask.retry_at) if subtask.retry_at is not None else None,
        as_json(subtask.output) if subtask.output is not None else None,
        as_json(subtask.output_ref) if subtask.output_ref is not None else None,
        _problem(subtask.problem),
        when(subtask.ready_at),
        when(subtask.started_at),
        when(subtask.finished_at),
    )


def _problem(problem: Problem | None) -> str | None:
    if problem is None:
        return None
    found: dict[str, Any] = {"kind": problem.kind, "message": problem.message}
    if problem.detail is not None:
        found["detail"] = problem.detail
    return as_json(found)


def _step(task: Task) -> Subtask | None:
    """Return the subtask the task is at: the first active one, else the first failed one."""
    counts = task.counts
    if counts[READY] or counts[RUNNING] or counts[CANCELING]:
        return next((subtask for subtask in task.subtasks if subtask.status in ACTIVE), None)
    if counts[FAILED]:
        return next((subtask for subtask in task.subtasks if subtask.status is FAILED), None)
    return None
