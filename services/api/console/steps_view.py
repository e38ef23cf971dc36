"""The subtasks of a task as a table: what the graph says, for those who would rather read, or cannot see it.

A page of it has a hundred; which ones, and in which state, stands in the address (`only`, `from`).
"""

from collections.abc import Sequence
from typing import Any, Final

from services.api.console.shown import badge_of, note
from services.api.console.span import lasted
from services.api.console.task_shown import Shown
from services.api.console.tools import tools
from services.api.rest import query
from services.api.rest.errors import bad_parameter
from shared.task.state import Subtask, SubtaskStatus

SIZE: Final = 100
ONLY: Final = {
    "failed": ("Failed", {SubtaskStatus.FAILED}),
    "running": ("Running", {SubtaskStatus.RUNNING, SubtaskStatus.CANCELING}),
    "ready": ("Ready", {SubtaskStatus.READY}),
    "waiting": ("Waiting", {SubtaskStatus.PENDING}),
    "done": ("Done", {SubtaskStatus.SUCCESSFUL}),
}
"""What the table can be narrowed to: the chip's word and the statuses."""


async def listed(found: Shown) -> dict[str, Any]:
    """Return the table's rows, the chips above and the ways on. Raises 400 for parameters that nobody gave."""
    only = found.request.query_params.get("only", "")
    if only and only not in ONLY:
        raise bad_parameter("only", f"is one of {', '.join(ONLY)}")
    subtasks = found.task.subtasks
    fitting = [one for one in subtasks if one.status in ONLY[only][1]] if only else subtasks
    start = _start(found, fitting)
    shown = fitting[start : start + SIZE]
    return {
        "subtasks": [_row(found, one) for one in shown],
        "chips": _chips(found, only),
        "range": f"{start + 1}-{start + len(shown)} of {len(fitting):,}" if len(fitting) > SIZE else "",
        "earlier": found.address(**{"from": fitting[max(0, start - SIZE)].number}) if start else "",
        "later": found.address(**{"from": fitting[start + SIZE].number}) if start + SIZE < len(fitting) else "",
        "tools": tools(found),
    }


def _start(found: Shown, fitting: Sequence[Subtask]) -> int:
    """Return the place of the first row: of the subtask that `from` says, else on the chosen one's page."""
    wanted = query.number(found.request, "from", least=1)
    if wanted is not None:
        return next((place for place, one in enumerate(fitting) if one.number >= wanted), 0)
    here = found.chosen.number if found.chosen is not None else 0
    place = next((place for place, one in enumerate(fitting) if one.number == here), 0)
    return place - place % SIZE


def _chips(found: Shown, only: str) -> list[dict[str, Any]]:
    counts = found.task.counts
    chips = [(word, name, sum(counts[status] for status in statuses)) for name, (word, statuses) in ONLY.items()]
    rows = [("All", "", len(found.task.subtasks)), *(chip for chip in chips if chip[2] or chip[1] == only)]
    return [
        {
            "word": word,
            "count": f"{count:,}",
            "href": found.address(only=name or None, **{"from": None}),
            "here": name == only,
        }
        for word, name, count in rows
    ]


def _row(found: Shown, one: Subtask) -> dict[str, Any]:
    wrong = one.status is SubtaskStatus.FAILED and one.problem is not None
    return {
        "number": one.number,
        "name": one.plan.name,
        "operation": one.plan.operation,
        "href": found.address(subtask=one.number),
        "badge": badge_of(one),
        "said": one.problem.message if wrong and one.problem is not None else note(one, found.now),
        "wrong": wrong,
        "took": lasted(one.started_at, one.finished_at, found.now),
        "chosen": found.chosen is not None and found.chosen.number == one.number,
    }
