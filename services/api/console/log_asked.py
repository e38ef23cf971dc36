"""What a reader of a log asks for in the address: which lines, where to stand, and how to show them.

`level`, `find`, `attempt` are REST's. `line` names a line, `earlier` and `later` a page beside one, `go` a search from
there (`next`, `prev`, `error`); `zone` and `wrap` are about looks. What it cannot be is 400, as in REST.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.requests import Request

from services.api.rest import query
from services.api.rest.errors import bad_parameter
from services.api.rest.live.log_line import LEVELS, Cursor, Wanted
from services.api.rest.live.log_runs import RunAbout, meant

PLACE: Final = ("line", "earlier", "later", "go")
"""The parameters that say where somebody reads."""
ELSEWHERE: Final[dict[str, None]] = dict.fromkeys((*PLACE, "attempt"))
"""What a link to another subtask must leave out."""
WAYS: Final = ("next", "prev", "error")
ZONES: Final = (
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Moscow",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "America/Sao_Paulo",
)
"""What is suggested; any other name of the time zone database is understood, and any offset."""
_OFFSET: Final = re.compile(r"[ +]?(-?)([0-9]{1,2}):?([0-9]{2})?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked; `wanted` has no text in it, for text that is looked for is marked and leaves no line out."""

    level: str
    attempt: str
    find: str
    line: Cursor | None
    earlier: Cursor | None
    later: Cursor | None
    go: str
    zone: str
    tz: tzinfo
    wrap: bool
    wanted: Wanted


def asked(request: Request, runs: Iterable[RunAbout]) -> Asked:
    """Return what the address asks for. Raises 400."""
    level = (query.text(request, "level") or "All").upper()
    if level not in LEVELS:
        raise bad_parameter("level", "is one of All, Alert, DEBUG, INFO, WARN, ERROR")
    attempt = query.text(request, "attempt") or ""
    of = meant(runs, attempt) if attempt else None
    if attempt and of is None:
        raise bad_parameter("attempt", "is generation-attempt such as 2-3, or the number of an execution")
    go = query.text(request, "go") or ""
    if go and go not in WAYS:
        raise bad_parameter("go", f"is one of {', '.join(WAYS)}")
    zone = (query.text(request, "zone") or "").strip() or "UTC"
    wrap = request.query_params.get("wrap", "") != "off"
    return Asked(
        level=level,
        attempt=attempt,
        find=query.text(request, "find") or "",
        line=cursor(request, "line"),
        earlier=cursor(request, "earlier"),
        later=cursor(request, "later"),
        go=go,
        zone=zone,
        tz=_zone(zone),
        wrap=wrap,
        wanted=Wanted(LEVELS[level], None, of),
    )


def cursor(request: Request, name: str) -> Cursor | None:
    """Return the address of a line. Raises 400."""
    given = query.text(request, name)
    found = Cursor.of(given) if given is not None else None
    if given is not None and found is None:
        raise bad_parameter(name, "is the address of a line, such as 481.12")
    return found


def _zone(given: str) -> tzinfo:
    if given.upper() in {"UTC", "Z"}:
        return UTC
    offset = _OFFSET.fullmatch(given)
    if offset is not None:
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        if span < timedelta(hours=24):
            return timezone(-span if offset[1] else span)
    elif _NAME.fullmatch(given):
        try:
            return ZoneInfo(given)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise bad_parameter("zone", "is UTC, an offset such as +02:00, or a name such as Europe/Berlin")
