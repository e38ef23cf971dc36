"""The object lists of a synchronisation: which there are, and one of them as it lies in the destination.

An executor reads them there, a piece a question, so nothing of a destination but lists goes through here. A list is
written once and never changed.
"""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.bus.object_lists import NobodyAnswers
from services.api.rest import query, render
from services.api.rest.envelope import ok
from services.api.rest.errors import Problem
from services.api.rest.policy import needs
from services.api.rest.ports import Api, api
from services.api.rest.results_find import not_found
from services.api.rest.results_send import Attachment
from services.api.rest.sync import standing
from shared.messages.object_lists import FOLDERS, NAME, ListAnswer, ListQuestion, Which, folder_of
from shared.task.state import Task
from shared.task.words import TEAM

TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists of one kind of one task, in the destination."""

    api: Api
    task: Task
    which: Which

    @property
    def destination(self) -> str:
        """The connection they lie in."""
        return str(self.task.params.get("destination", ""))

    @property
    def folder(self) -> str:
        """The directory they lie in."""
        return folder_of(self.task.id, self.which)

    async def newest(self, child: int | None = None) -> ListAnswer:
        """Return the newest lists, those of one child task alone if that is asked for. Raises 503."""
        return await self._ask(child=child)

    async def piece(self, name: str, offset: int = 0) -> ListAnswer:
        """Return what stands in a list from a byte on. Raises 404 and 503."""
        return await self._ask(name=name, offset=offset)

    async def pieces(self, name: str) -> AsyncGenerator[bytes]:
        """Yield a list to its end. Raises 404 and 503, in the middle `TimeoutError`: what was sent is not all."""
        offset, size = 0, 1
        while offset < size:
            try:
                found = await self.piece(name, offset)
            except Problem as problem:
                if offset:
                    raise TimeoutError(problem.message) from None
                raise
            size = found.size
            if not found.piece:
                return
            offset += len(found.piece)
            yield found.piece

    async def _ask(self, **what: Any) -> ListAnswer:
        task = self.task
        question = ListQuestion(
            task=task.id, destination=self.destination, team=task.labels.get(TEAM), which=self.which, **what
        )
        try:
            answer = await self.api.lists.ask(task.pool, question)
        except NobodyAnswers as error:
            raise _away(f"{error} The lists lie in {self.destination}, below {self.folder}.") from error
        if answer.refused is not None:
            raise _away(answer.refused)
        if answer.missing:
            raise not_found(f"There is no list {question.name} in {self.folder}.", kind="list_not_found")
        return answer


def _away(message: str) -> Problem:
    return Problem(503, 1006, message, target={"effect": "none"}, headers={"Retry-After": "5"})


async def lists_of(request: Request) -> Lists:
    """Return the lists that the path names. Raises 404."""
    task, which = await standing(request), request.path_params["which"]
    if which not in FOLDERS:
        raise not_found(f"There are lists of what was {', '.join(FOLDERS)}.", kind="list_not_found")
    return Lists(api(request), task, cast("Which", which))


def name_of(request: Request) -> str:
    """Return the name of a list that the path names. Raises 404 for what can be none."""
    name = str(request.path_params["name"])
    if re.fullmatch(NAME, name) is None:
        raise not_found("There is no list of this name.", kind="list_not_found")
    return name


@needs(Permission.READ)
async def sync_lists(request: Request) -> Response:
    """Show the newest object lists of one kind."""
    child = query.number(request, "child", least=1)
    lists = await lists_of(request)
    found = await lists.newest(child)
    shown = {
        "id": lists.task.id,
        "destination": lists.destination,
        "directory": lists.folder,
        "contents": [{"name": one.name, "size": one.size, "time": render.iso(one.at)} for one in found.lists],
        "total": found.total,
        "totalExact": found.counted,
    }
    return ok(request, shown)


@needs(Permission.READ)
async def sync_list(request: Request) -> Response:
    """Send one object list as it is."""
    lists, name = await lists_of(request), name_of(request)
    return Attachment(request, lists.pieces(name), name=name, media=TEXT)
