"""Bulk commands: one command on every task that the list's filters leave. A dry run says what each would answer.

A filter that is not understood would mean more tasks than the caller meant, so here, unlike in lists, strangers among
the parameters are refused; and without any filter `all=true` must say so. `items` shows the answers target by target.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Principal, Teams
from services.api.asked import Asked, Create, Done, act
from services.api.bulk import MOST, Bulk, BulkBody
from services.api.invalid import Invalid
from services.api.projection.reads import Filter
from services.api.projection.selection import Selected, Selections
from services.api.rest import preview, query, render
from services.api.rest.body import idempotency_key, read_json
from services.api.rest.commands import named, position
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.policy import Endpoint, principal
from services.api.rest.ports import Api, api
from services.api.rest.tasks import INSTANCES, reach_list
from shared.task.refusals import Refusal

LOOKED: Final = 100
"""How many targets a dry run decides."""
AT_ONCE: Final = 8
OWN: Final = frozenset({"all", "dry_run", "min_seq"})
"""Parameters that are no filter."""


def on_tasks(word: str, summary: str) -> Endpoint:
    """Return the endpoint of a command on many tasks."""

    async def endpoint(request: Request) -> Response:
        """Carry the command out."""
        return await _bulk(request, word)

    return named(endpoint, f"{word}_tasks", word, summary)


async def _bulk(request: Request, word: str) -> Response:
    found, who = api(request), principal(request)
    idempotent, body, dry = idempotency_key(request), await _body(request), query.flag(request, "dry_run")
    where, chosen = meant(request)
    asked = Asked.by(who, "rest", idempotent, body.reason)
    if dry:
        await reach_list(request, found)
        return ok(request, await preview_of(found, word, await select(found, where, who, body.limit), asked))
    done = await command(request, word, where, chosen, body, asked)
    if done is None:
        return ok(request, {"command": word, "count": 0, "exact": True})
    return _made(request, done)


async def command(
    request: Request, word: str, where: Filter | None, chosen: str, body: BulkBody, asked: Asked
) -> Done | None:
    """Make the task that commands every task that fits; return None when none does.

    A key that was used before answers what its first use made. Raises as `select` and `Commands.perform` do.
    """
    found, who = api(request), principal(request)
    wanted = {"bulk": word, "query": chosen, **body.model_dump(exclude_none=True)}
    if asked.key is not None:
        earlier = await _earlier(found, wanted, asked)
        if earlier is not None:
            return earlier
    await reach_list(request, found)
    selected = await select(found, where, who, body.limit)
    if not selected.ids:
        return None
    team = await _team(found.selections, who.teams, selected.ids)
    creation = Bulk(word, chosen, selected.ids, body.reason, body.pace, team).creation()
    return await found.commands.perform(Create(wanted, creation), asked)


async def _earlier(found: Api, wanted: dict[str, Any], asked: Asked) -> Done | None:
    """Return what the key's first use made, whatever the filters leave now. Raises `KeyReused`."""
    try:  # no create body, so that only a known key answers
        return await found.commands.perform(Create(wanted), asked)
    except Invalid:
        return None


def _made(request: Request, done: Done) -> Response:
    headers = {"Location": f"{INSTANCES}/{done.task.id}", **position(done)}
    return ok(request, render.details(done.task), status=201, headers=headers)


async def _body(request: Request) -> BulkBody:
    body = await read_json(request)
    try:
        return BulkBody.model_validate({} if body is None else body, strict=True)
    except ValidationError as error:
        raise Invalid.of(error) from None


# ---- which tasks ----------------------------------------------------------------------------------------------


class _Listening(QueryParams):
    """Parameters that remember which of them were asked for."""

    def __init__(self, params: QueryParams) -> None:
        super().__init__(params)
        self.heard: set[Any] = set(OWN)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return a value and remember the name."""
        self.heard.add(key)
        return super().get(key, default)

    def getlist(self, key: Any) -> list[str]:
        """Return all values and remember the name."""
        self.heard.add(key)
        return super().getlist(key)


class _Asked(Request):
    """The same request, listening."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.scope, request.receive)
        self.listening = _Listening(request.query_params)

    @property
    def query_params(self) -> QueryParams:
        """The listening parameters."""
        return self.listening


def meant(request: Request) -> tuple[Filter | None, str]:
    """Return the filter, None when no task can pass it, and how it was written. Raises 400 for what is no filter."""
    listening = _Asked(request)
    where: Filter | None
    try:
        where = query.filters(listening)
    except query.Nothing:
        where = None
    given = [(name, value) for name, value in request.query_params.multi_items() if name not in OWN]
    if where is not None:
        if strange := [name for name, _ in given if name not in listening.listening.heard]:
            raise bad_parameter(strange[0][:40], "is no filter; a bulk command understands every parameter or none")
        if replace(where, teams=None) == Filter() and not query.flag(request, "all"):
            raise bad_parameter("all", "must be true when no filter says which tasks are meant")
    return where, urlencode(given)


async def select(found: Api, where: Filter | None, who: Principal, limit: int | None) -> Selected:
    """Return the newest tasks that fit, `limit` at most. Raises 400 for more than `MOST` without a limit."""
    if where is None:
        return Selected([], more=False)
    selected = await found.selections.select(replace(where, teams=who.teams), limit or MOST)
    if selected.more and limit is None:
        message = f"More than {MOST} tasks fit. Narrow the filters, or say with 'limit' that the newest are enough."
        raise Problem(400, 1001, message, target={"pointer": "/limit"})
    return selected


async def _team(selections: Selections, teams: Teams, ids: Sequence[int]) -> str | None:
    """Return whose the bulk task is: what somebody of one team sees of it must be that team's."""
    if teams is None:
        return None
    found = await selections.teams(ids)
    if len(found) != 1:
        several = ", ".join(sorted(found))
        raise Problem(400, 1001, f"The tasks are of several teams ({several}). Command those of one team at a time.")
    return found.pop()


# ---- what would happen ----------------------------------------------------------------------------------------


async def preview_of(found: Api, word: str, selected: Selected, asked: Asked) -> dict[str, Any]:
    """Return how the command would be answered now, decided for the first `LOOKED` targets; nothing is stored."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def item(task_id: int) -> dict[str, Any]:
        async with gate:
            try:
                shown = await found.commands.preview(act(task_id, word), asked)
            except Refusal as refusal:  # gone since the view saw it
                return {"task": task_id, "accepted": False, "refusal": preview.refused(refusal)}
        answer: dict[str, Any] = {"task": task_id, "accepted": shown.refusal is None}
        if shown.before is not None:
            answer |= {"name": shown.before.name, "state": shown.before.state.value}
        return answer | ({"refusal": preview.refused(shown.refusal)} if shown.refusal is not None else {})

    items = await asyncio.gather(*(item(task_id) for task_id in selected.ids[:LOOKED]))
    accepted = sum(one["accepted"] for one in items)
    return {
        "dryRun": True,
        "command": word,
        "count": len(selected.ids),
        "exact": not selected.more,
        "looked": len(items),
        "accepted": accepted,
        "refused": len(items) - accepted,
        "items": items,
    }
