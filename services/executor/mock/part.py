"""What a recipe is made of, and what making it asks of the database."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from services.executor.mock.params import ColumnRule
from services.executor.mock.schema import ForeignKey, Table
from services.executor.mock.stream import Stream


class Facts(Protocol):
    """What only the database knows."""

    def parents(self, table: Table, key: ForeignKey, most: int, *, unused: bool) -> list[tuple[Any, ...]]:
        """Return keys of the referred table in their order; `unused`: only such as no row of `table` names yet."""

    def largest(self, table: Table, column: str) -> int:
        """Return the largest number in a column, 0 without any."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The streams, and in words which column comes from where."""

    streams: tuple[Stream, ...]
    columns: tuple[str, ...]
    generators: dict[str, str]
    notes: tuple[str, ...]


@dataclass(slots=True)
class Part:
    """Columns that go together while the recipe is made; `distinct`: no combination of their values comes twice."""

    columns: tuple[str, ...]
    spaces: tuple[Any, ...]
    rule: ColumnRule
    nulls: float = 0.0
    distinct: bool = False
    counted: bool = False
    joined: list["Part"] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many different values there are."""
        return int(self.spaces[0].size)
