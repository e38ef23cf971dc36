"""The task that a page is about: as it is, or as it was (`at`), with the subtask that the reader has chosen."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request

from services.api.console.http import address
from services.api.console.log_asked import ELSEWHERE
from services.api.rest import query
from services.api.rest.live import at
from services.api.rest.policy import visible
from services.api.rest.ports import api
from services.api.rest.tasks import shown as shown_now
from shared.runtime.clock import now
from shared.task.refusals import TaskNotFound
from shared.task.state import Subtask, SubtaskStatus, Task

FOLLOW: Final = "running"
"""What `subtask` says for whichever runs."""
_FIRST = (SubtaskStatus.FAILED, SubtaskStatus.CANCELING, SubtaskStatus.RUNNING, SubtaskStatus.READY)
_AT_WORK = (SubtaskStatus.RUNNING, SubtaskStatus.CANCELING, SubtaskStatus.READY)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown. `past`: the log position or time that the reader looks at, empty for now.

    `following`: the chosen subtask is whichever runs.
    """

    request: Request
    task: Task
    chosen: Subtask | None
    now: datetime
    past: str = ""
    following: bool = False

    def address(self, **changes: Any) -> str:
        """Return this page's address with some parameters changed, None removes one.

        Another subtask's page does not begin where the log of this one was read.
        """
        if "subtask" in changes and changes["subtask"] != (self.chosen.number if self.chosen is not None else None):
            changes |= {name: None for name in ELSEWHERE if name not in changes}
        return address(self.request, **changes)


async def shown(request: Request) -> Shown:
    """Return what the address names. Raises as REST's details do."""
    past = request.query_params.get(at.PARAMETER, "").strip()
    return of(request, await _then(request) if past else await shown_now(request), past)


def of(request: Request, task: Task, past: str = "") -> Shown:
    """Return the task as it is in hand, with the subtask that the address names. Raises 400."""
    if request.query_params.get("subtask") == FOLLOW:
        return Shown(request, task, _first(task, _AT_WORK) or _attention(task), now(), past, following=True)
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
    return _first(task, _FIRST) or (task.subtasks[-1] if task.subtasks else None)


def _first(task: Task, statuses: tuple[SubtaskStatus, ...]) -> Subtask | None:
    """Return the first subtask in the first of these statuses that any is in."""
    present = [status for status in statuses if task.counts[status]]
    return next((one for one in task.subtasks if one.status is present[0]), None) if present else None
