"""A database as the filling of tables needs it: the port, and what is the same in all of them.

Everything blocks and belongs to one thread, but `interrupt`. All statements but `prepare`'s stand in one transaction.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from services.executor.fault import Fault, PermanentFault
from services.executor.mock.params import Strategy
from services.executor.mock.part import Recipe
from services.executor.mock.schema import ForeignKey, Table
from services.executor.sql.target import Target

MARKS = "opsledger_mock_runs"
"""The table beside the filled ones that says which subtasks were committed; written in the same transaction."""
KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows: `conflicting` had a key that was there, `ignored` of them were left out."""

    written: int
    conflicting: int = 0
    ignored: int = 0


class Session(ABC):
    """One connection."""

    mark: ClassVar[str] = "%s"
    quote: ClassVar[str] = '"'
    engine: ClassVar[str] = ""
    old: ClassVar[str]
    """The condition that finds marks nobody needs any more."""

    def __init__(self, raw: Any, target: Target) -> None:
        self.raw, self.target = raw, target
        self._table: Table | None = None
        self._recipe: Recipe | None = None
        self._strategy: Strategy = "TERMINATE"

    @abstractmethod
    def inspect(self, schema: str | None, name: str) -> Table:
        """Return what the table is. Raises `PermanentFault` when there is none."""

    @abstractmethod
    def begin(self) -> None:
        """Begin the one transaction; locks are waited for so many seconds, not for ever."""

    @abstractmethod
    def send(self, columns: Sequence[Sequence[Any]], count: int) -> None:
        """Put a batch in, column by column in the order of the recipe."""

    @abstractmethod
    def finish(self, total: int) -> Counts:
        """Bring what was sent to its end."""

    @abstractmethod
    def interrupt(self) -> None:
        """End the running statement; from any thread. Raises what the driver raises."""

    @abstractmethod
    def fault(self, error: Exception, table: str) -> Fault | None:
        """Return what the driver's error means, or None when it is not one of the driver's."""

    def open(self, table: Table, recipe: Recipe, strategy: Strategy) -> None:
        """Get ready for batches."""
        self._table, self._recipe, self._strategy = table, recipe, strategy

    @property
    def streams(self) -> Recipe:
        """The recipe in the form that `send` takes."""
        if self._recipe is None:
            raise RuntimeError("open comes first")
        return self._recipe

    def commit(self) -> None:
        """Make it last."""
        self.run("COMMIT")

    def rollback(self) -> None:
        """Take everything back."""
        self.run("ROLLBACK")

    def close(self) -> None:
        """End the connection; the server takes back what was not committed."""
        self.raw.close()

    def run(self, sql: str, args: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        cursor = self.raw.cursor()
        try:
            cursor.execute(sql, args) if args else cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()

    def change(self, sql: str, args: Sequence[Any] = ()) -> int:
        """Run one statement and return how many rows it changed."""
        cursor = self.raw.cursor()
        try:
            cursor.execute(sql, args) if args else cursor.execute(sql)
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def name(self, *parts: str | None) -> str:
        """Return a quoted name."""
        return ".".join(self.quote + part.replace(self.quote, self.quote * 2) + self.quote for part in parts if part)

    def names(self, columns: Sequence[str]) -> str:
        """Return quoted names, separated by commas."""
        return ", ".join(self.name(column) for column in columns)

    def count(self, table: Table) -> int:
        """Return how many rows there are."""
        return int(self.run(f"SELECT count(*) FROM {self.name(table.schema, table.name)}")[0][0])  # noqa: S608 - quoted

    def clear(self, table: Table) -> int:
        """Delete all rows, in the transaction; return how many."""
        return self.change(f"DELETE FROM {self.name(table.schema, table.name)}")  # noqa: S608 - quoted

    def parents(self, table: Table, key: ForeignKey, most: int, *, unused: bool) -> list[tuple[Any, ...]]:
        """Return keys of the referred table in their order; `unused`: only such as no row of `table` names yet."""
        pairs = list(zip(key.columns, key.parent_columns, strict=True))
        theirs = [f"p.{self.name(column)}" for column in key.parent_columns]
        where = [f"{column} IS NOT NULL" for column in theirs]
        if unused:
            same = " AND ".join(f"c.{self.name(mine)} = p.{self.name(their)}" for mine, their in pairs)
            where.append(f"NOT EXISTS (SELECT 1 FROM {self.name(table.schema, table.name)} c WHERE {same})")  # noqa: S608
        listed = ", ".join(theirs)
        sql = (
            f"SELECT {listed} FROM {self.name(key.schema, key.parent)} p WHERE {' AND '.join(where)} ORDER BY {listed}"  # noqa: S608
        )
        return self.run(f"{sql} LIMIT {most}")

    def largest(self, table: Table, column: str) -> int:
        """Return the largest number in a column, 0 without any."""
        sql = f"SELECT max({self.name(column)}) FROM {self.name(table.schema, table.name)}"  # noqa: S608 - quoted
        return max(0, int(self.run(sql)[0][0] or 0))

    @staticmethod
    def arbiter(table: Table, columns: Sequence[str]) -> tuple[str, ...] | None:
        """Return the key that OVERWRITE goes by: the first one, the primary before others, that is filled whole."""
        return next((key for key in table.keys if set(key) <= set(columns)), None)

    def marks(self, table: Table) -> str:
        """Return the name of the table of marks beside this one."""
        return self.name(table.schema, MARKS)

    def prepare(self, table: Table) -> None:
        """Make the table of marks if it is not there; outside of the transaction."""
        sql = "(subtask varchar(64) PRIMARY KEY, made_at timestamp DEFAULT CURRENT_TIMESTAMP, output text)"
        self.run(f"CREATE TABLE IF NOT EXISTS {self.marks(table)} {sql} {self.engine}".rstrip())

    def forget(self, table: Table, subtask: str) -> None:
        """Remove the mark of a subtask that never ran (numbers begin anew in a new installation), and old ones.

        One by one: a DELETE that looks at all rows would wait for those that others are writing.
        """
        old = self.run(f"SELECT subtask FROM {self.marks(table)} WHERE {self.old}")  # noqa: S608 - quoted
        for (name,) in [(subtask,), *old]:
            self.change(f"DELETE FROM {self.marks(table)} WHERE subtask = {self.mark}", (name,))  # noqa: S608

    def done(self, table: Table, subtask: str) -> str | None:
        """Return what a subtask committed before, as it was kept, or None."""
        found = self.run(f"SELECT output FROM {self.marks(table)} WHERE subtask = {self.mark}", (subtask,))  # noqa: S608
        return str(found[0][0]) if found else None

    def claim(self, table: Table, subtask: str) -> None:
        """Set the mark; another transaction of the same subtask waits here, and fails if this one commits."""
        self.change(f"INSERT INTO {self.marks(table)} (subtask) VALUES ({self.mark})", (subtask,))  # noqa: S608

    def keep(self, table: Table, subtask: str, output: str) -> None:
        """Keep with the mark what there is to report."""
        sql = f"UPDATE {self.marks(table)} SET output = {self.mark} WHERE subtask = {self.mark}"  # noqa: S608
        self.change(sql, (output, subtask))

    def missing(self, name: str, known: Sequence[str]) -> PermanentFault:
        """Return that there is no such table, with the ones there are."""
        there = ", ".join(known[:20]) or "no table"
        return PermanentFault(
            f"There is no table '{name}' on {self.target.where}; there is {there}.",
            {"kind": "NO_SUCH_TABLE", "table": name},
        )
