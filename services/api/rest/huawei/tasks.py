"""Huawei's calls on synchronisation tasks (specification §7), each one of our commands or reads. Decides nothing.

Answers are bare JSON without an envelope; calls that only do something answer an empty object.
"""

from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from services.api import synchronisation as sync
from services.api.access import COMMANDS, Permission
from services.api.asked import Asked, Create, act
from services.api.projection.reads import Filter
from services.api.projection.sync_counts import KINDS
from services.api.projection.view import Details
from services.api.rest import exchange
from services.api.rest.body import idempotency_key, read_json, read_object
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.huawei import shapes
from services.api.rest.huawei.bodies import CreateSyncTask, SyncEvents, read
from services.api.rest.huawei.project import project, sync_task
from services.api.rest.policy import needs, principal
from services.api.rest.ports import Api, api
from services.api.rest.sync import check_range, child_of
from services.api.rest.tasks import reach_list
from services.api.rest.times import FIRST, LAST
from shared.task.state import TaskState

BASE: Final = "/v2/{project_id}/sync-tasks"
_STATES: Final = {word: state for state, word in shapes.STATUS.items()}
_LAST_MS: Final = int(LAST.timestamp() * 1000)


@needs(COMMANDS["create"])
async def huawei_create(request: Request) -> Response:
    """Create a synchronization task; it starts by itself."""
    name = project(request)
    body: CreateSyncTask = read(CreateSyncTask, await read_object(request))
    found = api(request)
    await _room(request, found, name)
    asked = Asked.by(principal(request), "rest", idempotency_key(request))
    done = await found.commands.perform(Create(body.creation(name)), asked)
    return _answer(request, {"sync_task_id": str(done.task.id)}, str(done.seq))


async def _room(request: Request, found: Api, name: str) -> None:
    """Refuse one more task than a project may have."""
    most = found.sync_tasks_per_project
    if not most:
        return
    await reach_list(request, found)
    page = await found.reads.tasks(_of(name), size=1)
    if page.total >= most:
        raise Problem(400, 4007, f"The project {name} has {page.total} synchronization tasks; {most} are allowed.")


@needs(Permission.READ)
async def huawei_list(request: Request) -> Response:
    """List synchronization tasks, the newest first."""
    name, given = project(request), request.query_params.get("status")
    limit, offset = _number(request, "limit", 10, 1, 100), _number(request, "offset", 0, 0, 10_000)
    if given and given not in _STATES:
        raise bad_parameter("status", f"is one of {', '.join(_STATES)}")
    states = frozenset({_STATES[given]}) if given else frozenset[TaskState]()
    found = api(request)
    await reach_list(request, found)
    page = await found.reads.tasks(_of(name, states), size=offset + limit)
    shown = [shapes.info(Details(row, []).task_state()) for row in page.contents[offset:]]
    return _answer(request, {"tasks": shown, "count": page.total})


@needs(Permission.READ)
async def huawei_show(request: Request) -> Response:
    """Show a synchronization task with the counts of the month in which `query_time` (ms) lies."""
    at, task = _time(request, "query_time"), await sync_task(request)
    totals = await api(request).sync.totals([task.id], *sync.month_of(at))
    return _answer(request, shapes.details(task, totals[task.id]))


@needs(Permission.READ)
async def huawei_statistics(request: Request) -> Response:
    """Show how much happened when: by five minutes up to a day, by the hour beyond."""
    kinds = [word.strip() for word in request.query_params.get("data_type", "").split(",") if word.strip()]
    if not kinds or any(kind not in KINDS for kind in kinds):
        raise bad_parameter("data_type", f"is one or more of {', '.join(KINDS)}, separated by commas")
    kinds = list(dict.fromkeys(kinds))
    since, before = _time(request, "start_time"), _time(request, "end_time")
    check_range(since, before, "start_time", "end_time")
    task, step = await sync_task(request), sync.step_for(since, before)
    series = await api(request).sync.series(task.id, kinds, since, before, step)
    shown = [
        {"data_type": kind, "data": [{"time_stamp": at * 1000, "statistic_num": n} for at, n in series[kind]]}
        for kind in kinds
    ]
    word = "FIVE_MINUTES" if step == sync.FIVE_MINUTES else "ONE_HOUR"
    answer = {"sync_task_id": str(task.id), "statistic_time_type": word, "statistic_datas": shown}
    return _answer(request, answer)


@needs(COMMANDS["retry"])
async def huawei_start(request: Request) -> Response:
    """Start a stopped synchronization task; keys in the body are not looked at."""
    await read_json(request)
    return await _act(request, "retry")


@needs(COMMANDS["cancel"])
async def huawei_stop(request: Request) -> Response:
    """Stop a synchronization task: no more events; what is under way ends."""
    return await _act(request, "cancel")


@needs(COMMANDS["delete"])
async def huawei_delete(request: Request) -> Response:
    """Delete a stopped synchronization task."""
    return await _act(request, "delete")


@needs(COMMANDS["create"])
async def huawei_events(request: Request) -> Response:
    """Ask for objects to be synchronized; they are when a child task has ended."""
    task = await sync_task(request)
    body: SyncEvents = read(SyncEvents, await read_object(request))
    if task.state is not TaskState.RUNNING:
        raise Problem(400, 4007, f"The synchronization task {task.id} is stopped: start it first.")
    asked = Asked.by(principal(request), "rest", idempotency_key(request))
    done = await api(request).commands.perform(Create(child_of(task, keys=body.object_keys)), asked)
    return _answer(request, {}, str(done.seq))


async def _act(request: Request, word: str) -> Response:
    task = await sync_task(request)
    asked = Asked.by(principal(request), "rest", idempotency_key(request))
    done = await api(request).commands.perform(act(task.id, word), asked)
    return _answer(request, {}, str(done.seq))


def _of(name: str, states: frozenset[TaskState] = frozenset()) -> Filter:
    return Filter(types=(sync.TYPE,), states=states, teams=frozenset({name}))


def _answer(request: Request, data: Any, seq: str | None = None) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    headers["X-Request-Id"] = exchange.of(request.scope).trace_id
    if seq is not None:
        headers["X-Log-Seq"] = seq
    return Response(to_json(data), headers=headers, media_type="application/json")


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    given = request.query_params.get(name)
    if given is None or given == "":
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 20 and least <= int(given) <= most):
        raise bad_parameter(name, f"is a whole number from {least} to {most}")
    return int(given)


def _time(request: Request, name: str) -> datetime:
    """Return a time that is given in milliseconds since 1970; their documents call it a text, and a number (§8)."""
    given = _number(request, name, -1, 0, _LAST_MS - 1)
    if given < 0:
        raise bad_parameter(name, "is needed: milliseconds since 1970")
    return datetime.fromtimestamp(given / 1000, tz=FIRST.tzinfo)
