"""The audit: who commanded what, when, why, and the answer; and whether a task's history is what was written.

The newest decision first; `after` is the `next` of the page before. Rows come from the view, chains from the log.
"""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.chain import Chain, Witness, check
from services.api.projection.audit_reads import AuditFilter, AuditRow, Cursor
from services.api.rest import query
from services.api.rest.envelope import ok
from services.api.rest.errors import bad_parameter
from services.api.rest.policy import needs, principal, visible
from services.api.rest.ports import api
from services.api.rest.render import iso
from services.api.rest.tasks import reach_list
from services.api.rest.times import ago, moment
from shared.runtime.clock import now
from shared.task.ids import MAX_TASK_ID, SUBTASKS_PER_TASK
from shared.task.refusals import TaskNotFound

MAX_SIZE = 1000
OUTCOMES = frozenset({"accepted", "refused"})


@needs(Permission.AUDIT)
async def audit(request: Request) -> Response:
    """List decisions on operators' commands, accepted and refused, the newest first."""
    size = query.number(request, "size", 100, least=1, most=MAX_SIZE) or 100
    shown, following = await listed(request, size)
    return ok(request, {"contents": [_shown(row) for row in shown], "next": following})


async def listed(request: Request, size: int) -> tuple[list[AuditRow], str | None]:
    """Return the decisions that the request's parameters ask for, and what `after` takes for more. Raises 400, 503."""
    found = api(request)
    where, after = _filter(request), _cursor(request)
    await reach_list(request, found)
    rows = await found.audit.page(where, size=size + 1, after=after)
    shown = rows[:size]
    return shown, "{}.{}".format(*shown[-1].cursor) if len(rows) > size else None


@needs(Permission.AUDIT)
async def verify_audit(request: Request) -> Response:
    """Follow the hash chain of one task and name every broken link."""
    task_id, chain, witness = await chain_of(request)
    answer = {
        "task": task_id,
        "whole": chain.whole,
        "commits": chain.commits,
        "seq": chain.seq,
        "head": chain.head,
        "broken": [{"seq": broken.seq, "message": broken.why} for broken in chain.broken],
    }
    if witness is not None:
        answer["witnessed"] = witness.seq
    return ok(request, answer)


async def chain_of(request: Request) -> tuple[int, Chain, Witness | None]:
    """Return the task that is named, its hash chain, and what the view vouches for. Raises 400, `TaskNotFound`, 503."""
    task_id = _task(request)
    if task_id is None:
        raise bad_parameter("task", "is needed; `opsledger audit verify` follows the chains of the whole log")
    found = api(request)
    witness = await found.audit.witness(task_id)  # before the log, so that it cannot know more
    task = await found.log.load(task_id)
    messages = await found.log.history(task_id)
    if task is None and witness is None and not messages:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    visible(request, task.labels if task is not None else {}, task_id)
    return task_id, await asyncio.to_thread(check, task_id, messages, witness), witness


def _filter(request: Request) -> AuditFilter:
    outcomes = query.words(request, "outcome")
    if strange := [word for word in outcomes if word not in OUTCOMES]:
        raise bad_parameter("outcome", f"has words of accepted, refused, not {strange[0][:40]}")
    return AuditFilter(
        names=query.words(request, "by"),
        commands=query.words(request, "command"),
        vias=query.words(request, "via"),
        outcomes=outcomes,
        task=_task(request),
        text=query.text(request, "text"),
        since=moment(request, "from") or ago(request, "since", now()),
        before=moment(request, "to"),
        teams=principal(request).teams,
    )


def _task(request: Request) -> int | None:
    return query.number(request, "task", least=1, most=MAX_TASK_ID)


def _cursor(request: Request) -> Cursor | None:
    given = query.text(request, "after")
    if given is None:
        return None
    seq, _, place = given.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (seq, place)):
        raise bad_parameter("after", "is the `next` of the page before")
    return int(seq), min(int(place), 2**31 - 1)


def _shown(row: AuditRow) -> dict[str, Any]:
    by = {"kind": row.actor_kind, "name": row.actor_name, "via": row.via}
    shown: dict[str, Any] = {
        "seq": row.seq,
        "n": row.n,
        "at": iso(row.at),
        "by": {name: value for name, value in by.items() if value is not None},
        "command": row.command,
        "task": row.task_id,
        "outcome": row.outcome,
    }
    more = {
        "taskName": row.task_name,
        "subtask": row.task_id * SUBTASKS_PER_TASK + row.subtask if row.subtask is not None else None,
        "reason": row.reason,
        "team": row.team,
        "error": {"code": row.code, "message": row.message or ""} if row.code is not None else None,
    }
    return shown | {name: value for name, value in more.items() if value is not None}
