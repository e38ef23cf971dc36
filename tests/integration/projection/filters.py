"""Filters that Hypothesis makes up for the tasks of `crowd.py`: at most three parts, of values that tasks have."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from services.api.projection.reads import Thing
from shared.task.state import TaskState
from tests.integration.projection.crowd import BEGAN, KINDS, MANY, NAMES, PEOPLE, PLACES, TYPES


def parts(texts: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Some words, or pieces of them, of any length."""
    piece = st.sampled_from(texts).flatmap(
        lambda word: st.tuples(st.integers(0, len(word)), st.integers(0, len(word))).map(
            lambda ends: word[min(ends) : max(ends)] or word
        )
    )
    return st.lists(piece, min_size=1, max_size=2).map(" ".join)


_times = st.integers(-10, 310).map(lambda seconds: BEGAN + timedelta(seconds=seconds))
_things = st.builds(
    Thing,
    kind=st.sampled_from(KINDS[:3]),
    id=st.none() | st.sampled_from(("7", "8", "db-01", "nobody")),
    name=st.none() | parts(PLACES),
)
_values: dict[str, st.SearchStrategy[Any]] = {
    "name": parts((*NAMES, "nowhere", "%", "_")),
    "text": parts((*NAMES, "path", "17", "true", "nowhere")),
    "states": st.frozensets(st.sampled_from(list(TaskState)), min_size=1, max_size=3),
    "types": st.lists(st.sampled_from((*TYPES, "none")), min_size=1, max_size=2).map(tuple),
    "creators": st.lists(st.sampled_from((*PEOPLE, "nobody")), min_size=1, max_size=2).map(tuple),
    "object_kind": st.sampled_from((*KINDS, "none")),
    "object_id": st.sampled_from(("7", "h-1", "none")),
    "object_name": parts(PLACES),
    "things": st.lists(_things, min_size=1, max_size=2).map(tuple),
    "labels": st.dictionaries(st.sampled_from(("team", "env")), st.sampled_from(("core", "7")), max_size=2),
    "teams": st.frozensets(st.sampled_from(("core", "labs", "none")), max_size=2),
    "parent": st.sampled_from((1, 2, 99)),
    "ids": st.lists(st.integers(1, MANY + 50), min_size=1, max_size=40).map(tuple),
    "created_from": _times,
    "created_before": _times,
    "finished_from": _times,
    "finished_before": _times,
}
filters = st.lists(st.sampled_from(sorted(_values)), unique=True, max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: _values[name] for name in names})
)
