"""Commands as OCP Express has them: decided as in v2, answered in v1's objects; most answer without data."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.asked import Done
from services.api.rest import query
from services.api.rest import render as v2
from services.api.rest.commands import command_of, named, position
from services.api.rest.envelope import ok
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import Endpoint
from services.api.rest.ports import api
from services.api.rest.v1 import render

ON_TASK: Final = {"retry": "Run every failed subtask again.", "rollback": "Undo what has started."}
ON_SUBTASK: Final = {
    "retry": "Run the failed subtask again.",
    "skip": "Count the failed subtask as done.",
    "cancel": "Stop the running subtask.",
}


def on_task(word: str) -> Endpoint:
    """Return the endpoint of a command on a task; a retry answers the task."""

    async def endpoint(request: Request) -> Response:
        """Carry the command out."""
        done = await _perform(request, word)
        data = render.wrapped(v2.details(done.task)) if word == "retry" else None
        return ok(request, data, headers=position(done))

    return named(endpoint, f"v1_{word}_task", word, ON_TASK[word])


def on_subtask(word: str) -> Endpoint:
    """Return the endpoint of a command on a subtask; a retry answers the subtask."""

    async def endpoint(request: Request) -> Response:
        """Carry the command out."""
        number = query.subtask_number(request, query.task_id(request))
        done = await _perform(request, word, number)
        found = done.task.subtasks[number - 1]
        data = render.subtask(v2.subtask(done.task, found)) if word == "retry" else None
        return ok(request, data, headers=position(done))

    return named(endpoint, f"v1_{word}_subtask", word, ON_SUBTASK[word])


async def _perform(request: Request, word: str, number: int | None = None) -> Done:
    """Carry a command out. A dry run, which Express has not, must not become a wet one."""
    if query.flag(request, "dry_run"):
        raise bad_parameter("dry_run", "is known under /api/v2 alone")
    return await api(request).commands.perform(*await command_of(request, word, number))
