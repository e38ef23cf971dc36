"""What operators ask of a long list, each time with other words: the questions of the search benchmark. Asks nobody."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from benchmarks.samples import APART, BEGAN, sample
from services.api.projection.reads import Filter
from shared.task.state import TaskState

RARE: Final = "ärztehaus"
_STATUS_FAILED: Final = frozenset({TaskState.FAILED, TaskState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: a filter, and how the list is wanted."""

    where: Filter = field(default_factory=Filter)
    how: dict[str, Any] = field(default_factory=dict)


Question = Callable[[random.Random, int], Asked]
"""From chance and the number of tasks, one way to ask it."""


def _like(chance: random.Random, of: int) -> Any:
    """Return some task, so that what is common is asked for often."""
    return sample(chance.randint(1, of), of)


def _day(chance: random.Random, of: int, days: float) -> dict[str, Any]:
    first = BEGAN + chance.random() * of * APART
    return {"from": first, "before": first + timedelta(days=days)}


def _created(chance: random.Random, of: int, days: float) -> Asked:
    span = _day(chance, of, days)
    where = Filter(created_from=span["from"], created_before=span["before"])
    return Asked(where, {"sort": "created_at"})  # as the API sorts a range of creations


def _finished(chance: random.Random, of: int) -> Asked:
    span = _day(chance, of, 1)
    return Asked(Filter(finished_from=span["from"], finished_before=span["before"]))


def _by_operator(chance: random.Random, of: int) -> Asked:
    return Asked(Filter(creators=(_like(chance, of).by.name,)))


def _by_object(chance: random.Random, of: int) -> Asked:
    about = sample(chance.randint(1, of), of).about
    return Asked(Filter(object_kind=about.kind, object_name=about.name))


def _by_label(chance: random.Random, of: int) -> Asked:
    key, value = chance.choice(sorted(_like(chance, of).labels.items()))
    return Asked(Filter(labels={key: value}))


def _by_status_and_operator(chance: random.Random, of: int) -> Asked:
    return Asked(Filter(states=_STATUS_FAILED, creators=(_like(chance, of).by.name,)))


def _of_team(chance: random.Random, of: int) -> Asked:
    return Asked(Filter(teams=frozenset({_like(chance, of).labels["team"]})))


QUESTIONS: Final[dict[str, Question]] = {
    "newest": lambda _, __: Asked(),
    "newest failed": lambda _, __: Asked(Filter(states=_STATUS_FAILED)),
    "by operator": _by_operator,
    "by object": _by_object,
    "name, rare word": lambda chance, of: Asked(Filter(name=f"{RARE}-{chance.randint(1, of // 25_000 or 1)}")),
    "name, common word": lambda chance, of: Asked(Filter(name=_like(chance, of).name.split()[0])),
    "name, two words": lambda chance, of: Asked(
        Filter(name=f"{_like(chance, of).name.split()[-1]} {_like(chance, of).about.name}")
    ),
    "name, absent word": lambda chance, _: Asked(Filter(name=f"quetzal{chance.randint(1, 999)}")),
    "by label": _by_label,
    "text, a ticket": lambda chance, of: Asked(Filter(text=_like(chance, of).params["ticket"])),
    "text, common words": lambda chance, of: Asked(
        Filter(text=" ".join(_like(chance, of).params["options"]["note"].split()[:2]))
    ),
    "created on a day": lambda chance, of: _created(chance, of, 1),
    "created in 60 days": lambda chance, of: _created(chance, of, 60),
    "finished on a day": _finished,
    "sorted by finish time": lambda chance, _: Asked(how={"sort": "finished_at", "descending": chance.random() < 0.5}),
    "sorted by name": lambda chance, _: Asked(how={"sort": "name", "descending": chance.random() < 0.5}),
    "page 100": lambda _, __: Asked(how={"page": 100}),
    "page 100 of failed": lambda _, __: Asked(Filter(states=_STATUS_FAILED), {"page": 100}),
    "failed and operator": _by_status_and_operator,
    "one team's": _of_team,
}
