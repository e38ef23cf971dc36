"""Many made-up tasks in a real view, written by the projector's own writer, and a plain Python answer to every search.

No log: what a list shows depends on rows alone. The answers here know nothing of indexes, trigrams or SQL.
"""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.projection.checkpoint import Checkpoint
from services.api.projection.fold import Batch
from services.api.projection.reads import Filter, Reads, Thing
from services.api.projection.writer import writer_for
from shared.task.events import ObjectRef
from shared.task.state import Actor, Task, TaskState

MANY = 300
NAMES = ("Backup", "backup", "BACK", "Ärger", "straße", "100%", "a_b", "x'y", 'say "hi"', "db", "日本語の", "o\\k", "É")
TYPES, PEOPLE, KINDS = (
    ("plan", "host.inspect", "backup.run"),
    ("ana", "bob", "eve"),
    ("host", "tenant", "cluster", "vm"),
)
PLACES = ("db-01", "DB-02", "obc", "t_pay", "7", "8")
KEYS = ("team", "env", "host", "host.id", "host.name", "cluster", "tenant.name")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def made_up(number: int, chance: random.Random) -> Task:
    """A task of no log; its values come from few, so that filters meet many."""

    def moment() -> datetime:
        return BEGAN + timedelta(seconds=chance.randint(0, 300), microseconds=chance.choice((0, 1, 999_999)))

    about = None
    if chance.random() < 0.8:
        ids = (None, "7", "8", "h-1")
        about = ObjectRef(kind=chance.choice(KINDS), id=chance.choice(ids), name=chance.choice(PLACES))
    return Task(
        id=number,
        name=" ".join(chance.choices(NAMES, k=chance.randint(1, 3))),
        type=chance.choice(TYPES[1:]),
        creator=Actor("user", chance.choice(PEOPLE), "rest"),
        created_at=moment(),
        pool="default",
        object=about,
        labels={key: chance.choice((*PLACES, "core", "labs")) for key in chance.sample(KEYS, k=chance.randint(0, 3))},
        params={"path": chance.choice(NAMES), "deep": [{"n": chance.randint(1, 30)}, True, None, 2.5]},
        parent=chance.choice((None, None, 1, 2)),
        state=chance.choice(list(TaskState)),
        deleted=chance.random() < 0.1,
        started_at=chance.choice((None, moment())),
        finished_at=chance.choice((None, moment())),
        created_seq=number,
        seq=number,
        head="h",
        version=1,
    )


class Crowd:
    """A migrated database with tasks in it, and the same tasks here."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.tasks: dict[int, Task] = {}
        self.reads = Reads(engine)
        self._chance = random.Random(7)
        self._writer = writer_for(engine)
        self._seen: Checkpoint | None = None

    def __repr__(self) -> str:
        return f"Crowd of {len(self.tasks)}"

    async def open(self, many: int) -> None:
        """Become the writer, and write so many tasks."""
        assert await self._writer.take()
        await self.add(many)

    async def add(self, many: int) -> None:
        """Write more tasks, the newest of all."""
        first = len(self.tasks) + 1
        await self.write(made_up(number, self._chance) for number in range(first, first + many))

    async def write(self, tasks: Iterable[Task]) -> None:
        """Write these tasks as they are now."""
        after = {task.id: task for task in tasks}
        seq = (self._seen.seq if self._seen is not None else 0) + 1
        batch = Batch(seq, "c", before={each: self.tasks.get(each) for each in after}, after=dict(after))
        seen = Checkpoint("now", seq, "c")
        await self._writer.write(batch, self._seen, seen)
        self._seen = seen
        self.tasks |= after

    async def close(self) -> None:
        """Stop writing."""
        await self._writer.release()

    def fitting(self, where: Filter) -> set[int]:
        """The ids of the tasks that a filter means."""
        return {task.id for task in self.tasks.values() if not task.deleted and fits(task, where)}

    def ordered(self, ids: Iterable[int], sort: str, *, descending: bool) -> list[int]:
        """These ids as a list sorted by an id or a time has them: those without a value last, ties by id."""
        keys = {each: each if sort == "id" else getattr(self.tasks[each], sort) for each in ids}
        valued = sorted((each for each in keys if keys[each] is not None), key=lambda each: (keys[each], each))
        rest = sorted(each for each in keys if keys[each] is None)
        return [*reversed(valued), *reversed(rest)] if descending else valued + rest


def fits(task: Task, where: Filter) -> bool:
    """Whether a task is one that the filter means."""
    about, labels = task.object, task.labels
    checks = (
        not where.states or task.state in where.states,
        not where.types or task.type in where.types,
        not where.creators or task.creator.name in where.creators,
        not where.ids or task.id in where.ids,
        where.parent is None or task.parent == where.parent,
        where.object_kind is None or (about is not None and about.kind == where.object_kind),
        where.object_id is None or (about is not None and about.id == where.object_id),
        all(labels.get(key) == value for key, value in where.labels.items()),
        where.teams is None or labels.get("team") in where.teams,
        has(where.name, [task.name]),
        has(where.object_name, [about.name] if about is not None else []),
        has(where.text, [task.name, about.name if about is not None else "", *_words(task.params)]),
        all(_about(task, thing) for thing in where.things),
        where.created_from is None or task.created_at >= where.created_from,
        where.created_before is None or task.created_at < where.created_before,
        where.finished_from is None or (task.finished_at is not None and task.finished_at >= where.finished_from),
        where.finished_before is None or (task.finished_at is not None and task.finished_at < where.finished_before),
    )
    return all(checks)


def has(asked: str | None, texts: list[str]) -> bool:
    """Whether every word occurs in one of the texts, whatever its case."""
    found = [text.casefold() for text in texts]
    return all(any(word.casefold() in text for text in found) for word in (asked or "").split())


def _about(task: Task, thing: Thing) -> bool:
    mine = task.object is not None and task.object.kind == thing.kind
    about, kind, labels = task.object, thing.kind, task.labels
    ids = {labels.get(kind), labels.get(f"{kind}.id"), about.id if mine and about is not None else None}
    names = [about.name] if mine and about is not None else []
    names += [labels[key] for key in (kind, f"{kind}.name") if key in labels]
    return (thing.id is None or thing.id in ids) and has(thing.name, names)


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [word for key, inner in value.items() for word in (key, *_words(inner))]
    if isinstance(value, list):
        return [word for inner in value for word in _words(inner)]
    return [] if value is None else [str(value).lower() if isinstance(value, bool) else str(value)]
