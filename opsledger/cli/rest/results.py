"""The API's routes for results as functions: what there is, rows by the page, everything as a zip.

Responsible for: paths. Refuses to know: how rows are shown.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from opsledger.cli.rest.client import Client
from opsledger.cli.rest.tasks import TASKS
from opsledger.cli.rest.view import mapping


async def told(client: Client, task_id: int, subtask_id: int | None = None) -> Mapping[str, Any]:
    """What the task's steps tell of their results: `results`, and `unread` where something could not be looked at."""
    return mapping((await client.get(f"{TASKS}/{task_id}/results", subtask=subtask_id)).data)


async def rows(client: Client, task_id: int, subtask_id: int, index: int, *, page: int, size: int) -> Mapping[str, Any]:
    """A page of what one statement gave."""
    path = f"{TASKS}/{task_id}/subtasks/{subtask_id}/results/{index}"
    return mapping((await client.get(path, page=page, size=size)).data)


async def download(client: Client, task_id: int, subtask_id: int | None) -> AsyncIterator[bytes]:
    """Every result set as CSV, in a zip, bit by bit."""
    path = f"{TASKS}/{task_id}/results/download"
    async with client.stream(path, {"Accept": "*/*"}, subtask=subtask_id) as response:
        async for piece in response.aiter_raw():
            yield piece
