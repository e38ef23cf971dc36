"""The shapes of a subtask's log, line by line. The shape that OCP knows is `schemas.LogShape`."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.api.rest.schemas import Shape


class LineShape(Shape):
    """One line; `cursor` is its address, for `after` and `before`."""

    cursor: str
    number: int | None = Field(default=None, description="from 1, where the lines were counted from the first kept")
    at: str
    level: str
    text: str
    run: str = Field(description="generation-attempt")
    phase: str


class RunShape(Shape):
    """One run of the subtask; `number` is OCP's runTime, absent for undoing."""

    run: str
    phase: Literal["execute", "undo"]
    number: int | None = None
    start_time: datetime
    executor: str


class LinesShape(Shape):
    """Lines in order. `cursor` goes into `after`, `before` into `before`."""

    lines: list[LineShape]
    cursor: str
    more: bool = Field(description="lines behind the cursor may be there already")
    before: str | None = Field(default=None, description="absent when there are no lines before these")
    runs: list[RunShape] | None = Field(default=None, description="absent on pages behind a cursor")
    expired: datetime | None = Field(default=None, description="lines printed before this may be gone")
