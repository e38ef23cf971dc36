"""The task that a page is about: as it is, or as it was (`at`), with the subtask that the reader has chosen."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request

from services.api.console.http import address
from services.api.rest import query
from services.api.rest.live import at
from services.api.rest.policy import visible
from services.api.rest.ports import api
from services.api.rest.tasks import shown as shown_now
from shared.runtime.clock import now
from shared.task.refusals import TaskNotFound
from shared.task.state import Subtask, SubtaskStatus, Task

_FIRST = (SubtaskStatus.FAILED, SubtaskStatus.CANCELING, SubtaskStatus.RUNNING, SubtaskStatus.READY)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown. `past`: the log position or time that the reader looks at, empty for now."""

    request: Request
    task: Task
    chosen: Subtask | None
    now: datetime
    past: str = ""

    def address(self, **changes: Any) -> str:
        """Return this page's address with some parameters changed, None removes one."""
        return address(self.request, **changes)


async def shown(request: Request) -> Shown:
    """Return what the address names. Raises as REST's details do."""
    past = request.query_params.get(at.PARAMETER, "").strip()
    task = await _then(request) if past else await shown_now(request)
    wanted = query.number(request, "subtask", least=1)
    chosen = task.find(wanted) if wanted is not None else _attention(task)
    return Shown(request, task, chosen, now(), past)


async def _then(request: Request) -> Task:
    task_id, moment = query.task_id(request), at.moment_of(request)
    current = await api(request).log.load(task_id, fresh=True)
    if current is None:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    visible(request, current)
    then, _ = await at.as_it_was(api(request).log, task_id, moment)
    if then is None:
        raise TaskNotFound(f"The task {task_id} did not exist then.")
    return then


def _attention(task: Task) -> Subtask | None:
    """Return the subtask that deserves attention most: failed, at work, or the last."""
    for status in _FIRST:
        for subtask in task.subtasks:
            if subtask.status is status:
                return subtask
    return task.subtasks[-1] if task.subtasks else None
