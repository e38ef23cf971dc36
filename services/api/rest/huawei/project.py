"""Whose synchronisation tasks an address speaks of: a project is the team of that name.

What is created there is labelled with it, what is shown there bears that label, whoever asks. Callers limited to teams
enter the projects of their teams alone.
"""

import re
from typing import Final

from starlette.requests import Request

from services.api import synchronisation as sync
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.policy import principal
from services.api.rest.ports import api
from services.api.rest.tasks import reach_list, shown_one
from shared.task.ids import MAX_TASK_ID
from shared.task.refusals import TaskNotFound
from shared.task.state import Task
from shared.task.words import TEAM

_PROJECT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def project(request: Request) -> str:
    """Return the project in the path. Raises 400 for what is no name, 403 for one of another team."""
    given: str = request.path_params["project_id"]
    if _PROJECT.fullmatch(given) is None:
        raise bad_parameter("project_id", "is a name of letters, digits and ._-, at most 128 long")
    teams = principal(request).teams
    if teams is not None and given not in teams:
        raise Problem(403, 3017, f"You have no access to the project {given}.")
    return given


async def sync_task(request: Request) -> Task:
    """Return the synchronisation task that the path names. Raises `TaskNotFound`, also for one of another project."""
    name, given = project(request), request.path_params["sync_task_id"]
    missing = TaskNotFound(f"The synchronization task {given[:64]} does not exist.")
    if not (given.isascii() and given.isdigit() and len(given) < 20 and 1 <= int(given) <= MAX_TASK_ID):
        raise missing
    await reach_list(request, api(request))
    try:
        task = await shown_one(request, int(given))
    except TaskNotFound:
        raise missing from None
    if task.type != sync.TYPE or task.deleted or task.labels.get(TEAM) != name:
        raise missing
    return task
