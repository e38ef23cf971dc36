"""Time travel: where in its history a task is being looked at, and how to move. Every view shows the same past.

The address says `at`, a log position or a time as in REST. A slider can only count, so it sends `step`, the number of
a commit, and is led to the address that says the position.
"""

from bisect import bisect_right
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.console.event_words import entry, names, sentence
from services.api.console.http import address, see
from services.api.console.task_shown import Shown
from services.api.rest import query
from services.api.rest.live import at
from services.api.rest.policy import visible
from services.api.rest.ports import api
from services.api.rest.tasks import shown as shown_now

STEP: Final = "step"
LEFT_BEHIND: Final = frozenset({STEP, at.PARAMETER, "cursor"})
"""Parameters that the slider's form does not carry on."""


async def led(request: Request) -> Response:
    """Lead from a step, counted from 1, to its log position; the last one is now. Raises as REST's history does."""
    task = await shown_now(request)
    positions = await api(request).live.histories.positions(task.id)
    step = query.number(request, STEP, len(positions), least=1) or len(positions)
    seq = positions[step - 1] if step < len(positions) else None
    return see(address(request, step=None, cursor=None, at=seq))


def then(found: Shown, where: dict[str, Any] | None) -> Shown:
    """Return the task with the clock of the moment: what ran then had not run until now."""
    return replace(found, now=max(where["at"], found.task.created_at)) if found.past and where is not None else found


async def travel(found: Shown) -> dict[str, Any]:
    """Return what the slider and the banner of the past need: steps, what the last one was, and the ways from here."""
    task, histories = found.task, api(found.request).live.histories
    positions = await histories.positions(task.id)
    step = max(1, bisect_right(positions, task.seq) if found.past else len(positions))
    seq = positions[step - 1]
    history = await histories.before(task.id, seq + 1, 1)
    visible(found.request, history.labels)
    told = [entry(one, names(found.task)) for _, made in history.contents for one in made]

    def way(to: int) -> str | None:
        if not 1 <= to <= len(positions) or to == step:
            return None
        return found.address(at=positions[to - 1] if to < len(positions) else None, cursor=None)

    return {
        "step": step,
        "steps": len(positions),
        "at": told[-1].at if told else task.created_at,
        "seq": seq,
        "said": sentence(told[0]) if told else "",
        "earlier": way(step - 1),
        "later": way(step + 1),
        "now": found.address(at=None, cursor=None),
        "kept": [pair for pair in found.request.query_params.multi_items() if pair[0] not in LEFT_BEHIND],
    }
