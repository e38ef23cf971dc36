"""What a task would begin with, drawn and in words, before it is created. The API previews; nothing is decided here.

A plan of one's own is known whole. The plan of a type is made by an executor, which is asked for it beforehand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.api.asked import Preview
from services.api.console.badge import Badge
from services.api.console.drawing import Picture, draw
from services.api.console.filling import pretty
from services.api.console.folding import Step
from shared.messages.foresee import Outlook
from shared.task.plan import PlannedSubtask, TypeCard
from shared.task.state import SubtaskStatus, Task

PLANNED: Final = Badge("◌", "Planned", "idle")
ROOM: Final = 940
"""How wide (px) the graph beside the form may become for the sake of names."""
LISTED: Final = 200
"""So many steps are listed below the picture."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is shown. `said` is in sentences; `body` is what REST would be sent."""

    said: list[str]
    body: str
    picture: Picture | None = None
    steps: Sequence[PlannedSubtask] = ()
    left_out: int = 0
    refused: str = ""
    """Why an executor would not plan it: created, it would fail."""


def foreseen(found: Preview, body: Mapping[str, Any], card: TypeCard | None, told: Outlook | None = None) -> Foreseen:
    """Return what to show of a creation that would be accepted. `told`: what an executor says of its plan."""
    task = found.after
    assert task is not None  # noqa: S101  a creation is invalid or begins something
    about, text = _about(task), pretty(body)
    if card is None:
        return _drawn(_own(task), about, text)
    if card.standing:
        said = "It stands from then on until it is stopped; requests to it are tasks of their own."
        return Foreseen([said, *about], text)
    if told is None:
        unheard = f"The parameters fit. No executor of pool {task.pool} answers now, so nobody tells its plan."
        return Foreseen([unheard, "Created, it waits for one.", *about], text)
    if told.refused is not None:
        return Foreseen([], text, refused=told.refused)
    if not told.subtasks:
        return Foreseen([f"It would have {told.total} subtasks, too many to be drawn here.", *about], text)
    return _drawn(told, about, text)


def _own(task: Task) -> Outlook:
    nodes = tuple(subtask.plan for subtask in task.subtasks)
    return Outlook(
        total=len(nodes), subtasks=nodes, concurrency=task.concurrency, prohibit_rollback=task.prohibit_rollback
    )


def _drawn(plan: Outlook, about: list[str], body: str) -> Foreseen:
    nodes = plan.subtasks
    said = [*_plan(nodes, plan.concurrency), _undo(nodes, fixed=plan.prohibit_rollback), *about]
    return Foreseen(said, body, picture(nodes), nodes[:LISTED], max(len(nodes) - LISTED, 0))


def picture(nodes: Sequence[PlannedSubtask]) -> Picture:
    """Return the graph of subtasks that have not begun."""
    downstreams: dict[int, list[int]] = {number: [] for number in range(1, len(nodes) + 1)}
    for number, node in enumerate(nodes, start=1):
        for upstream in node.upstreams:
            downstreams[upstream].append(number)
    steps = [
        Step(number, node.name, node.operation, SubtaskStatus.PENDING, node.upstreams, tuple(downstreams[number]))
        for number, node in enumerate(nodes, start=1)
    ]
    notes = {step.number: step.kind for step in steps}
    return draw(steps, dict.fromkeys(notes, PLANNED), notes, room=ROOM)


def _plan(nodes: Sequence[PlannedSubtask], concurrency: int) -> list[str]:
    pools = sorted({node.pool for node in nodes})
    where = f"in pool {pools[0]}" if len(pools) == 1 else f"in the pools {', '.join(pools)}"
    if len(nodes) == 1:
        return [f'One subtask {where}: "{nodes[0].name}".']
    begins = _names([node.name for node in nodes if not node.upstreams])
    at_once = f"at most {concurrency} at once" if concurrency else "as many at once as there is room for"
    said = [f"{len(nodes):,} subtasks {where}, {at_once}.", f"It begins with {begins}."]
    once = [node.name for node in nodes if node.delivery == "at_most_once"]
    return [*said, f"Not run again by itself when an executor is lost: {_names(once)}."] if once else said


def _names(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _undo(nodes: Sequence[PlannedSubtask], *, fixed: bool) -> str:
    if fixed:
        return "It cannot be rolled back."
    if forbids := [node.name for node in nodes if node.prohibit_rollback]:
        return f'It cannot be rolled back once "{forbids[0]}" has run.'
    undone = sum(node.has_undo for node in nodes)
    if not undone:
        return "A rollback would undo nothing: no operation of it has an undo."
    return f"It can be rolled back: {undone} of {len(nodes)} steps {'has' if undone == 1 else 'have'} an undo."


def _about(task: Task) -> list[str]:
    labels = ", ".join(f"{key} = {value}" for key, value in sorted(task.labels.items()))
    about = f" and is about {task.object.kind} {task.object.name}" if task.object is not None else ""
    return [f"It is called {task.name}{about}."] + ([f"Labels: {labels}."] if labels else [])
