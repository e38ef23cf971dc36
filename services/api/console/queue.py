"""Queue and health: what answers, how far the view is behind, how deep each pool's queue is, what was set aside.

This page is looked at when something is away, so it says what it cannot learn instead of failing.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console.badge import Badge
from services.api.console.http import address, here, page
from services.api.console.set_aside import Listed, listed
from services.api.fleet import Executor
from services.api.rest.policy import needs, principal
from services.api.rest.ports import Health, api
from shared.queue.port import Depth, QueueUnavailable
from shared.runtime.clock import now
from shared.store.kv import BucketUnavailable
from shared.store.streams import Figures

PLACE: Final = "/queue"
WELL: Final = Badge("✓", "Well", "good")
AWAY: Final = Badge("✕", "Does not answer", "bad")
SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is needed: how it is, and what follows from that."""

    name: str
    badge: Badge
    said: str


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool: who works for it, what waits, and since when. `said`: what follows from it."""

    name: str
    badge: Badge
    executors: int
    slots: int
    busy: int
    waiting: int
    in_hand: int
    oldest: datetime | None
    href: str
    said: str


@dataclass(frozen=True, slots=True)
class Store:
    """A stream: what it holds, how full it is, and whether its copies are up to date."""

    name: str
    holds: str
    messages: int
    size: int
    limit: int | None
    badge: Badge


@needs(Permission.READ)
async def queue(request: Request) -> Response:
    """Show how the installation is doing."""
    administers = principal(request).may(Permission.ADMINISTER)
    replicas, context = await asyncio.gather(api(request).fleet.replicas(), shown(request))
    try:
        stores = [store(one) for one in await api(request).fleet.storage()]
    except BucketUnavailable:
        stores = []
    aside = await listed(request, SIZE) if administers else Listed()
    return page(
        request,
        "queue.html",
        live=f"/live{here(request)}",
        seen=0,
        aside=aside,
        stores=stores,
        replicas=replicas,
        administers=administers,
        older=address(request, before=aside.before) if aside.before else None,
        first=address(request, before=None) if "before" in request.query_params else None,
        **context,
    )


async def shown(request: Request) -> dict[str, Any]:
    """Return what its live piece needs; what cannot be learnt is said in it."""
    found = api(request)
    health, trouble = await found.health(), ""
    pools: list[Pool] = []
    try:
        executors = await found.fleet.executors()
        depths = await found.fleet.depths()
        everything = principal(request).teams is None
        pools = [pool(name, depth, executors, now(), links=everything) for name, depth in depths.items()]
    except (QueueUnavailable, BucketUnavailable):
        trouble = "The queue cannot be asked now. Work that is under way goes on; nothing that is ready is lost."
    return {
        "parts": [part(name, one) for name, one in health.items()],
        "well": all(one.ok for one in health.values()),
        "pools": pools,
        "trouble": trouble,
    }


_HOLDS: Final = {
    "TASKS": "the log: every commit, for ever",
    "WORK": "what is ready to run",
    "LOGS": "what operations print; the oldest goes first",
    "COMMANDS": "commands of the bus, until they are decided",
    "SET-ASIDE": "what nobody could use; the oldest goes first",
}


def store(found: Figures) -> Store:
    """Return a stream's line."""
    if found.behind:
        sign = Badge("◷", f"{found.behind} of {found.copies} copies behind", "wait")
    else:
        sign = Badge("✓", f"{found.copies} copies", "good") if found.copies > 1 else Badge("○", "One copy", "idle")
    return Store(found.name, _HOLDS.get(found.name, ""), found.messages, found.bytes, found.limit, sign)


_NAMES: Final = {"nats": "NATS", "database": "Database of the view", "projection": "View"}
_AWAY: Final = {
    "nats": "No command can be taken and nothing new is dispatched. What runs goes on until its lease ends.",
    "database": "Lists cannot be shown. Commands are accepted, executors work, and the view catches up by itself.",
    "projection": "Lists show old states. Commands are accepted and executors work.",
}


def part(name: str, health: Health) -> Part:
    """Return how something is, in words."""
    if name == "projection":
        lag = health.lag or 0
        behind = "Up to date with the log." if not lag else f"{lag:,} {'commit' if lag == 1 else 'commits'} behind."
        sign = WELL if health.ok else Badge("◷", "Stands still", "bad")
        return Part(_NAMES[name], sign, behind if health.ok else f"{behind} {_AWAY[name]}")
    sign = WELL if health.ok else AWAY
    said = f"Answers in {health.ms} ms." if health.ok else f"{_AWAY.get(name, '')} ({health.detail})"
    return Part(_NAMES.get(name, name), sign, said)


def pool(name: str, depth: Depth | None, executors: list[Executor], at: datetime, *, links: bool) -> Pool:
    """Return a pool's line. `links`: whether the reader may be told which task waits longest."""
    taking = [one for one in executors if name in one.pools and not one.draining and not one.late(at)]
    slots, busy = sum(one.slots for one in taking), sum(one.busy for one in taking)
    waiting, oldest = (depth.waiting, depth.oldest) if depth is not None else (0, None)
    if not taking:
        sign = Badge("✕", "Nobody", "bad") if waiting else Badge("○", "Nobody", "idle")
        said = "No executor takes work of this pool: start one, or let one take work again."
    elif waiting:
        full = busy >= slots
        sign = Badge("◷", "Waiting", "wait")
        said = "Every slot is taken." if full else "Slots are free: it will be taken in a moment."
    else:
        sign, said = Badge("✓", "Flows", "good"), ""
    if depth is None:
        said = "It has no queue yet; one is made as soon as something is dispatched."
    href = f"/tasks/{oldest.task_id}?subtask={oldest.subtask}" if oldest is not None and links else ""
    since = oldest.since if oldest is not None else None
    in_hand = depth.in_hand if depth is not None else 0
    return Pool(name, sign, len(taking), slots, busy, waiting, in_hand, since, href, said)


ROUTES: tuple[tuple[str, str, Any], ...] = (("GET", PLACE, queue),)
