"""The shapes of results. An entry has the output's own fields beside ours, so it is open; the rest is strict."""

from typing import Any

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.api.rest.schemas import Shape


class ResultFileShape(Shape):
    """A result file; `path` downloads it."""

    name: str
    bytes: int
    sha256: str
    path: str


class EntryShape(Shape):
    """What one subtask tells of its results, in the words of its operation; for `sql` see docs/results.md."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    subtask: int
    key: str
    kind: str = Field(description="sql, mock, sync, or what an operation of your own says")
    name: str | None = None
    status: str
    files: list[ResultFileShape] | None = None
    download: str | None = Field(default=None, description="where every result set is, as CSV in a zip")


class UnreadShape(Shape):
    """A subtask whose output could not be looked at."""

    subtask: int
    key: str
    why: str


class ResultsShape(Shape):
    """Subtasks that tell of results, in order."""

    results: list[EntryShape]
    unread: list[UnreadShape] | None = None


class ColumnShape(Shape):
    """A column, with its type in the words of the database."""

    name: str
    type: str


class RowsShape(Shape):
    """A page of one result set: a cell is null, a boolean, a number or a text; bytes are hexadecimal texts."""

    index: int = Field(description="of the statement in its script, from 1")
    sql: str
    columns: list[ColumnShape]
    rows: list[list[Any]]
    total_rows: int
    truncated: bool = Field(description="the statement had more rows than the script was to keep")
    page: int
    size: int
