"""What a table is, as far as rows for it depend on it. Knows no database."""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "integer",
    "decimal",
    "float",
    "boolean",
    "text",
    "date",
    "time",
    "datetime",
    "interval",
    "uuid",
    "json",
    "bytes",
    "inet",
    "mac",
    "array",
    "other",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a column accepts, from its type and from checks that could be read: a list of values, or a range."""

    values: tuple[Any, ...] | None = None
    low: float | None = None
    high: float | None = None
    length: int | None = None
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `left` says that the database fills it: serial, identity, generated."""

    name: str
    kind: Kind
    type: str
    nullable: bool = True
    left: bool = False
    has_default: bool = False
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that must name a row of `parent`."""

    columns: tuple[str, ...]
    schema: str | None
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `keys` are its primary and unique keys, the primary one first."""

    schema: str | None
    name: str
    columns: tuple[Column, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    foreign: tuple[ForeignKey, ...] = ()
    primary: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """The table in messages."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    def column(self, name: str) -> Column | None:
        """Return a column, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def is_self(self, key: ForeignKey) -> bool:
        """Whether a foreign key leads back into this table."""
        return (key.schema, key.parent) == (self.schema, self.name)
