"""What a table of PostgreSQL is, from its catalogue."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.executor.mock.checks import narrowed
from services.executor.mock.kinds import kind_of
from services.executor.mock.schema import Column, ForeignKey, Table

if TYPE_CHECKING:
    from services.executor.mock.session import Session

_TABLE = """
SELECT c.oid, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = %s AND c.relkind IN ('r', 'p') AND CASE WHEN %s = '' THEN pg_table_is_visible(c.oid)
ELSE n.nspname = %s END"""
_TABLES = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 1 LIMIT 21"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull OR t.typnotnull,
  a.attidentity <> '' OR a.attgenerated <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%%', false),
  a.atthasdef, CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
  ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid IN (a.atttypid, t.typbasetype) ORDER BY enumsortorder)::text[],
  ARRAY(SELECT pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contypid = a.atttypid AND contypid <> 0 AND contype = 'c')::text[]
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_KEYS = """
SELECT indisprimary, ARRAY(SELECT attname FROM unnest(indkey::int2[]) WITH ORDINALITY k(num, place)
  JOIN pg_attribute ON attrelid = indrelid AND attnum = num WHERE place <= indnkeyatts ORDER BY place)::text[]
FROM pg_index WHERE indrelid = %s AND indisunique AND indpred IS NULL AND indexprs IS NULL
ORDER BY NOT indisprimary, indexrelid"""
_FOREIGN = """
SELECT ARRAY(SELECT attname FROM unnest(conkey) WITH ORDINALITY k(num, place)
    JOIN pg_attribute ON attrelid = conrelid AND attnum = num ORDER BY place)::text[], n.nspname, c.relname,
  ARRAY(SELECT attname FROM unnest(confkey) WITH ORDINALITY k(num, place)
    JOIN pg_attribute ON attrelid = confrelid AND attnum = num ORDER BY place)::text[]
FROM pg_constraint JOIN pg_class c ON c.oid = confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE conrelid = %s AND contype = 'f' ORDER BY conname"""
_CHECKS = """
SELECT attname, pg_get_constraintdef(k.oid) FROM pg_constraint k
JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
WHERE conrelid = %s AND contype = 'c' AND cardinality(conkey) = 1"""


def inspect(session: "Session", schema: str | None, name: str) -> Table:
    """Read table, columns, keys, foreign keys and checks. Raises `PermanentFault` when there is no such table."""
    found = session.run(_TABLE, (name, schema or "", schema or ""))
    if not found:
        label = f"{schema}.{name}" if schema else name
        raise session.missing(label, [row[0] for row in session.run(_TABLES)])
    oid, space = found[0]
    checks = [(column, text) for column, text in session.run(_CHECKS, (oid,))]
    keys = session.run(_KEYS, (oid,))
    return Table(
        schema=space,
        name=name,
        columns=tuple(_column(row, checks) for row in session.run(_COLUMNS, (oid,))),
        keys=tuple(tuple(columns) for _, columns in keys),
        foreign=tuple(
            ForeignKey(tuple(mine), their_schema, parent, tuple(theirs))
            for mine, their_schema, parent, theirs in session.run(_FOREIGN, (oid,))
        ),
        primary=next((tuple(columns) for primary, columns in keys if primary), ()),
    )


def _column(row: tuple[Any, ...], checks: list[tuple[str, str]]) -> Column:
    name, spelled, required, left, has_default, base, labels, domain = row
    kind, limits = kind_of(base or spelled)
    if labels:
        kind, limits = "text", replace(limits, values=tuple(labels))
    for text in domain:
        limits = narrowed(limits, name, re.sub(r"\bVALUE\b", name, text))
    for column, text in checks:
        if column == name:
            limits = narrowed(limits, name, text)
    return Column(
        name=name,
        kind=kind,
        type=spelled,
        nullable=not required,
        left=bool(left),
        has_default=bool(has_default),
        limits=limits,
    )
