"""Tasks created over REST: many on several connections, or one that is watched to its visible end."""

import asyncio
import json
import time
from dataclasses import dataclass

from benchmarks.http import Connection
from benchmarks.system import System
from benchmarks.view import NotInTime, View

PATH = "/api/v2/tasks/instances"
ENDED = frozenset({"SUCCESSFUL", "FAILED", "CANCELLED"})


@dataclass(frozen=True, slots=True)
class Created:
    """Tasks that were answered with 201, and the seconds from the first request to the last answer."""

    ids: range
    seconds: float


async def many(system: System, body: bytes, count: int, connections: int, *, keyed: bool = False) -> Created:
    """Create `count` tasks, one request at a time on each connection; `keyed` gives each an Idempotency-Key."""
    opened = [await Connection.open(system.url, system.password) for _ in range(connections)]
    plain = opened[0].request(PATH, body)
    left = iter(range(count))
    answers: list[bytes] = []

    async def producer(connection: Connection) -> None:
        for number in left:
            key = {"Idempotency-Key": f"{began}-{number}"}
            answers.append(await connection.send(connection.request(PATH, body, key) if keyed else plain))

    began = time.monotonic()
    await asyncio.gather(*(producer(connection) for connection in opened))
    taken = time.monotonic() - began
    for connection in opened:
        connection.close()
    ids = [task_id(answer) for answer in answers]
    return Created(range(min(ids), max(ids) + 1), taken)


async def one(connection: Connection, request: bytes, view: View) -> tuple[float, float]:
    """Create one task; return the seconds from the request to its 201 and to the view that shows its success.

    The view is asked every millisecond, so the second is up to a millisecond late.
    """
    began = time.perf_counter()
    found = task_id(await connection.send(request))
    answered = time.perf_counter()
    view.wait(lambda: view.state(found) in ENDED, f"task {found} ended", every=0.001)
    ended = time.perf_counter()
    if (state := view.state(found)) != "SUCCESSFUL":
        raise NotInTime(f"task {found} is {state}")
    return answered - began, ended - began


def task_id(answer: bytes) -> int:
    """Return the id in the details that a create is answered with."""
    return int(json.loads(answer)["data"]["id"])
