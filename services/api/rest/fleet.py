"""Executors, and how deep queues are: what everybody may see, and the wish that one executor takes no new work.

Whoever sees some teams' tasks alone is told neither which others run nor which one waits longest. The console's pages
ask here, too.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.fleet import Executor, Run, Silent
from services.api.projection.faults import ViewUnavailable
from services.api.projection.reads import Filter
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from shared.queue.port import Depth, QueueUnavailable
from shared.runtime.logging import get
from shared.task.ids import SUBTASKS_PER_TASK

EXECUTORS: Final = "/api/v2/executors"
QUEUES: Final = "/api/v2/queues"
WORDS: Final = ("drain", "resume")
MANY: Final = 1000
"""So many tasks' names are looked up at most."""

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of tasks that the reader may see. One that is not among them is seen if all teams are."""

    known: dict[int, str]
    all_teams: bool

    def shows(self, task_id: int) -> bool:
        """Whether the reader may know of this task."""
        return self.all_teams or task_id in self.known


async def names(request: Request, runs: Iterable[Run]) -> Names:
    """Return the names of what runs; executors are shown while the view is away, too, without names."""
    ids, teams = tuple(sorted({run.task for run in runs}))[:MANY], principal(request).teams
    rows = []
    if ids:
        with suppress(ViewUnavailable):
            rows = (await api(request).reads.tasks(Filter(ids=ids, teams=teams), size=len(ids))).contents
    return Names({row.id: row.name for row in rows}, teams is None)


@needs(Permission.READ)
async def executors(request: Request) -> Response:
    """List the executors that are alive, with what each of them runs."""
    found = await api(request).fleet.executors()
    known = await names(request, (run for one in found for run in one.running))
    return ok(request, {"contents": [_shown(one, known) for one in found]})


@needs(Permission.READ)
async def queues(request: Request) -> Response:
    """Show how deep the queue of each pool is, and since when the oldest item waits."""
    try:
        depths = await api(request).fleet.depths()
    except QueueUnavailable:
        raise Problem(503, 1006, "The queue cannot be reached.", headers={"Retry-After": "1"}) from None
    everything = principal(request).teams is None
    return ok(request, {"contents": [_queue(pool, depth, links=everything) for pool, depth in depths.items()]})


@needs(Permission.ADMINISTER)
async def drain_executor(request: Request) -> Response:
    """Have an executor take no new work; what it runs goes on to its own end."""
    return await _asked(request, "drain")


@needs(Permission.ADMINISTER)
async def resume_executor(request: Request) -> Response:
    """Have an executor take work again."""
    return await _asked(request, "resume")


async def _asked(request: Request, word: str) -> Response:
    one = await tell(request, word)
    return ok(request, _shown(one, await names(request, one.running)))


async def tell(request: Request, word: str) -> Executor:
    """Have the executor that the path names do this word; return what it says then. Raises 404 and 503."""
    by, incarnation = principal(request).name, request.path_params["incarnation"]
    try:
        found = await api(request).fleet.drain(incarnation, by, on=word == "drain")
    except Silent:
        message = "The executor has not answered within a few seconds: it may still do so. Look at it, or try again."
        raise Problem(503, 1006, message, target={"effect": "unknown"}, headers={"Retry-After": "3"}) from None
    if found is None:
        raise missing()
    log.info("an executor was asked", what=word, executor=incarnation, name=found.name, by=by)
    return found


async def wanted(request: Request) -> Executor:
    """Return the executor that the path names. Raises 404."""
    found = await api(request).fleet.executor(request.path_params["incarnation"])
    if found is None:
        raise missing()
    return found


def missing() -> Problem:
    """Return 404: it is not alive, if it ever was."""
    return Problem(404, 1002, "There is no such executor any more: it has stopped, or was not heard for too long.")


def _shown(one: Executor, known: Names) -> dict[str, Any]:
    found = {
        "incarnation": one.incarnation,
        "name": one.name,
        "host": one.host,
        "pid": one.pid,
        "version": one.version or None,
        "pools": one.pools,
        "slots": one.slots,
        "busy": one.busy,
        "draining": one.draining,
        "drainedBy": one.drained_by or None,
        "drainingSince": one.draining_since,
        "startedAt": one.started_at,
        "heardAt": one.at,
        "running": [_run(run) for run in one.running if known.shows(run.task)],
    }
    return {name: value for name, value in found.items() if value is not None}


def _run(run: Run) -> dict[str, Any]:
    shown: dict[str, Any] = {"task": run.task, "subtask": run.task * SUBTASKS_PER_TASK + run.subtask}
    if run.progress is not None:
        fraction, note = run.progress
        shown |= {"progress": fraction, **({"note": note} if note else {})}
    return shown


def _queue(pool: str, depth: Depth | None, *, links: bool) -> dict[str, Any]:
    if depth is None:
        return {"pool": pool, "waiting": 0, "inHand": 0}
    shown: dict[str, Any] = {"pool": pool, "waiting": depth.waiting, "inHand": depth.in_hand}
    if depth.oldest is not None:
        shown["oldestAt"] = depth.oldest.since
        if links:
            shown["oldestTask"] = depth.oldest.task_id
    return shown
