"""The API's task routes as functions: create, read, list, log, events, and the wait for an end.

Responsible for: paths and parameters. Refuses to know: how a task is shown.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx2

from opsledger.cli.failure import CliError, UsageError
from opsledger.cli.rest.client import Answer, Client
from opsledger.cli.rest.trouble import ApiError, Unreachable
from opsledger.cli.rest.view import Task, mapping, objects

TASKS = "/api/v2/tasks/instances"
APPEARS_SECONDS = 3.0
"""How long a task may be unknown: the view follows the log within moments."""
POLL_SECONDS = 0.25
SLOWEST_POLL_SECONDS = 3.0
_NEWEST: Mapping[str, str | None] = {"@latest": None, "@latest-failed": "FAILED"}


async def create(client: Client, body: Mapping[str, Any], *, key: str) -> Task:
    """Create a task; the same key gives the same task."""
    return _task(await client.post(TASKS, body, key=key))


async def resolve_id(client: Client, given: str) -> int:
    """A task id from what was typed: a number, @latest for the newest task, or @latest-failed."""
    if given in _NEWEST:
        newest = objects(mapping((await client.get(TASKS, page=1, size=1, state=_NEWEST[given])).data).get("contents"))
        if newest:
            return int(newest[0]["id"])
        if given == "@latest":
            raise CliError("there is no task yet", next_step="create one: opsledger task create host.inspect")
        raise CliError("no task has failed")
    if not given.isascii() or not given.isdigit():
        raise UsageError(f"{given} is not a task id", next_step="give a number, @latest or @latest-failed")
    return int(given)


async def read(client: Client, task_id: int, *, min_seq: int | None = None) -> Task:
    """One task with all its subtasks, not older than log position `min_seq`.

    A task younger than the view is waited for a moment.
    """
    deadline = asyncio.get_running_loop().time() + APPEARS_SECONDS
    while True:
        try:
            return _task(await client.get(f"{TASKS}/{task_id}", min_seq=min_seq))
        except ApiError as error:
            if error.status != httpx2.codes.NOT_FOUND or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(POLL_SECONDS)


async def read_at(client: Client, task_id: int, moment: str) -> Task:
    """One task as it was at a log position, or at a time with its offset."""
    return _task(await client.get(f"{TASKS}/{task_id}", at=moment))


async def follow(client: Client, task_id: int, *, min_seq: int | None = None) -> AsyncIterator[Task | None]:
    """The task again and again until it rests; None while the API cannot be reached.

    It starts at log position `min_seq`, so that the end before a command is not taken for the one after it. Large
    tasks are asked for less often: no more than a tenth of the time goes into asking.
    """
    loop = asyncio.get_running_loop()
    while True:
        asked_at = loop.time()
        try:
            task = await read(client, task_id, min_seq=min_seq)
        except Unreachable:
            yield None
        else:
            min_seq = None
            yield task
            if task.ended:
                return
        await asyncio.sleep(min(SLOWEST_POLL_SECONDS, max(POLL_SECONDS, 10 * (loop.time() - asked_at))))


async def page(client: Client, **filters: Any) -> Answer:
    """One page of the list: its data holds `contents` and `page`."""
    return await client.get(TASKS, **filters)


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
