"""Where in a sorted list a page stands: sort keys, and cursors that remember the last one shown. Runs nothing.

A cursor is opaque, fits into a URL, and carries its sort: whoever comes with it goes on behind the same task however
many came or went meanwhile. Where two tasks are equal the id decides; those without a value come last, either way.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, Self

from sqlalchemy import Column, ColumnElement, literal, or_, tuple_

from services.api.projection.tables import EPOCH, MICROSECOND, Instant, tasks

_MARK: Final = 4
"""Bytes of the digest by which a cursor that was not made here is told; no secret."""


class BadCursor(Exception):  # noqa: N818  a fact about the caller's text
    """No cursor of ours."""


@dataclass(frozen=True, slots=True)
class Sort:
    """What a list can be sorted by: its column, the index that goes by it, and whether it may be without a value."""

    column: Column[Any]
    index: str
    nullable: bool = False

    @property
    def by_id(self) -> bool:
        """Whether the id alone decides."""
        return self.column is tasks.c.id


SORTS: Final[Mapping[str, Sort]] = {
    "id": Sort(tasks.c.id, "tasks_listed"),
    "name": Sort(tasks.c.name_folded, "tasks_by_name"),
    "type": Sort(tasks.c.type, "tasks_by_type"),
    "state": Sort(tasks.c.state, "tasks_by_state"),
    "creator": Sort(tasks.c.creator_name, "tasks_by_creator"),
    "object": Sort(tasks.c.object_folded, "tasks_by_object", nullable=True),
    "created_at": Sort(tasks.c.created_at, "tasks_by_creation"),
    "started_at": Sort(tasks.c.started_at, "tasks_by_start", nullable=True),
    "finished_at": Sort(tasks.c.finished_at, "tasks_by_finish", nullable=True),
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """The end of page `number` of a list: its sort, and key and id of the last task shown."""

    sort: str
    descending: bool
    number: int
    key: Any
    id: int

    def text(self) -> str:
        """Return the cursor as it goes into a URL."""
        key = {"at": (self.key - EPOCH) // MICROSECOND} if isinstance(self.key, datetime) else self.key
        body = json.dumps([self.sort, self.descending, self.number, key, self.id], separators=(",", ":")).encode()
        return urlsafe_b64encode(_digest(body) + body).decode().rstrip("=")

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the cursor in a text. Raises `BadCursor`."""
        try:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
            if _digest(raw[_MARK:]) != raw[:_MARK]:
                raise BadCursor
            sort, descending, number, key, task_id = json.loads(raw[_MARK:])
            found = cls(sort, descending, number, _key(SORTS[sort], key), task_id)
        except (ValueError, LookupError, TypeError, OverflowError) as error:
            raise BadCursor from error
        if not isinstance(descending, bool) or not all(_whole(value) for value in (number, task_id)):
            raise BadCursor
        return found


def _key(sort: Sort, key: Any) -> Any:
    """Return a key as the column's values are. Raises `BadCursor`, or what a value of another kind raises."""
    if key is None and sort.nullable:
        return None
    if isinstance(sort.column.type, Instant):
        return EPOCH + key["at"] * MICROSECOND
    if _whole(key) if sort.by_id else _text(key):
        return key
    raise BadCursor


def _text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value and value.encode(errors="ignore").decode() == value


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of a list is wanted: `size` tasks behind a cursor, or behind the first `skipped` ones."""

    sort: str
    descending: bool
    size: int
    number: int = 1
    after: Cursor | None = None

    @property
    def order(self) -> Sort:
        """What the list is sorted by. Raises KeyError."""
        return SORTS[self.sort]

    @property
    def skipped(self) -> int:
        """How many tasks stand before the page, when no cursor says where it begins."""
        return 0 if self.after is not None else (self.number - 1) * self.size

    @property
    def limit(self) -> int:
        """How many tasks to look for: one more than are shown tells that there are more."""
        return self.size + 1

    def by(self, key: ColumnElement[Any], task_id: ColumnElement[int]) -> list[ColumnElement[Any]]:
        """Return the order of the tasks that have a value."""
        columns = [task_id] if self.order.by_id else [key, task_id]
        return [column.desc() if self.descending else column.asc() for column in columns]

    def behind(
        self, key: ColumnElement[Any], task_id: ColumnElement[int], *, valued: bool = False
    ) -> list[ColumnElement[bool]]:
        """Return what restricts a list to what comes behind the cursor; `valued`: a list of those that have a value."""
        last = self.after
        if last is None:
            return []
        further = task_id < last.id if self.descending else task_id > last.id
        if self.order.by_id:
            return [further]
        if last.key is None:
            return [key.is_(None), further]
        here, there = tuple_(key, task_id), tuple_(literal(last.key, self.order.column.type), literal(last.id))
        beyond = here < there if self.descending else here > there
        return [or_(beyond, key.is_(None)) if self.order.nullable and not valued else beyond]

    def next(self, key: Any, task_id: int) -> Cursor:
        """Return the cursor behind this page, whose last task has this key and id."""
        return Cursor(self.sort, self.descending, self.number + 1, key, task_id)


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=_MARK, person=b"opsledger-cursor").digest()
