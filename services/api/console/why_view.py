"""Why a task, and each subtask that does not move, waits: the exact rule in words, with links to what it waits for."""

from collections import Counter
from typing import Any, Final

from services.api.console.shown import badge_of
from services.api.console.task_shown import Shown
from services.api.console.why import Crew, Hold, holds, plan_hold
from services.api.rest import query
from services.api.rest.ports import api
from shared.runtime.clock import now
from shared.store.kv import BucketUnavailable
from shared.task.state import Task, TaskState

ROWS: Final = 100
LINKS: Final = 8


async def why(found: Shown) -> dict[str, Any]:
    """Return what holds what; read from the log, for the view does not keep every count."""
    task = found.task if found.past else await api(found.request).log.load(found.task.id, fresh=True) or found.task
    crew = await _crew(found)
    held = [(one, holds(task, one, crew, found.now)) for one in task.subtasks]
    held = [(one, by) for one, by in held if by]
    first = min(query.number(found.request, "cursor", 1, least=1) or 1, max(1, len(held)))
    rows = held[first - 1 : first - 1 + ROWS]
    last = first + len(rows) - 1
    return {
        "overall": _overall(task, crew),
        "counts": Counter(by[0].rule.value for _, by in held).most_common(),
        "rows": [
            {
                "number": one.number,
                "name": one.plan.name,
                "href": _to(found, one.number),
                "badge": badge_of(one),
                "holds": [_shown(found, task, hold) for hold in by],
            }
            for one, by in rows
        ],
        "known": crew is not None,
        "shown": f"{first} to {last} of {len(held)}" if len(held) > ROWS else "",
        "before": found.address(cursor=max(1, first - ROWS)) if first > 1 else None,
        "behind": found.address(cursor=last + 1) if last < len(held) else None,
    }


async def _crew(found: Shown) -> Crew:
    """Return the executors that are heard now; who lived in the past is not recorded."""
    if found.past:
        return None
    try:
        return [one for one in await api(found.request).fleet.executors() if not one.late(now())]
    except BucketUnavailable:
        return None


def _overall(task: Task, crew: Crew) -> str:
    """Return what the task as a whole waits for, empty when its subtasks say it."""
    plan = plan_hold(task, crew)
    if plan is not None:
        return f"It has no plan yet. {plan.said}"
    if task.standing:
        return _standing(task)
    match task.state:
        case TaskState.FAILED if not task.subtasks:
            return "No plan could be made. It waits for someone: retry, roll back or delete."
        case TaskState.SUCCESSFUL:
            return "Nothing waits: the task has ended."
        case TaskState.FAILED | TaskState.CANCELLED:
            return "The task is at rest. Nothing of it moves until someone acts."
        case _:
            return ""


def _standing(task: Task) -> str:
    if task.state is TaskState.RUNNING:
        return (
            "It stands and waits for nothing: tasks of their own carry out the requests to it, until it is cancelled."
        )
    return "It is stopped: it takes no requests until someone retries it."


def _shown(found: Shown, task: Task, hold: Hold) -> dict[str, Any]:
    links = [
        {
            "name": task.subtasks[number - 1].plan.name,
            "badge": badge_of(task.subtasks[number - 1]),
            "href": _to(found, number),
        }
        for number in hold.on[:LINKS]
    ]
    return {"rule": hold.rule.value, "said": hold.said, "links": links, "more": len(hold.on) - len(links)}


def _to(found: Shown, number: int) -> str:
    return found.address(view="graph", subtask=number, cursor=None)
