"""Everything a task has said, as a zip: one line per subtask, and the log of each run (OCP Express, specification §3).

Made while it is sent, one subtask after the other, so that memory does not grow with the logs. A store that goes away
in the middle breaks the download off; it never ends as if it were whole.
"""

import asyncio
from collections.abc import AsyncIterator
from graphlib import TopologicalSorter
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.api.access import Permission
from services.api.rest import query
from services.api.rest.policy import needs, visible
from services.api.rest.ports import api
from services.api.rest.runs import Lines, Runs, followed
from services.api.sink import Sink
from shared.store.logs import LogStore
from shared.task.ids import subtask_id
from shared.task.refusals import TaskNotFound
from shared.task.state import Subtask, Task

_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@needs(Permission.READ)
async def v1_diagnosis(request: Request) -> Response:
    """Download the task's state and all its logs as a zip."""
    found, task_id = api(request), query.task_id(request)
    task = await found.log.load(task_id, fresh=True)
    if task is None:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    visible(request, task)
    runs = await followed(task_id, len(task.subtasks), await found.log.history(task_id))
    if (since := (await found.logs.kept()).since) is not None:
        for one in runs:
            one.expired(since)
    name = f'attachment; filename="task_{task_id}.zip"'
    headers = {**_HEADERS, "Content-Disposition": name}
    return StreamingResponse(zipped(task, runs, found.logs), headers=headers, media_type="application/zip")


async def zipped(task: Task, runs: list[Runs], logs: LogStore) -> AsyncIterator[bytes]:
    """Yield the zip, piece by piece. Raises `LogsUnavailable`."""
    sink = Sink()
    order = in_order(task)
    with ZipFile(sink, "w") as archive:
        archive.writestr(_entry(task, "task_info.txt"), "".join(_about(task, found) for found in order))
        for found in order:
            with Lines() as lines:
                await lines.fill(logs, task.id, found.number)
                mine = runs[found.number - 1]
                for printed in lines.keys:  # also those of a run that no event tells of
                    mine.of(printed)
                for number, pieces in mine.files():
                    name = f"subtask_{subtask_id(task.id, found.number)}_{number}.log"
                    with archive.open(_entry(task, name), "w", force_zip64=True) as file:
                        for key, run in pieces:
                            file.write(_text([*([run.head] if run.head else []), *run.lines]))
                            for piece in lines.of(key):
                                await asyncio.to_thread(file.write, piece)
                                if sink.full:
                                    yield sink.taken()
                            file.write(_text(run.end))
            if sink.full:
                yield sink.taken()
    yield sink.taken()


def in_order(task: Task) -> list[Subtask]:
    """Return the subtasks, each behind those it depends on."""
    graph = {found.number: found.plan.upstreams for found in task.subtasks}
    return [task.subtasks[number - 1] for number in TopologicalSorter(graph).static_order()]


def _about(task: Task, found: Subtask) -> str:
    upstreams = [subtask_id(task.id, number) for number in found.plan.upstreams]
    return f"Subtask: {subtask_id(task.id, found.number)}, State: {found.status.value}, Dependencies: {upstreams}\n"


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="replace")


def _entry(task: Task, name: str) -> ZipInfo:
    at = task.created_at
    entry = ZipInfo(name, (max(1980, at.year), at.month, at.day, at.hour, at.minute, at.second))
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry
