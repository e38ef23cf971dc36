"""The shapes of what was set aside, for the OpenAPI document and for the tests that hold answers against them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from services.api.rest.schemas import Shape

Source = Literal["bus", "log"]


class SetAsideMessage(Shape):
    """A message nobody could use, and why."""

    source: Source
    seq: int = Field(description="Place in the stream SET-ASIDE (bus), or log position (log).")
    subject: str
    reason: str = Field(description="One word for programs.")
    message: str = Field(description="What exactly was wrong.")
    size: int = Field(description="Bytes of the body.")
    at: datetime | None = Field(None, description="When it was set aside.")
    sent_at: datetime | None = Field(None, description="When the producer's message was stored.")
    headers: dict[str, str] | None = Field(None, description="Those that mean something here, the signature left out.")
    body: str | None = Field(None, description="The beginning of the body, as text.")
    replayable: bool = Field(description="Whether it can be tried again: only whole messages of the bus.")


class SetAsideList(Shape):
    """What was set aside, the newest of each source first."""

    contents: list[SetAsideMessage]


class BusError(Shape):
    """Why a command was not carried out."""

    code: int
    message: str
    target: dict[str, Any] | None = None


class BusAnswer(Shape):
    """How a command of the bus was decided; its producer was told the same."""

    status: int
    command: str | None = None
    key: str | None = None
    task: int | None = None
    seq: int | None = None
    state: str | None = None
    version: int | None = None
    replayed: bool | None = None
    error: BusError | None = None
