"""The API's log routes as functions: one text, lines behind a cursor, a file.

Responsible for: paths, filters and cursors. Refuses to know: terminals.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from opsledger.cli.rest.client import Client
from opsledger.cli.rest.tasks import TASKS
from opsledger.cli.rest.view import mapping, objects, text

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines. `attempt` is the number of a run, or generation-attempt; `tail` how many of the last ones."""

    level: str | None = None
    find: str | None = None
    attempt: str | None = None
    tail: int | None = None

    @property
    def everything(self) -> bool:
        """Whether no line is left out."""
        return self == Wanted()

    @property
    def params(self) -> Mapping[str, Any]:
        """What is asked for, the tail aside."""
        return {"level": self.level, "find": self.find, "attempt": self.attempt}


async def whole(client: Client, task_id: int, subtask_id: int) -> str:
    """Everything one subtask has printed so far, run by run, as one text."""
    found = mapping((await client.get(_path(task_id, subtask_id))).data).get("log")
    return found if isinstance(found, str) else ""


async def lines(
    client: Client, task_id: int, subtask_id: int, wanted: Wanted, cursor: str | None
) -> tuple[list[Mapping[str, Any]], str | None]:
    """The lines behind a cursor, or from the beginning or the tail on, and the cursor to go on from."""
    found: list[Mapping[str, Any]] = []
    place: dict[str, Any] = {"after": cursor, "size": PAGE}
    if cursor is None and wanted.tail is not None:
        place = {"tail": wanted.tail}
    while True:
        page = mapping((await client.get(_path(task_id, subtask_id), **wanted.params, **place)).data)
        found += objects(page.get("lines"))
        following = text(page.get("cursor")) or cursor
        if page.get("more") is not True or "tail" in place or following == cursor:
            return found, following
        cursor = following
        place = {"after": cursor, "size": PAGE}


async def download(
    client: Client, task_id: int, subtask_id: int, wanted: Wanted, *, packed: bool
) -> AsyncIterator[bytes]:
    """The whole log, bit by bit, gzipped if `packed`."""
    path = f"{_path(task_id, subtask_id)}/download"
    gzip = "true" if packed else None
    async with client.stream(path, {"Accept": "*/*"}, **wanted.params, gzip=gzip) as response:
        async for piece in response.aiter_raw():
            yield piece


def _path(task_id: int, subtask_id: int) -> str:
    return f"{TASKS}/{task_id}/subtasks/{subtask_id}/log"
