"""What each task answered to a bulk command, for the page of the task that carried it out. Knows no markup.

The answers are REST's (`rest/items.py`): page and API tell the same.
"""

from typing import Any, Final

from services.api.console.task_shown import Shown
from services.api.creation import BULK
from services.api.rest import items, query
from services.api.rest.ports import api

SIZE: Final = 100
DONE: Final = 200


async def answers(found: Shown) -> dict[str, Any] | None:
    """Return a page of targets with their answers, None for a task that is no bulk command.

    Raises `ResultsUnavailable`.
    """
    task = found.task
    if not task.type.startswith(BULK):
        return None
    total = items.total(task)
    number = query.number(found.request, "page", 1, least=1, most=query.MAX_PAGE) or 1
    first = (number - 1) * SIZE
    told = [item async for item in items.of(api(found.request), task, first, first + SIZE)]
    return {
        "items": [
            {
                "task": one["task"],
                "said": _said(one),
                "why": one.get("error", {}).get("message", ""),
                "tone": "" if "status" not in one else "good" if one["status"] == DONE else "bad",
            }
            for one in told
        ],
        "shown": f"{first + 1:,} to {first + len(told):,} of {total:,}" if told else "",
        "before": found.address(page=number - 1) if number > 1 else None,
        "behind": found.address(page=number + 1) if first + SIZE < total else None,
    }


def _said(one: dict[str, Any]) -> str:
    if "status" not in one:
        return "◌ not asked yet"
    return "✓ done" if one["status"] == DONE else "✕ refused"
