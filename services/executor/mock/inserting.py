"""Databases without COPY: INSERT of many rows at once, with the database's own words for conflicts."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from services.executor.mock.params import Strategy
from services.executor.mock.part import Recipe
from services.executor.mock.schema import Table
from services.executor.mock.session import Counts, Session


class Inserting(Session):
    """A session that inserts; how many rows conflicted is how many fewer there are in the end than were sent."""

    def open(self, table: Table, recipe: Recipe, strategy: Strategy) -> None:
        """Make the statement."""
        super().open(table, recipe, strategy)
        columns = recipe.columns
        places = ", ".join([self.mark] * len(columns))
        # VALUES stands right before the places: PyMySQL looks for that to send many rows in one statement
        insert = f"INSERT INTO {self.name(table.schema, table.name)} ({self.names(columns)}) VALUES ({places})"  # noqa: S608
        key = self.arbiter(table, columns)
        meets = strategy != "TERMINATE" and bool(table.keys)
        others = [column for column in columns if column not in (key or ())]
        tail = self.on_conflict(strategy, key, columns, others) if meets else ""
        self._sql = f"{insert} {tail}".strip()
        self._before = self.count(table) if meets else None

    @abstractmethod
    def on_conflict(
        self, strategy: Strategy, key: tuple[str, ...] | None, columns: Sequence[str], others: Sequence[str]
    ) -> str:
        """Return the end of an INSERT that leaves or overwrites what is there."""

    def send(self, columns: Sequence[Sequence[Any]], count: int) -> None:  # noqa: ARG002 - the port's signature
        """Insert a batch."""
        cursor = self.raw.cursor()
        try:
            cursor.executemany(self._sql, list(zip(*columns, strict=True)))
        finally:
            cursor.close()

    def finish(self, total: int) -> Counts:
        """Count what is there now."""
        if self._before is None or self._table is None:
            return Counts(total)
        conflicting = total - (self.count(self._table) - self._before)
        if self._strategy == "IGNORE":
            return Counts(total - conflicting, conflicting, conflicting)
        return Counts(total, conflicting)
