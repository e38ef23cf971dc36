"""The subtasks of a task as a graph and as a table."""

from typing import Any

from services.api.console.drawing import Box, draw
from services.api.console.folding import Step
from services.api.console.shown import badge_of, note
from services.api.console.span import lasted
from services.api.console.task_shown import Shown


async def graph(found: Shown) -> dict[str, Any]:
    """Return the picture; many alike are one box until `open` names it."""
    subtasks = found.task.subtasks
    steps = [
        Step(one.number, one.plan.name, one.plan.operation, one.status, one.plan.upstreams, one.downstreams)
        for one in subtasks
    ]
    opened = [int(one) for one in found.request.query_params.getlist("open") if one.isascii() and one.isdigit()]
    picture = draw(
        steps,
        {one.number: badge_of(one) for one in subtasks},
        {one.number: note(one, found.now) for one in subtasks},
        opened,
    )

    def link(box: Box) -> str:
        return found.address(open=box.id) if box.many > 1 else found.address(subtask=box.id)

    return {"picture": picture, "link": link}


async def listed(found: Shown) -> dict[str, Any]:
    """Return the table's rows."""
    return {
        "subtasks": [
            {
                "number": one.number,
                "name": one.plan.name,
                "operation": one.plan.operation,
                "href": found.address(subtask=one.number),
                "badge": badge_of(one),
                "note": note(one, found.now),
                "took": lasted(one.started_at, one.finished_at, found.now),
            }
            for one in found.task.subtasks
        ]
    }
