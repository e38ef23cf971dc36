"""What a generator is told: the column, its rule, the language; and how it says that they do not fit."""

from dataclasses import dataclass

from services.executor.fault import PermanentFault
from services.executor.mock.params import ColumnRule
from services.executor.mock.pools import ascii_pool, pool
from services.executor.mock.schema import Column


@dataclass(frozen=True, slots=True)
class Wanted:
    """A column, its rule, the language, and for messages the table."""

    table: str
    column: Column
    rule: ColumnRule
    locale: str

    def unfit(self, why: str) -> PermanentFault:
        """Return what is wrong, with where and what can be done."""
        where = f"{self.table}.{self.column.name} ({self.column.type})"
        return PermanentFault(
            f"Column {where}: {why}", {"kind": "GENERATOR_UNFIT", "table": self.table, "column": self.column.name}
        )

    def texts(self, kind: str) -> tuple[str, ...]:
        """Return the pool of a kind in the task's language."""
        return pool(kind, self.locale)

    def latin(self, kind: str) -> tuple[str, ...]:
        """Return the pool of a kind in lower-case ASCII."""
        return ascii_pool(kind, self.locale)
