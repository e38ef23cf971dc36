"""A task's history: every decision as the log has it, refused ones too. Read from the log itself, not from the view."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.rest import query
from services.api.rest.envelope import ok
from services.api.rest.policy import needs
from services.api.rest.ports import api
from services.api.rest.render import iso
from shared.log.port import Stored
from shared.messages.codec import Undecodable, decode, digest
from shared.messages.commit import Decision
from shared.task.refusals import TaskNotFound

DEFAULT_SIZE = 1000
MAX_SIZE = 5000


@needs(Permission.READ)
async def history(request: Request) -> Response:
    """Show a page of the task's commits behind log position `after`."""
    task_id, log = query.task_id(request), api(request).log
    after = query.number(request, "after", 0) or 0
    size = query.number(request, "size", DEFAULT_SIZE, least=1, most=MAX_SIZE) or DEFAULT_SIZE
    found = await log.history(task_id)
    if not found:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    entries = Chain()
    pages = [(stored, entries.of(stored)) for stored in found]
    shown = [(stored, made) for stored, made in pages if stored.seq > after]
    contents = [entry for _, made in shown[:size] for entry in made]
    return ok(request, {"contents": contents, "next": shown[size - 1][0].seq if len(shown) > size else None})


class Chain:
    """Follows a task's commits from the first on: one that does not name its predecessor was ignored by the fold."""

    def __init__(self) -> None:
        self._head = ""

    def of(self, stored: Stored) -> list[dict[str, Any]]:
        """Return what is shown of the next message."""
        try:
            commit = decode(stored.body)
        except Undecodable as error:
            problem = {"kind": error.reason, "message": "This commit cannot be read by this version."}
            about = {"seq": stored.seq, "at": iso(stored.stored_at)}
            return [{**about, "outcome": "unreadable", "events": [], "error": problem}]
        made = [_entry(stored.seq, decision) for decision in commit.decisions]
        if commit.prev != self._head:
            return [{**entry, "outcome": "ignored", "was": entry["outcome"]} for entry in made]
        self._head = digest(stored.body)
        return made


def _entry(seq: int, decision: Decision) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "seq": seq,
        "at": iso(decision.at),
        "by": decision.by.model_dump(exclude_none=True),
        "decision": decision.id,
        "outcome": decision.outcome,
        "events": [event.model_dump(mode="json", exclude_none=True) for event in decision.events],
    }
    if decision.reason is not None:
        shown["reason"] = decision.reason
    if decision.refusal is not None:
        shown["refusal"] = decision.refusal.model_dump(mode="json", exclude_none=True)
    return shown
