"""A million tasks of a busy site, made up: who did what to which thing, when, and how it went. Knows no database.

Everything follows from the task's number, so two loads are alike. Skewed as life is: a few operators and robots do most
of the work, a few hosts get most of the trouble, 2 % fail.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.task.events import ObjectRef
from shared.task.state import Actor

BEGAN: Final = datetime(2025, 1, 1, tzinfo=UTC)
APART: Final = timedelta(seconds=31)
"""Between two creations: a million of them fill a year."""

STORIES: Final = ("successful", "failed", "cancelled", "running", "ready")
_NEWEST: Final = 200
"""So many of the newest have not ended."""
_TYPES: Final = (
    ("host.inspect", "Inspect", "host", 30),
    ("backup.run", "Backup", "cluster", 22),
    ("tenant.resize", "Resize tenant", "tenant", 12),
    ("host.patch", "Patch kernel", "host", 10),
    ("agent.upgrade", "Upgrade agent", "host", 9),
    ("certificate.renew", "Renew certificate", "host", 6),
    ("plan", "Ad hoc: ", "host", 5),
    ("cluster.upgrade", "Upgrade cluster", "cluster", 3),
    ("tenant.create", "Create tenant", "tenant", 2),
    ("cluster.failover", "Failover", "cluster", 1),
)
_OPERATORS: Final = ("scheduler", "ana", "bob", *(f"user{number:02}" for number in range(1, 60)))
_WEIGHTS: Final = (300, 120, 80, *(500 / (2 + number) ** 1.3 for number in range(1, 60)))
_TEAMS: Final = ("core", "payments", "search", "logistics", "labs")
_ADJECTIVES: Final = ("nightly", "weekly", "urgent", "planned", "repeated", "first", "second", "after incident")
_WORDS: Final = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo",
                 "lima", "mike", "november", "oscar")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """One task: what it is, and how it goes. `seconds` is how long each of its five subtasks takes."""

    id: int
    name: str
    type: str
    by: Actor
    about: ObjectRef
    labels: dict[str, str]
    params: dict[str, Any]
    at: datetime
    story: str
    seconds: int


def sample(number: int, of: int) -> Sample:
    """Return task `number`, from 1, of a site with so many tasks."""
    chance = random.Random(number)
    kind, verb, thing, _ = chance.choices(_TYPES, [found[3] for found in _TYPES])[0]
    host = min(int(chance.paretovariate(0.6)), 4000) if chance.random() < 0.7 else chance.randint(1, 4000)
    cluster, tenant = host % 40 + 1, host % 700 + 1
    names = {"host": f"db-{host:04}", "cluster": f"obc-{cluster:02}", "tenant": f"t_{_WORDS[tenant % 15]}_{tenant}"}
    ids = {"host": host, "cluster": cluster, "tenant": tenant}
    word = chance.choice(_ADJECTIVES)
    name = f"{verb} {names[thing]} {word}"
    if number % 25_000 == 0:
        name += f" Ärztehaus-{number // 25_000}"  # a rare one, in forty tasks of a million
    params = {
        "target": names[thing],
        "address": f"10.{host % 200}.{host // 200}.{chance.randint(1, 254)}",
        "ticket": f"OPS-{chance.randint(1, 200_000)}",
        "options": {"parallel": chance.randint(1, 16), "dry": False, "note": " ".join(chance.choices(_WORDS, k=6))},
    }
    labels = {"team": chance.choices(_TEAMS, (50, 25, 15, 8, 2))[0], "env": chance.choice(("prod", "prod", "test"))}
    if thing != "cluster":
        labels["cluster"] = names["cluster"]
    return Sample(
        id=number,
        name=name,
        type=kind,
        by=Actor("user", chance.choices(_OPERATORS, _WEIGHTS)[0], "rest"),
        about=ObjectRef(kind=thing, id=str(ids[thing]), name=names[thing]),
        labels=labels,
        params=params,
        at=BEGAN + number * APART + timedelta(seconds=chance.random() * 30),
        story=_story(number, of, chance),
        seconds=chance.choice((1, 2, 5, 20, 120, 900)),
    )


def _story(number: int, of: int, chance: random.Random) -> str:
    if of - number < min(_NEWEST, of // 10):
        return chance.choice(STORIES[3:])
    return chance.choices(STORIES[:3], (97.7, 2.0, 0.3))[0]
