"""The audit: who commanded what, when, why and with which answer; and whether a task's history is what was written.

Rows and chains are the API's (`rest/audit.py`), its parameters are this page's: a link here is a link there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.asked import SUBTASK_WORDS
from services.api.console.badge import Badge
from services.api.console.http import address, page
from services.api.console.shown import VIA
from services.api.projection.audit_reads import AuditRow
from services.api.rest import audit as rest
from services.api.rest.errors import Problem
from services.api.rest.policy import needs

PLACE: Final = "/audit"
SIZE: Final = 50
ACCEPTED: Final = Badge("✓", "Accepted", "good")
REFUSED: Final = Badge("✕", "Refused", "bad")
OUTCOMES: Final = (("All", None), ("Accepted", "accepted"), ("Refused", "refused"))
SINCE: Final = {"": "Any time", "1h": "The last hour", "24h": "The last day", "7d": "The last week", "30d": "30 days"}
WORDS: Final = {
    "create": "Create",
    "retry": "Retry",
    "skip": "Skip",
    "cancel": "Cancel",
    "rollback": "Roll back",
    "delete": "Delete",
    **{f"subtask.{word}": f"{word.capitalize()} a subtask" for word in SUBTASK_WORDS},
}
DOORS: Final = {**VIA, "bulk": "bulk command"}
FIELDS: Final = ("by", "command", "via", "task", "text", "since", "from", "to")


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision as the list shows it. `said`: why it was commanded, and why it was refused."""

    at: datetime
    by: str
    via: str
    command: str
    task: int
    href: str
    name: str
    badge: Badge
    reason: str
    refusal: str
    seq: int


@needs(Permission.AUDIT)
async def audit(request: Request) -> Response:
    """Show decisions on people's and programs' commands, the newest first."""
    problem, entries, older = "", [], None
    try:
        rows, following = await rest.listed(request, SIZE)
        entries = [_entry(row) for row in rows]
        older = address(request, after=following) if following is not None else None
    except Problem as error:
        problem = error.message
    given = {name: request.query_params.get(name, "") for name in FIELDS}
    outcome = request.query_params.get("outcome")
    return page(
        request,
        "audit.html",
        status=400 if problem else 200,
        problem=problem,
        entries=entries,
        given=given,
        outcome=outcome or "",
        chips=[
            {"word": word, "href": address(request, outcome=value, after=None), "here": value == (outcome or None)}
            for word, value in OUTCOMES
        ],
        commands=_choices(WORDS, given["command"], "Any command"),
        doors=_choices(DOORS, given["via"], "Any door"),
        times=[(value, word, value == given["since"]) for value, word in _with(SINCE, given["since"])],
        older=older,
        first=address(request, after=None) if "after" in request.query_params else None,
        filtered=bool(outcome or any(given.values())),
        verify=f"{PLACE}/verify?task={given['task']}" if given["task"].isdigit() else None,
    )


@needs(Permission.AUDIT)
async def chain(request: Request) -> Response:
    """Follow the hash chain of one task and say what is not what was written."""
    task_id, found, witness = await rest.chain_of(request)
    return page(request, "chain.html", task=task_id, chain=found, witnessed=witness.seq if witness else None)


def _entry(row: AuditRow) -> Entry:
    number = f"?subtask={row.subtask}" if row.subtask is not None else ""
    return Entry(
        at=row.at,
        by=row.actor_name,
        via=DOORS.get(row.via or "", row.via or ""),
        command=WORDS.get(row.command, row.command),
        task=row.task_id,
        href=f"/tasks/{row.task_id}{number}",
        name=(row.task_name or "") + (f", subtask {row.subtask}" if row.subtask is not None else ""),
        badge=ACCEPTED if row.outcome == "accepted" else REFUSED,
        reason=row.reason or "",
        refusal=row.message or "",
        seq=row.seq,
    )


def _choices(words: dict[str, str], chosen: str, everything: str) -> list[tuple[str, str, bool]]:
    return [("", everything, not chosen), *((value, word, value == chosen) for value, word in _with(words, chosen))]


def _with(words: dict[str, str], chosen: str) -> Sequence[tuple[str, str]]:
    """Return the words, and what is chosen though it is none of them: a link may say more than this form."""
    return [*words.items(), *([(chosen, chosen)] if chosen and chosen not in words else [])]


ROUTES: tuple[tuple[str, str, Any], ...] = (("GET", PLACE, audit), ("GET", f"{PLACE}/verify", chain))
