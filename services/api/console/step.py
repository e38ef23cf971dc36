"""The chosen subtask: how it stands, why, what it waits for and leads to, and what may be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.api.console.actions import of_subtask
from services.api.console.shown import Fact, badge_of
from services.api.console.span import lasted
from services.api.console.task_shown import Shown
from shared.task.state import Subtask, SubtaskStatus

SHOWN: Final = 4
"""So many neighbours are named."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Neighbours in the graph: the first ones as links, and how many more there are."""

    word: str
    links: list[tuple[str, str]]
    more: int


def step(found: Shown) -> dict[str, Any] | None:
    """Return what the panel of the chosen subtask needs, None when none is chosen."""
    chosen = found.chosen
    if chosen is None:
        return None
    return {
        "number": chosen.number,
        "name": chosen.plan.name,
        "description": chosen.plan.description or "",
        "badge": badge_of(chosen),
        "problem": chosen.problem.message if chosen.problem is not None and _wrong(chosen) else "",
        "facts": _facts(found, chosen),
        "beside": [
            _beside(found, "After", chosen.plan.upstreams),
            _beside(found, "Before", chosen.downstreams),
        ],
        "acts": of_subtask(found),
    }


def _wrong(subtask: Subtask) -> bool:
    return subtask.status is SubtaskStatus.FAILED or subtask.retry_at is not None


def _facts(found: Shown, one: Subtask) -> list[Fact]:
    again = one.plan.retry
    attempt = str(one.run_time) if one.run_time else ""
    if attempt and again is not None:
        attempt += f", by itself up to {again.times + 1}"
    facts = [
        Fact("Operation", one.plan.operation),
        Fact("Attempt", attempt),
        Fact("Executor", (one.claim.executor if one.claim is not None else one.executor) or ""),
        Fact("Started", at=one.started_at),
        _took(found, one),
    ]
    return [fact for fact in facts if fact.text or fact.at is not None]


def _took(found: Shown, one: Subtask) -> Fact:
    lasts = lasted(one.started_at, one.finished_at, found.now)
    if one.status in {SubtaskStatus.RUNNING, SubtaskStatus.CANCELING}:
        return Fact("Running for", lasts, since=one.started_at if not found.past else None)
    return Fact("Took", lasts if one.finished_at is not None else "")


def _beside(found: Shown, word: str, numbers: Sequence[int]) -> Beside:
    of = found.task.subtasks
    links = [(of[number - 1].plan.name, found.address(subtask=number, **{"from": None})) for number in numbers[:SHOWN]]
    return Beside(word, links, max(0, len(numbers) - SHOWN))
