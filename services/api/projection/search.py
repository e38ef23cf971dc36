"""What a list is asked for, as conditions: each knows which rows fit it, and which index lists them. Runs nothing.

A condition's `fits` is asked of a row that is at hand; its `sources` list the ids of all listed tasks that fit, or of a
few more when it is not `exact`. Which of the two is used when is `listing.py`'s affair.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, true

from services.api.access import Teams
from services.api.projection.tables import DELETED, LISTED, task_labels, tasks
from services.api.projection.text import indexed
from services.api.projection.trigrams import Words, fits, has_words, lists
from shared.task.state import TaskState
from shared.task.words import TEAM

Ids = Select[tuple[int]]
BY_ID: Final = "NOT INDEXED"
"""What SQLite is told that would take an index of a condition where an id is at hand."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A cluster, tenant or host that tasks are about: by id, or by part of its name.

    It is the task's object, or the task's labels name it: `host` (a name or an id), `host.name`, `host.id`.
    """

    kind: str
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks a list shows; what is None or empty does not restrict. Deleted tasks are in no list.

    `name`, `object_name` and a thing's name are parts of the name, `text` of name and parameters: whatever the case,
    and of several words all must occur. `labels` must all be there. Times are aware, `…_before` itself is not included.
    `teams`: only tasks of these teams are there at all.
    """

    name: str | None = None
    states: frozenset[TaskState] = frozenset()
    types: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()
    object_kind: str | None = None
    object_id: str | None = None
    object_name: str | None = None
    things: tuple[Thing, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    parent: int | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    finished_from: datetime | None = None
    finished_before: datetime | None = None
    ids: tuple[int, ...] = ()
    teams: Teams = None

    @property
    def counted(self) -> bool:
        """Whether the maintained counts answer for the total."""
        return self == Filter(states=self.states)


Fit = Callable[[Any], ColumnElement[bool]]
"""A condition on the columns of `tasks`, which may go by another name in the query."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One part of a filter: asked of a row of `tasks` (`fits`), or of an id (`has`), by an index where there is one.

    `ordered`: each source is an index that goes by id. `dear`: asking how many there are costs time. `overlapping`: a
    task may be in two sources.
    """

    fits: ColumnElement[bool]
    has: Callable[[ColumnElement[int]], ColumnElement[bool]]
    sources: tuple[Ids, ...]
    ordered: bool = False
    dear: bool = False
    overlapping: bool = False
    exact: bool = True
    index: str | None = None
    """The index of `tasks` by which the only source goes."""
    newest: Select[tuple[int]] | None = None
    oldest: Select[tuple[int]] | None = None
    """Of a time that is bounded on that side: the last and the first id, where a walk by id may begin."""


def conditions(where: Filter, dialect: str) -> list[Condition]:
    """Return what must hold all at once, what is likely to leave the fewest tasks first."""
    return [*_things(where), *_searched(where, dialect), *_kinds_of_tasks(where)]


def _things(where: Filter) -> Iterator[Condition]:
    """Yield what names single tasks or things: ids, parent, objects, labels."""
    if where.ids:
        yield _own(lambda c: c.id.in_(where.ids), "tasks_listed")
    if where.parent is not None:
        yield _own(lambda c: c.parent == where.parent, "tasks_by_parent")
    if where.object_id is not None:
        thing, kind = indexed(where.object_id), where.object_kind
        if kind is not None:
            yield _of_thing(indexed(kind), thing)
        else:
            yield _own(lambda c: c.object_id == thing, "tasks_by_object_id", ordered=False)
    yield from (_by_id(thing.kind, thing.id) for thing in where.things if thing.id is not None)
    yield from (_labelled(key, (value,)) for key, value in where.labels.items())
    if where.teams is not None:
        yield _labelled(TEAM, sorted(where.teams))


def _kinds_of_tasks(where: Filter) -> Iterator[Condition]:
    """Yield what many tasks have in common: operator, type, state, times, the object's kind."""
    yield from _one_of("creator_name", "tasks_by_creator", where.creators)
    yield from _one_of("type", "tasks_by_type", where.types)
    yield from _one_of("state", "tasks_by_state", sorted(state.value for state in where.states))
    yield from _in_time("created_at", "tasks_by_creation", where.created_from, where.created_before)
    yield from _in_time("finished_at", "tasks_by_finish", where.finished_from, where.finished_before)
    if where.object_kind is not None and where.object_id is None:
        kind = indexed(where.object_kind)
        yield _own(lambda c: c.object_kind == kind, "tasks_by_kind")


def _of_thing(kind: str, thing: str) -> Condition:
    return _own(lambda c: and_(c.object_kind == kind, c.object_id == thing), "tasks_by_object_id")


def _own(fit: Fit, index: str, *, ordered: bool = True) -> Condition:
    """Return a condition on columns of `tasks` that an index begins with."""
    probe = tasks.alias("probe")

    def has(task_id: ColumnElement[int]) -> ColumnElement[bool]:
        mine = select(probe.c.id).where(LISTED, fit(probe.c), probe.c.id == task_id)
        return mine.with_hint(probe, f"INDEXED BY {index}", "sqlite").exists()

    fits = fit(tasks.c)
    return Condition(fits, has, (_through(index, fits),), ordered=ordered, index=index if ordered else None)


def _in_row(fits: ColumnElement[bool]) -> Callable[[ColumnElement[int]], ColumnElement[bool]]:
    """Return how a condition is asked of an id that no index answers."""
    return lambda task_id: select(tasks.c.id).where(tasks.c.id == task_id, LISTED, fits).with_hint(
        tasks, BY_ID, "sqlite"
    ).exists()  # fmt: skip


def _through(index: str, fit: ColumnElement[bool]) -> Ids:
    """Return the ids of the tasks that fit; SQLite, which knows nothing of how values are spread, is told the index."""
    return select(tasks.c.id).where(LISTED, fit).with_hint(tasks, f"INDEXED BY {index}", "sqlite")


def _one_of(name: str, index: str, words: Sequence[str]) -> Iterator[Condition]:
    """Yield the condition that a column has one of these values: a source for each, which its index orders by id."""
    values = [indexed(word) for word in dict.fromkeys(words)]
    if values:
        sources = tuple(_through(index, tasks.c[name] == value) for value in values)
        found = _own(lambda c: c[name].in_(values), index)
        yield replace(found, sources=sources, index=index if len(values) == 1 else None)


def _in_time(name: str, index: str, first: datetime | None, before: datetime | None) -> Iterator[Condition]:
    def fit(c: Any) -> ColumnElement[bool]:
        bounds = [c[name] >= first] if first is not None else []
        bounds += [c[name] < before] if before is not None else []
        return and_(true(), *bounds)

    if first is None and before is None:
        return
    found = _own(fit, index, ordered=False)
    ids = found.sources[0].subquery()
    yield replace(
        found,
        has=_in_row(found.fits),
        newest=select(func.max(ids.c.id + 0)) if before is not None else None,
        oldest=select(func.min(ids.c.id + 0)) if first is not None else None,
    )


def _labelled(key: str, values: Iterable[str]) -> Condition:
    key, values = indexed(key), [indexed(value) for value in values]

    def has(task_id: ColumnElement[int]) -> ColumnElement[bool]:
        label = task_labels.c
        return exists().where(label.task_id == task_id, label.key == key, label.value.in_(values))

    sources = tuple(_with_label(key, value) for value in values) or (select(tasks.c.id).where(false()),)
    return Condition(has(tasks.c.id), has, sources, ordered=True)


def _with_label(key: str, value: str) -> Ids:
    """Return the ids of the tasks with a label; deleted ones keep theirs, so they are left out by an index of them."""
    label = task_labels.c
    gone = select(tasks.c.id).where(tasks.c.id == label.task_id, DELETED)
    gone = gone.with_hint(tasks, "INDEXED BY tasks_deleted", "sqlite")
    return select(label.task_id.label("id")).where(label.key == key, label.value == value, ~gone.exists())


def _by_id(kind: str, thing: str) -> Condition:
    """Return the condition on the object's id, or on the labels that give it."""
    value, keys = indexed(thing), (kind, f"{kind}.id")
    own = _of_thing(kind, value)

    def has(task_id: ColumnElement[int]) -> ColumnElement[bool]:
        label = task_labels.c
        mine = exists().where(label.task_id == task_id, label.key.in_(keys), label.value == value)
        return or_(own.has(task_id), mine)

    mine = exists().where(
        task_labels.c.task_id == tasks.c.id, task_labels.c.key.in_(keys), task_labels.c.value == value
    )
    sources = (*own.sources, *(_with_label(key, value) for key in keys))
    return Condition(or_(own.fits, mine), has, sources, ordered=True, overlapping=True)


def _searched(where: Filter, dialect: str) -> Iterator[Condition]:
    """Yield the conditions on names, and on text, that trigrams answer."""
    kinds = {thing.kind: [other.name for other in where.things if other.kind == thing.kind] for thing in where.things}
    names = Words.of("task_names", {"name": [where.name], "object": [where.object_name], **kinds})
    for words in names, Words.of("task_texts", {"text": [where.text]}):
        if words:
            source, exact = lists(words, dialect)
            fit = fits(words, dialect)
            yield Condition(
                fit,
                partial(has_words, words) if dialect != "sqlite" else _in_row(fit),
                (source,),
                ordered=exact and not words.short,
                dear=True,
                exact=exact,
            )
