"""The recipe of a table: which streams make its rows, so that keys, foreign keys and rules all hold.

Whatever cannot hold is refused here, before a row is written: too few different values for a key, no rows to refer
to, a rule that does not fit. Everything follows from seed, table and rule (and from the rows that are referred to).
"""

from collections.abc import Callable, Sequence
from random import Random

from services.executor.fault import PermanentFault
from services.executor.mock import draw
from services.executor.mock.field import check_names, made
from services.executor.mock.params import ColumnRule, TableRule
from services.executor.mock.part import Facts, Part, Recipe
from services.executor.mock.schema import Column, ForeignKey, Table
from services.executor.mock.spaces import Integers, Listed
from services.executor.mock.stream import Field, Nothing, Nulls, Stream
from services.executor.mock.wanted import Wanted

MOST_PARENTS = 100_000
"""So many rows of another table are referred to, the first by key; a unique reference gets as many as it needs."""


class Maker:
    """Makes one recipe."""

    def __init__(self, table: Table, rule: TableRule, seed: int, locale: str, facts: Facts) -> None:
        self._table, self._rule, self._seed, self._locale, self._facts = table, rule, seed, locale, facts
        self._parts: list[Part] = []
        self._of: dict[str, Part] = {}
        self._words: dict[str, str] = {}
        self._notes: list[str] = []

    def recipe(self) -> Recipe:
        """Return it. Raises `PermanentFault` with table, column, and what to do."""
        check_names(self._table, self._rule.columns)
        for key in sorted(self._table.foreign, key=lambda key: -len(key.columns)):
            self._refer(key)
        for column in self._table.columns:
            if column.name not in self._words:
                self._fill(column)
        if not self._of:
            self._words_for_nothing()
        for names in self._table.keys:
            self._keep_unique(names)
        streams = tuple(self._stream(part) for part in self._parts)
        filled = tuple(each.column for stream in streams for each in stream.fields)
        order = {column.name: self._words[column.name] for column in self._table.columns}
        return Recipe(streams, filled, order, tuple(self._notes))

    def _refer(self, key: ForeignKey) -> None:
        rules = [self._rule.columns.get(name) for name in key.columns]
        own = any(rule and (rule.generator not in {None, "reference"} or rule.values or rule.pattern) for rule in rules)
        if own or any(name in self._words for name in key.columns):
            return
        rule = next((rule for rule in rules if rule), None) or ColumnRule()
        unique = rule.unique or tuple(sorted(key.columns)) in {tuple(sorted(names)) for names in self._table.keys}
        found = self._facts.parents(
            self._table,
            key,
            max(MOST_PARENTS, self._rule.total) if unique else MOST_PARENTS,
            unused=unique and not self._rule.truncate,
        )
        columns = [column for column in self._table.columns if column.name in key.columns]
        where = f"{key.schema}.{key.parent}" if key.schema else key.parent
        optional = all(column.nullable for column in columns)
        if found:
            spaces = tuple(Listed(values) for values in zip(*found, strict=True))
            self._add(Part(key.columns, spaces, rule, self._null_ratio(columns, rule)), f"reference {where}")
        elif optional:
            self._notes.append(f"{', '.join(key.columns)}: NULL, since {where} has no rows to refer to")
            self._add(Part(key.columns, tuple(Nothing() for _ in key.columns), ColumnRule()), "null")
        else:
            taken = " that is not referred to yet" if unique else ""
            raise PermanentFault(
                f"Column {self._table.label}.{', '.join(key.columns)} must refer to a row of {where}, and there is none"
                f"{taken}: fill {where} first, for example by naming it before {self._table.name} in the same task.",
                {"kind": "NO_PARENT_ROWS", "table": self._table.label, "parent": where},
            )
        if unique and found:
            self._of[key.columns[0]].distinct = True
            self._check_room(self._of[key.columns[0]], key.columns)

    def _fill(self, column: Column) -> None:
        rule = self._rule.columns.get(column.name)
        single = (column.name,) in self._table.keys
        said = rule.generator if rule else None
        rule = rule or ColumnRule()
        wanted = Wanted(self._table.label, column, rule, self._locale)
        if said == "default" or (column.left and column.name not in self._rule.columns):
            if not (column.left or column.has_default or column.nullable):
                raise wanted.unfit("it must have a value and has no default; generator 'default' cannot be used.")
            self._words[column.name] = "default"
        elif said == "null":
            if not column.nullable:
                raise wanted.unfit("it must have a value; generator 'null' cannot be used.")
            self._add(Part((column.name,), (Nothing(),), ColumnRule()), "null")
        elif said == "reference":
            raise wanted.unfit("generator 'reference' is for columns with a foreign key, and it has none.")
        elif said == "sequence" or (rule == ColumnRule() and column.kind == "integer" and self._is_number(column)):
            self._count(column, rule)
        elif (found := made(wanted, unique=single or rule.unique)) is None:
            self._words[column.name] = "default"
        else:
            part = Part((column.name,), (found.space,), rule, self._null_ratio((column,), rule))
            self._add(part, found.generator)
            if rule.unique:
                self._keep_unique((column.name,))

    def _is_number(self, column: Column) -> bool:
        """Whether a column is an integer key that nothing else fills: it counts up."""
        return (column.name,) in self._table.keys and column.limits.values is None

    def _count(self, column: Column, rule: ColumnRule) -> None:
        wanted = Wanted(self._table.label, column, rule, self._locale)
        if column.kind not in {"integer", "decimal", "text"}:
            raise wanted.unfit("generator 'sequence' counts; it does not fit this type.")
        number = column.kind == "integer"
        start = rule.start
        if start is None:
            start = self._facts.largest(self._table, column.name) + 1 if number and not self._rule.truncate else 1
        last = start + self._rule.total - 1
        if column.limits.high is not None and last > column.limits.high:
            raise wanted.unfit(f"counting from {start} it would reach {last}; at most {column.limits.high:g} fits.")
        part = Part((column.name,), (Integers(start, last),), rule, distinct=True, counted=True)
        self._add(part, "sequence")

    def _null_ratio(self, columns: Sequence[Column], rule: ColumnRule) -> float:
        ratio = rule.null_ratio or 0.0
        for column in columns:
            if ratio and (not column.nullable or column.name in self._table.primary):
                wanted = Wanted(self._table.label, column, rule, self._locale)
                raise wanted.unfit("it must have a value; take null_ratio out.")
        return ratio

    def _add(self, part: Part, words: str) -> None:
        self._parts.append(part)
        for name in part.columns:
            self._of[name] = part
            self._words[name] = words

    def _words_for_nothing(self) -> None:
        raise PermanentFault(
            f"Table {self._table.label} leaves all of its columns to the database; name one to fill.",
            {"kind": "NOTHING_TO_FILL", "table": self._table.label},
        )

    def _keep_unique(self, key: tuple[str, ...]) -> None:
        """Make one part of the key distinct, or join its parts so that no combination comes twice."""
        if any(name not in self._of for name in key):
            return  # the database's own numbers are in it
        parts = list({id(self._of[name]): self._of[name] for name in key}.values())
        if any(part.distinct and set(part.columns) <= set(key) for part in parts):
            return
        if any(isinstance(space, Nothing) for part in parts for space in part.spaces):
            return  # NULL never equals NULL
        if any(part.distinct or not set(part.columns) <= set(key) for part in parts):
            raise PermanentFault(
                f"Table {self._table.label}: key ({', '.join(key)}) overlaps with another one in a way that cannot be"
                " kept: give one of its columns generator 'sequence' or a rule with unique.",
                {"kind": "KEY_TOO_HARD", "table": self._table.label, "columns": list(key)},
            )
        first, *others = parts
        for other in others:
            self._parts.remove(other)
        first.joined = others
        first.distinct = True
        first.columns = tuple(name for part in parts for name in part.columns)
        for name in first.columns:
            self._of[name] = first
        self._check_room(first, key)

    def _check_room(self, part: Part, key: tuple[str, ...]) -> None:
        parts = [part, *part.joined]
        room = 1
        for each in parts:
            room *= each.size
            if each.rule.distribution != "uniform" or each.rule.weights:
                raise PermanentFault(
                    f"Column {self._table.label}.{', '.join(key)}: it must be unique, so a distribution or weights make"
                    " no sense; take them out.",
                    {"kind": "GENERATOR_UNFIT", "table": self._table.label, "column": key[0]},
                )
        if room < self._rule.total:
            named = [
                f"{', '.join(each.columns[: len(each.spaces)])} ({self._words[each.columns[0]]})" for each in parts
            ]
            gives = " with ".join(named) if part.joined else f"generator '{self._words[part.columns[0]]}'"
            raise PermanentFault(
                f"Table {self._table.label}: {', '.join(key)} must be unique, and {gives} can give only {room:,}"
                f" different values for {self._rule.total:,} rows: ask for at most {room:,} rows, or give it another"
                " generator (a wider range, more values, a longer pattern).",
                {
                    "kind": "NOT_ENOUGH_VALUES",
                    "table": self._table.label,
                    "columns": list(key),
                    "distinct": room,
                    "needed": self._rule.total,
                },
            )

    def _stream(self, part: Part) -> Stream:
        parts = [part, *part.joined]
        fields: list[Field] = []
        over = 1
        for each in parts:
            names = each.columns[: len(each.spaces)]
            nulls = Nulls(self._random(names, "nulls"), each.nulls) if each.nulls else None
            fields += [Field(name, space, over, nulls) for name, space in zip(names, each.spaces, strict=True)]
            over *= each.size
        return Stream(tuple(fields), self._draw(part, over), over)

    def _draw(self, part: Part, size: int) -> draw.Draw:
        if part.counted:
            return draw.Counting()
        random = self._random(part.columns, "values")
        if part.distinct:
            return draw.Distinct(random, size)
        if part.rule.weights:
            return draw.Weighted(random, part.rule.weights)
        by_word: dict[str, Callable[[Random, int], draw.Draw]] = {
            "uniform": draw.Uniform,
            "normal": draw.Normal,
            "zipf": draw.zipf,
        }
        return by_word[part.rule.distribution](random, size)

    def _random(self, columns: Sequence[str], purpose: str) -> Random:
        return Random(f"{self._seed}/{self._table.name}/{','.join(columns)}/{purpose}")  # noqa: S311 - repeatable
