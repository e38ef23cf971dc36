"""What stands above the lines of a log: levels, attempts, search, time zone, wrapping and the file. All are links."""

from typing import Any, Final

from services.api.console.http import address
from services.api.console.log_asked import ELSEWHERE, PLACE, ZONES, Asked
from services.api.console.log_frame import Frame
from services.api.console.task_shown import Shown
from services.api.rest.live.log_line import Cursor
from shared.task.ids import subtask_id

RUNS: Final = 8
"""How many attempts are offered by name."""


def bar(found: Shown, number: int, what: Asked, frame: Frame, line: Cursor | None) -> dict[str, Any]:
    """Return the bar over the log of this subtask; `line`: the one the reader stands at."""
    path = f"/api/v2/tasks/instances/{found.task.id}/subtasks/{subtask_id(found.task.id, number)}/log/download"
    chosen = {"level": None if what.level == "ALL" else what.level, "attempt": what.attempt or None}

    def here(**changes: Any) -> str:
        return found.address(**{**dict.fromkeys(PLACE), **changes})

    levels = [("All", "ALL"), ("Alert", "ALERT")]
    if what.level not in dict(levels).values():
        levels.append((what.level.capitalize(), what.level))
    named = [part for part in frame.known if part.name]
    name = f"{line.seq}.{line.place}" if line is not None else None
    hidden = [pair for pair in found.request.query_params.multi_items() if pair[0] not in {"find", "zone", *PLACE}]
    return {
        "broken": "",
        "path": found.request.url.path,
        "levels": [
            {"word": word, "href": here(level=word if name != "ALL" else None), "here": name == what.level}
            for word, name in levels
        ],
        "attempts": [
            {"word": part.name, "href": here(attempt=part.name), "here": bool(what.attempt) and part in frame.parts}
            for part in named[-RUNS:]
        ]
        if len(named) > 1 or what.attempt
        else [],
        "narrow": not what.wanted.everything,
        "every": {"href": here(attempt=None), "here": not what.attempt},
        "hidden": [*hidden, *([("line", name)] if name else [])],
        "kept": found.request.query_params.get("zone", ""),
        "find": what.find,
        "number": number,
        "error": here(subtask=number, line=name, go="error"),
        "error_word": "Next error" if name else "First error",
        "zone": what.zone,
        "zones": ZONES,
        "wrap": what.wrap,
        "wrapping": here(line=name, wrap="off" if what.wrap else None),
        "download": address(found.request, path, **{**dict.fromkeys(_all(found)), **chosen}),
    }


def _all(found: Shown) -> list[str]:
    """Return the names of all parameters: a link that begins anew leaves them out."""
    return [*found.request.query_params, *ELSEWHERE]
