"""Commands on many tasks, from a list: what would happen to each, then a task that does it at a pace.

Which tasks are meant, what each would answer and who may is REST's affair (`rest/bulk.py`); a page shows it first.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from services.api.access import COMMANDS, Permission
from services.api.asked import Asked
from services.api.bulk import FASTEST, MOST, BulkBody
from services.api.console import badge
from services.api.console.http import address, form, page, see
from services.api.console.list_find import asking
from services.api.console.list_look import LOOKS, OURS, Look
from services.api.console.searchbox import BadSearch, Pairs, parse
from services.api.console.span import iso
from services.api.rest import bulk, query
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.policy import forbidden, needs, principal
from services.api.rest.ports import api
from services.api.rest.tasks import reach_list
from shared.runtime.clock import now
from shared.task.words import Direction, TaskState

WORDS: Final = {
    "retry": ("Retry", "retried", "Their failed subtasks run again; what is done stays done."),
    "skip": ("Skip", "skipped", "Their failed subtasks count as done, and what waits for them goes on."),
    "cancel": ("Cancel", "cancelled", "Nothing new of them starts, and what runs is stopped."),
}  # fmt: skip
"""The commands that a list offers: the button's word, what is done to a task, and what that means."""
REASONED: Final = frozenset({"skip", "cancel"})
"""Commands that nobody gives without saying why."""
GENTLE: Final = 60
"""Commands a minute that are suggested for more than `FEW` tasks."""
FEW: Final = 20
_FIELDS: Final = frozenset({"word", "every", "q", "look", "before", "reason", "pace", "key"})


@dataclass(frozen=True, slots=True)
class Meant:
    """What a form or an address means: the command, and the ticked tasks or `every` one that the search finds.

    `before`: when the preview was made; later tasks were not in it, so they are not meant.
    """

    word: str
    ids: tuple[str, ...]
    every: bool
    q: str
    look: Look
    before: str
    reason: str = ""
    pace: str = ""
    key: str = ""

    @classmethod
    def of(cls, fields: Sequence[tuple[str, str]]) -> "Meant":
        """Return what the fields mean. Raises 400 for a word that is none."""
        given = {name: value.strip() for name, value in fields if name in _FIELDS}
        word = given.get("word", "")
        if word not in WORDS:
            raise bad_parameter("word", f"is one of {', '.join(WORDS)}")
        ids = tuple(dict.fromkeys(value for name, value in fields if name == "id"))
        return cls(
            word=word,
            ids=ids,
            every=given.get("every") == "1",
            q=given.get("q", ""),
            look=LOOKS.get(given.get("look", ""), OURS),
            before=given.get("before") or iso(now()),
            reason=given.get("reason", ""),
            pace=given.get("pace", ""),
            key=given.get("key") or f"console-{secrets.token_urlsafe(12)}",
        )

    def asked(self, request: Request) -> Request:
        """Return the request as REST's bulk command would have been sent. Raises `BadSearch`, `Nothing`."""
        pairs: Pairs = [("ids", ",".join(self.ids))]
        if self.every:
            pairs = parse(self.q, principal(request).name)
            if not any(name == "createdTo" for name, _ in pairs):
                pairs.append(("createdTo", self.before))
        return asking(request, pairs, self.look, kept=())

    def body(self) -> BulkBody:
        """Return what goes beside the filters. Raises `ValueError` whose message is for the reader."""
        if self.word in REASONED and not self.reason:
            raise ValueError("Say why: the reason stands in the history of every task.")
        if self.pace and not (self.pace.isascii() and self.pace.isdigit() and 1 <= int(self.pace) <= FASTEST):
            raise ValueError(f"The pace is a whole number of tasks a minute, from 1 to {FASTEST}, or nothing.")
        try:
            return BulkBody(reason=self.reason or None, pace=int(self.pace) if self.pace else None, limit=MOST)
        except ValidationError:
            raise ValueError("The reason has at most 500 characters, all of them readable.") from None


@needs(Permission.OPERATE)
async def preview(request: Request) -> Response:
    """Show what the command would do to each of the chosen tasks."""
    return await _page(request, Meant.of(request.query_params.multi_items()))


@needs(Permission.OPERATE)
async def perform(request: Request) -> Response:
    """Make the task that carries the command out, and lead to its page."""
    meant = Meant.of(await form(request))
    _allowed(request, meant)
    try:
        body = meant.body()
        asked = meant.asked(request)
        where, chosen = bulk.meant(asked)
        by = Asked.by(principal(request), "console", meant.key, body.reason)
        done = await bulk.command(asked, meant.word, where, chosen, body, by)
    except query.Nothing:
        done = None
    except (ValueError, Problem) as error:
        if isinstance(error, Problem) and error.status != 400:
            raise
        return await _page(request, meant, str(error), 422)
    if done is None:
        return await _page(request, meant, "No task fits any more; nothing was done.", 409)
    return see(f"/tasks/{done.task.id}")


async def _page(request: Request, meant: Meant, problem: str = "", status: int = 200) -> Response:
    _allowed(request, meant)
    found: dict[str, Any] = {"count": 0, "exact": True, "looked": 0, "accepted": 0, "refused": 0, "items": []}
    if meant.ids or meant.every:
        try:
            found = await _decided(request, meant)
        except query.Nothing:
            pass
        except (BadSearch, Problem) as error:
            if isinstance(error, Problem) and error.status != 400:
                raise
            problem = problem or str(error)
    word, done, means = WORDS[meant.word]
    return page(
        request, "bulk.html", status=status, meant=meant, command=word, done=done, means=means, problem=problem,
        found=found, items=[_item(one) for one in found["items"]],
        pace=meant.pace or (str(GENTLE) if found["count"] > FEW and not problem else ""),
        reasoned=meant.word in REASONED, fastest=FASTEST, most=MOST,
        back=address(request, meant.look.path, **{**dict.fromkeys(_FIELDS | {"id"}), "q": meant.q or None}),
    )  # fmt: skip


async def _decided(request: Request, meant: Meant) -> dict[str, Any]:
    asked, found, who = meant.asked(request), api(request), principal(request)
    where, _ = bulk.meant(asked)
    await reach_list(asked, found)
    selected = await bulk.select(found, where, who, MOST)
    return await bulk.preview_of(found, meant.word, selected, Asked.by(who, "console"))


def _item(one: dict[str, Any]) -> dict[str, Any]:
    """Return a target as the page shows it."""
    state = one.get("state")
    return {
        "task": one["task"],
        "name": one.get("name", "gone"),
        "badge": badge.of_task(TaskState(state), Direction.FORWARD) if state else None,
        "accepted": one["accepted"],
        "why": one.get("refusal", {}).get("message", ""),
    }


def _allowed(request: Request, meant: Meant) -> None:
    needed = COMMANDS[meant.word]
    if not principal(request).may(needed):
        raise forbidden(principal(request), needed)


ROUTES: tuple[tuple[str, str, Any], ...] = (("GET", "/tasks/bulk", preview), ("POST", "/tasks/bulk", perform))
