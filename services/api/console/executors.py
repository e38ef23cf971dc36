"""The executors: who is alive, what each runs, and a button that has one take no new work.

Who may be told what, and what is done, is the API's affair (`rest/fleet.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console.badge import Badge
from services.api.console.http import form, here, page, see
from services.api.console.span import lasted
from services.api.fleet import Executor, Run
from services.api.rest import fleet as rest
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from shared.runtime.clock import now

PLACE: Final = "/executors"
BRIEF: Final = 3
"""How much of its work a list shows of an executor."""
MOST: Final = 200
"""How much its own page does."""


@dataclass(frozen=True, slots=True)
class Work:
    """An attempt that runs. `href` is empty when the reader may not see the task."""

    href: str
    name: str
    subtask: int
    progress: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Line:
    """An executor as a list shows it."""

    one: Executor
    badge: Badge
    href: str
    work: list[Work]
    more: int
    word: str
    up: str


def badge_of(one: Executor, at: datetime) -> Badge:
    """Return what an executor is doing, in a word."""
    if one.late(at):
        return Badge("?", "Not heard", "bad")
    if one.draining:
        return Badge("◷", "Draining", "wait") if one.busy else Badge("■", "Drained", "idle")
    return Badge("▶", "Working", "busy") if one.busy else Badge("✓", "Ready", "good")


@needs(Permission.READ)
async def executors(request: Request) -> Response:
    """Show every executor that is alive."""
    return page(request, "executors.html", live=f"/live{here(request)}", seen=0, **await listed(request))


async def listed(request: Request) -> dict[str, Any]:
    """Return what the list's template needs. Raises `BucketUnavailable`."""
    found, at = await api(request).fleet.executors(), now()
    names = await rest.names(request, (run for one in found for run in one.running[:BRIEF]))
    lines = [_line(one, names, at, BRIEF) for one in found]
    taking = [one for one in found if not one.draining and not one.late(at)]
    pools = sorted({pool for one in found for pool in one.pools} - {pool for one in taking for pool in one.pools})
    return {
        "lines": lines,
        "idle_pools": pools,
        "slots": sum(one.slots for one in found),
        "busy": sum(one.busy for one in found),
        "may": principal(request).may(Permission.ADMINISTER),
    }


@needs(Permission.READ)
async def executor(request: Request) -> Response:
    """Show one executor with all that it runs and offers."""
    return page(request, "executor.html", live=f"/live{here(request)}", seen=0, **await shown(request))


async def shown(request: Request) -> dict[str, Any]:
    """Return what its template needs. Raises 404, `BucketUnavailable`."""
    one, at = await rest.wanted(request), now()
    names = await rest.names(request, one.running[:MOST])
    facts = [
        ("Pools", ", ".join(one.pools)),
        ("Slots", f"{one.busy} of {one.slots} taken"),
        ("Version", one.version or "unknown"),
        ("Host", f"{one.host}, process {one.pid}"),
        ("Attempts", str(one.attempts)),
        ("Takeovers", str(one.takeovers)),
        ("Leases lost", str(one.fenced + one.stale_reports)),
    ]
    return {
        "line": _line(one, names, at, MOST),
        "facts": facts,
        "may": principal(request).may(Permission.ADMINISTER),
    }


@needs(Permission.ADMINISTER)
async def ask(request: Request) -> Response:
    """Say what draining, or taking work again, will mean."""
    return await _dialog(request, await rest.wanted(request), request.path_params["word"])


@needs(Permission.ADMINISTER)
async def act(request: Request) -> Response:
    """Have an executor drain, or take work again; lead back to the list."""
    word = request.path_params["word"]
    await form(request)
    if word not in WORDS:
        raise Problem(404, 1002, "There is nothing at this address.")
    one = await rest.wanted(request)
    try:
        await rest.tell(request, word)
    except Problem as problem:
        return await _dialog(request, one, word, problem)
    return see(PLACE)


WORDS: Final = {"drain": "Drain", "resume": "Take work again"}


async def _dialog(request: Request, one: Executor, word: str, problem: Problem | None = None) -> Response:
    if word not in WORDS:
        raise Problem(404, 1002, "There is nothing at this address.")
    return page(
        request,
        "confirm.html",
        status=problem.status if problem is not None else 200,
        title=f"Drain {one.name}" if word == "drain" else f"Let {one.name} take work again",
        problem=problem.message if problem is not None else "",
        said=await _means(request, one) if word == "drain" else _RESUMES,
        action=f"{PLACE}/{one.incarnation}/{word}",
        word=WORDS[word],
        tone="primary",
        back=PLACE,
    )


_RESUMES: Final = ["It asks its pools' queues for work at once."]


async def _means(request: Request, one: Executor) -> list[str]:
    """Return what draining this executor would mean now."""
    others = [
        other
        for other in await api(request).fleet.executors()
        if other.incarnation != one.incarnation and not other.draining and not other.late(now())
    ]
    left = [pool for pool in one.pools if not any(pool in other.pools for other in others)]
    held = "Nothing runs on it now." if not one.busy else f"What runs on it, {one.busy} now, goes on to its own end."
    found = [
        f"It takes no new work. {held}",
        "It stays alive and shows as drained when its last attempt has ended: then it can be stopped safely.",
        "It takes work again when you say so, or when it is started anew.",
    ]
    if left:
        pools = f"pool {left[0]}" if len(left) == 1 else f"pools {', '.join(left)}"
        found.append(f"No other executor takes work of {pools}: what becomes ready there will wait.")
    return found


def _line(one: Executor, names: rest.Names, at: datetime, most: int) -> Line:
    work = [_work(run, names) for run in one.running[:most]]
    return Line(
        one=one,
        badge=badge_of(one, at),
        href=f"{PLACE}/{one.incarnation}",
        work=work,
        more=len(one.running) - len(work),
        word="resume" if one.draining else "drain",
        up=lasted(one.started_at, None, at),
    )


def _work(run: Run, names: rest.Names) -> Work:
    progress, note = (round(run.progress[0] * 100), run.progress[1]) if run.progress is not None else (None, "")
    if not names.shows(run.task):
        return Work("", "a task of another team", run.subtask, progress, "")
    name = names.known.get(run.task, f"task {run.task}")
    return Work(f"/tasks/{run.task}?subtask={run.subtask}", name, run.subtask, progress, note[:200])


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", PLACE, executors),
    ("GET", f"{PLACE}/{{incarnation}}", executor),
    ("GET", f"{PLACE}/{{incarnation}}/{{word}}", ask),
    ("POST", f"{PLACE}/{{incarnation}}/{{word}}", act),
)
