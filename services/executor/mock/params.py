"""What may be asked of `data.mock`: tables, rows, columns and how conflicts are met. Only words and their bounds."""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, StringConstraints, model_validator

from services.executor.operations.contract import Params

MAX_ROWS = 1_000_000
MAX_BATCH = 1000

Strategy = Literal["IGNORE", "OVERWRITE", "TERMINATE"]
Distribution = Literal["uniform", "normal", "zipf"]
Word = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Bound = Annotated[float, Field(allow_inf_nan=False)] | Annotated[str, StringConstraints(max_length=40)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]{2})?$")]
Seed = Annotated[int, Field(ge=0, le=2**53)]


class ColumnRule(Params):
    """How one column is filled; what is left out follows from the column's name and type."""

    generator: Word | None = Field(default=None, description="email, integer, choice …; see docs/tasks/data.mock.md.")
    null_ratio: Annotated[float, Field(ge=0, le=1)] | None = Field(default=None, description="Share of NULLs.")
    unique: bool = Field(default=False, description="No value twice. Primary and unique keys are so anyway.")
    distribution: Distribution = "uniform"
    min: Bound | None = Field(default=None, description="Smallest number, date or time.")
    max: Bound | None = Field(default=None, description="Largest number, date or time.")
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="# is a digit, @ a capital letter, ? a small letter, * any of these."
    )
    values: Annotated[list[JsonValue], Field(min_length=1, max_length=10_000)] | None = None
    weights: Annotated[list[Weight], Field(min_length=1, max_length=10_000)] | None = Field(
        default=None, description="How often each of the values comes, in proportion."
    )
    start: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = Field(
        default=None, description="First number of a sequence."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "ColumnRule":
        if self.weights is not None and (self.values is None or len(self.weights) != len(self.values)):
            raise ValueError("weights needs as many values")
        if self.weights is not None and not any(self.weights):
            raise ValueError("one of the weights must be above 0")
        if self.values is not None and any(isinstance(value, list | dict) for value in self.values):
            raise ValueError("values are texts, numbers, true, false or null")
        return self


class TableRule(Params):
    """One table to fill."""

    table: Word
    schema_: Word | None = Field(default=None, alias="schema", description="Schema, or database in MySQL.")
    total: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 1000
    batch_size: Annotated[int, Field(ge=1, le=MAX_BATCH)] = 200
    strategy: Strategy = Field(default="TERMINATE", description="What to do with rows whose key is there already.")
    truncate: bool = Field(default=False, description="Delete all rows first, in the same transaction.")
    columns: Annotated[dict[Word, ColumnRule], Field(max_length=1600)] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """The table as its user wrote it."""
        return f"{self.schema_}.{self.table}" if self.schema_ else self.table


class Asked(Params):
    """What every table of a task shares."""

    connection: Word = Field(description="Name of the connection to the database.")
    seed: Seed | None = Field(default=None, description="Same seed, same rows. Without one it follows from the task.")
    locale: Locale = Field(default="en", description="Language of names and places: en, de, zh …")


def plain(rule: TableRule) -> dict[str, Any]:
    """Return the rule as JSON, without what was left out."""
    return rule.model_dump(by_alias=True, exclude_defaults=True, mode="json")
