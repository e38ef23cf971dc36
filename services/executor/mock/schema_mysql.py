"""What a table of MySQL or MariaDB is, from the information schema."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.executor.fault import PermanentFault
from services.executor.mock.checks import narrowed
from services.executor.mock.kinds import kind_of
from services.executor.mock.schema import Column, ForeignKey, Table

if TYPE_CHECKING:
    from services.executor.mock.session import Session

_TABLE = """
SELECT table_schema, table_name, t.engine, e.transactions FROM information_schema.tables t
LEFT JOIN information_schema.engines e ON e.engine = t.engine
WHERE table_schema = %s AND table_name = %s AND table_type = 'BASE TABLE'"""
_COLUMNS = """
SELECT column_name, column_type, is_nullable = 'YES', extra, column_default IS NOT NULL FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"""
_KEYS = """
SELECT index_name, column_name FROM information_schema.statistics
WHERE table_schema = %s AND table_name = %s AND non_unique = 0
ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index"""
_FOREIGN = """
SELECT constraint_name, column_name, referenced_table_schema, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage WHERE table_schema = %s AND table_name = %s
AND referenced_table_name IS NOT NULL ORDER BY constraint_name, ordinal_position"""
_HAS_CHECKS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'information_schema' AND table_name = 'CHECK_CONSTRAINTS'"""
_CHECKS_MARIADB = """
SELECT check_clause FROM information_schema.check_constraints WHERE constraint_schema = %s AND table_name = %s"""
_CHECKS_MYSQL = """
SELECT c.check_clause FROM information_schema.check_constraints c JOIN information_schema.table_constraints t
ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name
WHERE t.table_schema = %s AND t.table_name = %s AND t.constraint_type = 'CHECK'"""
_JSON = re.compile(r"^\(?json_valid\(`[^`]+`\)\)?$", re.IGNORECASE)


def inspect(session: "Session", schema: str | None, name: str) -> Table:
    """Read table, columns, keys, foreign keys and checks. Raises `PermanentFault` when there is no such table."""
    schema = schema or session.target.database
    if not schema:
        raise PermanentFault(
            f"{session.target.where} names no database: name one in the connection's URL, or give the table a schema."
        )
    found = session.run(_TABLE, (schema, name))
    if not found:
        sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s ORDER BY 1 LIMIT 21"
        raise session.missing(f"{schema}.{name}", [row[0] for row in session.run(sql, (schema,))])
    *place, engine, transactions = found[0]
    if transactions != "YES":
        raise PermanentFault(
            f"Table {schema}.{name} is kept by {engine}, which knows no transactions, so a failure would leave half of"
            " the rows: ALTER TABLE … ENGINE = InnoDB first.",
            {"kind": "NO_TRANSACTIONS", "table": f"{schema}.{name}", "engine": engine},
        )
    checks = list(_checks(session, place))
    keys = _grouped(session.run(_KEYS, place))
    foreign = _grouped(session.run(_FOREIGN, place))
    return Table(
        schema=place[0],
        name=place[1],
        columns=tuple(_column(row, checks) for row in session.run(_COLUMNS, place)),
        keys=tuple(tuple(row[0] for row in rows) for rows in keys.values()),
        foreign=tuple(
            ForeignKey(tuple(row[0] for row in rows), rows[0][1], rows[0][2], tuple(row[3] for row in rows))
            for rows in foreign.values()
        ),
        primary=tuple(row[0] for row in keys.get("PRIMARY", [])),
    )


def _grouped(rows: list[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    groups: dict[str, list[tuple[Any, ...]]] = {}
    for name, *rest in rows:
        groups.setdefault(name, []).append(tuple(rest))
    return groups


def _checks(session: "Session", place: list[Any]) -> Iterator[tuple[str, str]]:
    """Give column and text of every check that is about one column."""
    columns = {str(row[0]).lower() for row in session.run(_HAS_CHECKS)}
    if not columns:
        return
    for (text,) in session.run(_CHECKS_MARIADB if "table_name" in columns else _CHECKS_MYSQL, place):
        names = set(re.findall(r"`([^`]+)`", re.sub(r"'(?:[^']|'')*'", "", text)))
        if len(names) == 1:
            yield names.pop(), text


def _column(row: tuple[Any, ...], checks: list[tuple[str, str]]) -> Column:
    name, spelled, nullable, extra, has_default = row
    kind, limits = kind_of(spelled)
    if spelled.lower().startswith(("enum(", "set(")):
        labels = tuple(label.replace("''", "'") for label in re.findall(r"'((?:[^']|'')*)'", spelled))
        kind, limits = "text", replace(limits, values=labels, length=None)
    for about, text in checks:
        if about == name and _JSON.match(text):
            kind = "json"
        elif about == name:
            limits = narrowed(limits, name, text)
    words = extra.lower()
    return Column(
        name=name,
        kind=kind,
        type=spelled,
        nullable=bool(nullable),
        left="auto_increment" in words or "generated" in words.replace("default_generated", ""),
        has_default=bool(has_default),
        limits=limits,
    )
