"""Words in names and texts, looked for by their trigrams: FTS5 on SQLite, pg_trgm on PostgreSQL. Triggers keep both.

A word of one or two characters has no trigram: it is looked for in the rows themselves, or, when there is no longer
word beside it, in all of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, Select, and_, column, func, select, table, true

from services.api.projection.tables import LISTED, tasks
from services.api.projection.text import folded

COLUMNS: Final[Mapping[str, str]] = {
    "name": "name_folded",
    "object": "object_folded",
    "cluster": "cluster_folded",
    "tenant": "tenant_folded",
    "host": "host_folded",
    "text": "searched",
}
"""The columns of the trigrams' tables, and those of `tasks` they are kept from."""
LENGTH: Final = 3
_SCANS: Final = {frozenset({"name"}): "tasks_by_name", frozenset({"object"}): "tasks_by_object"}
"""Indexes that SQLite reads instead of all rows."""


@dataclass(frozen=True, slots=True)
class Words:
    """What must all occur: pairs of a column and a folded word, in one table of trigrams."""

    table: str
    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, name: str, asked: Mapping[str, Iterable[str | None]]) -> Self:
        """Return the words of these texts; space separates them."""
        pairs = [
            (place, folded(word)) for place, texts in asked.items() for text in texts for word in (text or "").split()
        ]
        return cls(name, tuple(dict.fromkeys(pairs)))

    @property
    def short(self) -> bool:
        """Whether no word has a trigram."""
        return all(len(word) < LENGTH for _, word in self.pairs)

    def __bool__(self) -> bool:
        return bool(self.pairs)


def fits(words: Words, dialect: str) -> ColumnElement[bool]:
    """Return whether a row of `tasks` has all the words."""
    position = func.instr if dialect == "sqlite" else func.strpos
    return and_(true(), *(position(tasks.c[COLUMNS[place]], word) > 0 for place, word in words.pairs))


def lists(words: Words, dialect: str) -> tuple[Select[tuple[int]], bool]:
    """Return the ids of the tasks that have all the words, and whether of no others: short words may be left out."""
    if dialect != "sqlite":
        found = table(words.table, column("id"), *(column(place) for place in dict.fromkeys(dict(words.pairs))))
        return select(found.c.id).where(*(found.c[place].like(_like(word)) for place, word in words.pairs)), True
    long = [(place, word) for place, word in words.pairs if len(word) >= LENGTH]
    if not long:
        every = select(tasks.c.id).where(LISTED, fits(words, dialect))
        index = _SCANS.get(frozenset(dict(words.pairs)))
        return every.with_hint(tasks, f"INDEXED BY {index}", "sqlite") if index else every, True
    query = " AND ".join(f"{place} : {_quoted(word)}" for place, word in long)
    found = table(words.table, column("rowid"), column(words.table))
    matching: ColumnElement[Any] = found.c[words.table].op("MATCH")(query)
    return select(found.c.rowid.label("id")).where(matching), len(long) == len(words.pairs)


def has_words(words: Words, task_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return whether the listed task with an id has all the words; on PostgreSQL, where the words lie by id."""
    listed, _ = lists(words, "postgresql")
    return listed.where(listed.selected_columns.id == task_id).exists()


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _like(word: str) -> str:
    """Return the word as a part, with what LIKE would read as a pattern taken for itself (B16)."""
    for special in "\\%_":
        word = word.replace(special, "\\" + special)
    return f"%{word}%"
