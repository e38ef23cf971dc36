"""What a subtask's output says about results: its kind, its summary, and the result files it names.

Pure. An output (or, of a failed subtask, its problem's detail) that has a `kind` tells of results; a reference
(`object`, `bytes`, `sha256`) anywhere in it is a result file. Refuses to know where files lie and who asks for them: a
caller names a file, never an object, and only what an output names can be found.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.task.state import Subtask

SQL: Final = "sql"
SYNC: Final = "sync"
"""Also what tells of it: counts under this word, whatever the output's kind."""
MAX_FILES: Final = 10_000
"""How many files of one output are looked at."""
_DEPTH: Final = 16
_FAILED: Final = "_FAILED"
_WORD: Final = re.compile(r"[a-z][a-z0-9_.-]{0,49}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_NAME: Final = 120


@dataclass(frozen=True, slots=True)
class File:
    """A result file: the name callers know it by, and the reference that only the output knows."""

    name: str
    reference: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.reference["bytes"])


@dataclass(frozen=True, slots=True)
class ResultSet:
    """The rows that one statement gave. `index` counts all statements of the script, from 1."""

    index: int
    sql: str
    columns: list[dict[str, str]]
    rows: int
    truncated: bool
    reference: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Carried:
    """What one subtask tells of its results."""

    kind: str
    value: Mapping[str, Any]
    files: list[File] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Return the output's fields; where a reference stood is the file's name."""
        names = {id(file.reference): file.name for file in self.files}
        shown: dict[str, Any] = _named({key: value for key, value in self.value.items() if key != "kind"}, names)
        return shown

    def sets(self) -> list[ResultSet]:
        """Return the result sets in the order of their statements; none unless it is of a script."""
        if self.kind != SQL:
            return []
        found = [_set(one) for one in _list(self.value.get("results")) if isinstance(one, Mapping)]
        return sorted((one for one in found if one is not None), key=lambda one: one.index)


def whole_of(subtask: Subtask) -> Mapping[str, Any] | None:
    """Return the reference of what a subtask tells, None when its event has all of it.

    The detail of a failure may name the whole of what it is the beginning of: `whole`.
    """
    if subtask.problem is None:
        return subtask.output_ref
    whole = (subtask.problem.detail or {}).get("whole")
    return whole if isinstance(whole, Mapping) and _is_reference(whole) else None


def carried(subtask: Subtask, value: Any) -> Carried | None:
    """Return what the subtask tells of results, if anything; `value` is its output, or its problem's detail."""
    if not isinstance(value, Mapping):
        return None
    if subtask.problem is not None:
        kind = _kind_of_failure(value)
        return _carried(kind, value) if kind is not None else None
    kind = value.get("kind")
    if isinstance(kind, str) and kind:
        return _carried(kind, value)
    return _carried(SYNC, value) if isinstance(value.get(SYNC), Mapping) else None


def files_of(value: Any) -> list[File]:
    """Return the files that a value names, each with a name of its own that is safe in a header and on a disk."""
    taken: dict[str, str] = {}
    found: list[File] = []
    for reference in _references(value, _DEPTH):
        if len(found) == MAX_FILES:
            break
        digest, name = str(reference["sha256"]), safe_name(str(reference["object"]))
        stem, count = name, 1
        while taken.get(name, digest) != digest:
            count += 1
            name = f"{count}-{stem}"
        taken[name] = digest
        found.append(File(name, reference))
    return found


def _carried(kind: str, value: Mapping[str, Any]) -> Carried:
    return Carried(kind, value, files_of(value))


def _kind_of_failure(detail: Mapping[str, Any]) -> str | None:
    """Return the kind of what a failure tells, None when it only says why: most details do.

    It tells of results by what they have (counts of objects, result sets with failure records, files), or by a kind
    in small letters, as outputs have it. `SQL_FAILED` and `sql` are one.
    """
    if isinstance(detail.get(SYNC), Mapping):
        return SYNC
    if isinstance(detail.get("results"), list) and isinstance(detail.get("records"), list):
        return SQL
    kind = detail.get("kind")
    if not isinstance(kind, str):
        return None
    if _WORD.fullmatch(kind):
        return kind
    return kind.removesuffix(_FAILED).lower() if kind and files_of(detail) else None


def _set(one: Mapping[str, Any]) -> ResultSet | None:
    index, reference = one.get("index"), one.get("file")
    if type(index) is not int or index < 1 or not isinstance(reference, Mapping) or not _is_reference(reference):
        return None
    columns = [
        {"name": str(column.get("name", "")), "type": str(column.get("type") or "")}
        for column in _list(one.get("columns"))
        if isinstance(column, Mapping)
    ]
    rows = one.get("rows")
    return ResultSet(
        index=index,
        sql=str(one.get("sql", "")),
        columns=columns,
        rows=rows if type(rows) is int and rows > 0 else 0,
        truncated=one.get("truncated") is True,
        reference=reference,
    )


def _references(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if _is_reference(value):
        yield value
    elif depth and isinstance(value, Mapping):
        for child in value.values():
            yield from _references(child, depth - 1)
    elif depth and isinstance(value, list):
        for child in value:
            yield from _references(child, depth - 1)


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == {"object", "bytes", "sha256"}
        and isinstance(value["object"], str)
        and type(value["bytes"]) is int
        and value["bytes"] >= 0
        and isinstance(value["sha256"], str)
    )


def _named(value: Any, names: Mapping[int, str]) -> Any:
    if (name := names.get(id(value))) is not None:
        return name
    if isinstance(value, Mapping):
        return {key: _named(child, names) for key, child in value.items()}
    if isinstance(value, list):
        return [_named(child, names) for child in value]
    return value


def safe_name(name: str) -> str:
    """Return the last part of an object's name, without what a header or a file system would stumble over."""
    last = _UNSAFE.sub("_", name.rstrip("/").rpartition("/")[2]).lstrip(".")
    return last[-_NAME:].lstrip(".") or "file"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
