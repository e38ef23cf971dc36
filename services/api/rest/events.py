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
from shared.messages.codec import Undecodable, decode
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
    found = await log.history(task_id, after, limit=size + 1)
    if not found and not await log.last(task_id):
        raise TaskNotFound(f"The task {task_id} does not exist.")
    shown, more = found[:size], len(found) > size
    contents = [entry for stored in shown for entry in _entries(stored)]
    return ok(request, {"contents": contents, "next": shown[-1].seq if more else None})


def _entries(stored: Stored) -> list[dict[str, Any]]:
    try:
        commit = decode(stored.body)
    except Undecodable as error:
        problem = {"kind": error.reason, "message": "This commit cannot be read by this version."}
        about = {"seq": stored.seq, "at": iso(stored.stored_at)}
        return [{**about, "outcome": "unreadable", "events": [], "error": problem}]
    return [_entry(stored.seq, decision) for decision in commit.decisions]


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
