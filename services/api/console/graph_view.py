"""The subtasks of a task as a graph. Which boxes are open stands in the address: `open=2,300.3` is two of them.

A number names a box by its first subtask; behind the dot stands which hundred of it is shown.
"""

from typing import Any, Final

from services.api.console.drawing import Box, draw
from services.api.console.folding import Step
from services.api.console.shown import badge_of, note
from services.api.console.task_shown import Shown
from services.api.console.tools import tools
from shared.task.state import Direction

MOST_OPEN: Final = 20
"""So many boxes can be open at once."""


async def graph(found: Shown) -> dict[str, Any]:
    """Return the picture; many alike are one box until `open` names it."""
    task, subtasks = found.task, found.task.subtasks
    steps = [
        Step(one.number, one.plan.name, one.plan.operation, one.status, one.plan.upstreams, one.downstreams)
        for one in subtasks
    ]
    opened = opened_in(found.request.query_params.get("open", ""))
    picture = draw(
        steps,
        {one.number: badge_of(one) for one in subtasks},
        {one.number: note(one, found.now) for one in subtasks},
        opened,
        chosen=found.chosen.number if found.chosen is not None else None,
        backward=task.direction is Direction.BACKWARD,
    )

    def link(box: Box) -> str:
        if box.leads is None:
            return found.address(subtask=box.first)
        group, page = box.leads
        return found.address(subtask=box.first, open=_address({**opened, group: page}))

    folds = [
        {"name": subtasks[number - 1].plan.name, "href": found.address(open=_address(opened, but=number))}
        for number in opened
        if number <= len(subtasks)
    ]
    return {
        "picture": picture,
        "link": link,
        "folds": folds,
        "whole": found.address(view="list"),
        "tools": tools(found),
    }


def opened_in(text: str) -> dict[int, int]:
    """Return which boxes are open, and which hundred of each; what is no number is left out."""
    opened: dict[int, int] = {}
    for part in text.split(",")[:MOST_OPEN]:
        number, _, page = part.partition(".")
        if all(one.isascii() and one.isdigit() and len(one) < 7 for one in (number, page or "1")):
            opened[int(number)] = int(page or "1")
    return opened


def _address(opened: dict[int, int], but: int | None = None) -> str | None:
    kept = [f"{number}.{page}" if page > 1 else str(number) for number, page in opened.items() if number != but]
    return ",".join(kept[-MOST_OPEN:]) or None
