"""The API's task routes as functions: create, read, list, log, events, and the wait for an end.

Responsible for: paths and parameters. Refuses to know: how a task is shown.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx2

from opsledger.cli.failure import CliError, UsageError
from opsledger.cli.rest.client import Answer, ApiError, Client, Unreachable
from opsledger.cli.rest.view import Task, mapping, objects

TASKS = "/api/v2/tasks/instances"
APPEARS_SECONDS = 3.0
"""How long a task may be unknown: the view follows the log within moments."""
POLL_SECONDS = 0.25
SLOWEST_POLL_SECONDS = 3.0


async def create(client: Client, body: Mapping[str, Any], *, key: str) -> Task:
    """Create a task; the same key gives the same task."""
    return _task(await client.post(TASKS, body, key=key))


async def resolve_id(client: Client, given: str) -> int:
    """A task id from what was typed: a number, or @latest for the newest task."""
    if given == "@latest":
        newest = objects(mapping((await client.get(TASKS, page=1, size=1)).data).get("contents"))
        if not newest:
            raise CliError("there is no task yet", next_step="create one: opsledger task create host.inspect")
        return int(newest[0]["id"])
    if not given.isascii() or not given.isdigit():
        raise UsageError(f"{given} is not a task id", next_step="give a number, or @latest")
    return int(given)


async def read(client: Client, task_id: int) -> Task:
    """One task with all its subtasks; a task younger than the view is waited for a moment."""
    deadline = asyncio.get_running_loop().time() + APPEARS_SECONDS
    while True:
        try:
            return _task(await client.get(f"{TASKS}/{task_id}"))
        except ApiError as error:
            if error.status != httpx2.codes.NOT_FOUND or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(POLL_SECONDS)


async def follow(client: Client, task_id: int) -> AsyncIterator[Task | None]:
    """The task again and again until it rests; None while the API cannot be reached.

    Large tasks are asked for less often: no more than a tenth of the time goes into asking.
    """
    loop = asyncio.get_running_loop()
    while True:
        asked_at = loop.time()
        try:
            task = await read(client, task_id)
        except Unreachable:
            yield None
        else:
            yield task
            if task.ended:
                return
        await asyncio.sleep(min(SLOWEST_POLL_SECONDS, max(POLL_SECONDS, 10 * (loop.time() - asked_at))))


async def page(client: Client, **filters: Any) -> Answer:
    """One page of the list: its data holds `contents` and `page`."""
    return await client.get(TASKS, **filters)


async def log(client: Client, task_id: int, subtask_id: int) -> str:
    """Everything one subtask has printed so far."""
    answer = await client.get(f"{TASKS}/{task_id}/subtasks/{subtask_id}/log")
    found = mapping(answer.data).get("log")
    return found if isinstance(found, str) else ""


async def events(client: Client, task_id: int, *, after: int = 0) -> AsyncIterator[Mapping[str, Any]]:
    """Every decision about a task in the order of the log."""
    cursor: int | None = after
    while cursor is not None:
        data = mapping((await client.get(f"{TASKS}/{task_id}/events", after=cursor, size=1000)).data)
        for item in objects(data.get("contents")):
            yield item
        following = data.get("next")
        cursor = following if isinstance(following, int) and following > cursor else None


async def type_schema(client: Client, name: str) -> Mapping[str, Any]:
    """The parameters' JSON schema of a task type; empty when there is none to be had."""
    try:
        card = mapping((await client.get(f"/api/v2/task-types/{quote(name, safe='')}")).data)
    except ApiError:
        return {}
    return mapping(card.get("params_schema") or card.get("paramsSchema"))


def _task(answer: Answer) -> Task:
    return Task.of(answer.data, answer.timestamp)
