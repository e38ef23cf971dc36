"""What a table of SQLite is, from its pragmas; checks from the text that created it."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from services.executor.mock.checks import narrowed
from services.executor.mock.kinds import kind_of
from services.executor.mock.schema import Column, ForeignKey, Table

if TYPE_CHECKING:
    from services.executor.mock.session import Session

_HIDDEN_GENERATED = (2, 3)


def inspect(session: "Session", schema: str | None, name: str) -> Table:
    """Read table, columns, keys, foreign keys and checks. Raises `PermanentFault` when there is no such table."""
    known = session.run(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
    )
    found = next(((real, sql) for real, sql in known if real.lower() == name.lower()), None)
    if found is None or schema not in {None, "main"}:
        raise session.missing(f"{schema}.{name}" if schema else name, [real for real, _ in known])
    real, sql = found
    rows = session.run(f"PRAGMA table_xinfo({session.name(real)})")
    primary = tuple(row[1] for row in sorted((row for row in rows if row[5]), key=lambda row: int(row[5])))
    alias = primary[0] if len(primary) == 1 and _is_rowid(rows, primary[0], sql) else None
    names = [row[1] for row in rows]
    checks = [(column, text) for text in _checks(sql) if (column := _only(text, names))]
    columns = []
    for _, column, spelled, required, default, key, hidden in rows:
        kind, limits = kind_of(spelled) if spelled else ("text", kind_of("text")[1])
        for about, text in checks:
            if about == column:
                limits = narrowed(limits, column, text)
        columns.append(
            Column(
                name=column,
                kind=kind,
                type=spelled or "any",
                nullable=not required and not key,
                left=hidden in _HIDDEN_GENERATED or column == alias,
                has_default=default is not None,
                limits=limits,
            )
        )
    return Table(
        None, real, tuple(columns), tuple(_keys(session, real, primary)), tuple(_foreign(session, real)), primary
    )


def _is_rowid(rows: list[tuple[object, ...]], column: str, sql: str) -> bool:
    spelled = next(str(row[2]) for row in rows if row[1] == column)
    return spelled.upper() == "INTEGER" and not re.search(r"WITHOUT\s+ROWID", sql, re.IGNORECASE)


def _keys(session: "Session", table: str, primary: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if primary:
        yield primary
    for _, index, unique, origin, partial in session.run(f"PRAGMA index_list({session.name(table)})"):
        if unique and not partial and origin != "pk":
            columns = [row[2] for row in session.run(f"PRAGMA index_info({session.name(index)})")]
            if all(columns):
                yield tuple(columns)


def _foreign(session: "Session", table: str) -> Iterator[ForeignKey]:
    groups: dict[int, list[tuple[object, ...]]] = {}
    for row in session.run(f"PRAGMA foreign_key_list({session.name(table)})"):
        groups.setdefault(row[0], []).append(row)
    for rows in groups.values():
        rows.sort(key=lambda row: int(str(row[1])))
        parent = str(rows[0][2])
        theirs = tuple(str(row[4]) for row in rows if row[4] is not None)
        if not theirs:  # the parent's primary key is meant
            keys = session.run(f"PRAGMA table_info({session.name(parent)})")
            theirs = tuple(row[1] for row in sorted((row for row in keys if row[5]), key=lambda row: int(row[5])))
        yield ForeignKey(tuple(str(row[3]) for row in rows), None, parent, theirs)


def _checks(sql: str) -> Iterator[str]:
    for found in re.finditer(r"\bCHECK\s*\(", sql, re.IGNORECASE):
        depth, at = 1, found.end()
        while depth and at < len(sql):
            depth += {"(": 1, ")": -1}.get(sql[at], 0)
            at += 1
        yield sql[found.end() : at - 1]


def _only(text: str, names: list[str]) -> str | None:
    """Return the one column that a check is about, or None."""
    words = {word.lower() for word in re.findall(r"[A-Za-z_]\w*", re.sub(r"'(?:[^']|'')*'", "", text))}
    about = [name for name in names if name.lower() in words]
    return about[0] if len(about) == 1 else None
