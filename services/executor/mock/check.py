"""The look before the first row: every table, rule and key, in the order they will be filled. Writes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.executor.fault import PermanentFault
from services.executor.mock.fill import Tell, refuse_missing
from services.executor.mock.params import TableRule
from services.executor.mock.recipe import Maker
from services.executor.mock.schema import ForeignKey, Table
from services.executor.mock.session import Session


class _Expected:
    """What the database will know when it is a table's turn: the rows there are, and those of the tables before it."""

    def __init__(self, session: Session, rule: TableRule, coming: Mapping[tuple[str | None, str], TableRule]) -> None:
        self._session, self._rule, self._coming = session, rule, coming

    def parents(self, table: Table, key: ForeignKey, most: int, *, unused: bool) -> list[tuple[Any, ...]]:
        rule = self._coming.get((key.schema, key.parent))
        if table.is_self(key) and self._rule.truncate:
            return []
        if rule is None:
            return self._session.parents(table, key, most, unused=unused)
        there = [] if rule.truncate else self._session.parents(table, key, most, unused=unused)
        made = min(rule.total, max(0, most - len(there)))
        return [*there, *((f"new {number}",) * len(key.columns) for number in range(made))]

    def largest(self, table: Table, column: str) -> int:
        return self._session.largest(table, column)


def check(
    session: Session, rules: Sequence[TableRule], before: Mapping[str, Sequence[str]], locale: str, tell: Tell
) -> dict[str, Any]:
    """Return which generator fills which column. Raises the fault that the first table which cannot be filled has."""
    try:
        return _check(session, rules, before, locale)
    except Exception as error:
        fault = session.fault(error, "the tables")
        if fault is None or tell.stop.is_set():
            raise
        raise fault from None


def _check(
    session: Session, rules: Sequence[TableRule], before: Mapping[str, Sequence[str]], locale: str
) -> dict[str, Any]:
    tables = refuse_missing(session, rules)
    labels = {rule.label: table for rule, table in zip(rules, tables, strict=True)}
    report: dict[str, Any] = {}
    for rule, table in zip(rules, tables, strict=True):
        earlier = _all_before(rule.label, before)
        coming = {
            (labels[other.label].schema, labels[other.label].name): other for other in rules if other.label in earlier
        }
        for key in table.foreign:
            late = next(
                (r for r, t in zip(rules, tables, strict=True) if (t.schema, t.name) == (key.schema, key.parent)), None
            )
            if late is None or late.label in earlier or table.is_self(key):
                continue
            if not all((column := table.column(name)) and column.nullable for name in key.columns):
                raise PermanentFault(
                    f"{rule.label} refers to {late.label} ({', '.join(key.columns)}), which comes after it: name"
                    f" {late.label} before {rule.label} ({_order(rules, tables)}), or write after: ['{late.label}']"
                    f" beside {rule.label}.",
                    {"kind": "WRONG_ORDER", "table": rule.label, "parent": late.label},
                )
        recipe = Maker(table, rule, 0, locale, _Expected(session, rule, coming)).recipe()
        report[table.label] = {"rows": rule.total, "columns": recipe.generators, "notes": list(recipe.notes)}
    return {"kind": "mock_check", "tables": report}


def _order(rules: Sequence[TableRule], tables: Sequence[Table]) -> str:
    """Return the tables in an order that keeps parents before children, as far as there is one."""
    left, ordered = dict(enumerate(tables)), list[str]()
    while left:
        waiting = {(table.schema, table.name) for table in left.values()}
        free = [
            place
            for place, table in left.items()
            if all(table.is_self(key) or (key.schema, key.parent) not in waiting for key in table.foreign)
        ]
        for place in free or list(left):
            ordered.append(rules[place].label)
            del left[place]
    return "in the order " + ", ".join(ordered)


def _all_before(label: str, before: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(before.get(label, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += before.get(name, ())
    return found
