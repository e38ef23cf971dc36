"""The log of one subtask."""

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.rest import query
from services.api.rest.envelope import ok
from services.api.rest.log_text import LogText
from services.api.rest.policy import needs
from services.api.rest.ports import api
from shared.log.port import Stored
from shared.messages.codec import Undecodable, decode
from shared.task.refusals import SubtaskNotFound, TaskNotFound


@needs(Permission.READ)
async def log(request: Request) -> Response:
    """Show everything the subtask has printed, run by run."""
    found, task_id = api(request), query.task_id(request)
    number = query.subtask_number(request, task_id)
    task = await found.log.load(task_id, fresh=True)
    if task is None:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    if task.find(number) is None:
        raise SubtaskNotFound(f"Task {task_id} has no subtask {number}.")
    text = LogText(task_id, number)
    batches = await found.logs.read(task_id, number)  # first, so that no line is without its separator
    for stored in await found.log.history(task_id):
        if _concerns(stored, number):
            _follow(text, stored)
    text.batches(batches)
    return ok(request, {"log": text.text()})


def _concerns(stored: Stored, number: int) -> bool:
    """Whether a commit may have an event of the subtask: a glance at its bytes spares decoding the others."""
    body, name = stored.body, b'"subtask":%d' % number
    return name + b"," in body or name + b"}" in body or b'"task.r' in body or b'"task.s' in body or b'"task.c' in body


def _follow(text: LogText, stored: Stored) -> None:
    try:
        commit = decode(stored.body)
    except Undecodable:
        return
    for decision in commit.decisions:
        text.follow(decision)
