"""A commit: one message of the log, one or more decisions with their events, all or nothing (architecture §3).

Knows the body alone; headers are in `headers.py`, the fold over commits in `shared.log`.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.task.events import TaskEvent, UnknownEvent
from shared.task.state import Actor

VERSION = 1
"""The newest commit version this program writes and reads."""
MAX_BYTES = 240 * 1024
"""A commit with its headers, as this program writes it."""
MAX_PAYLOAD = 256 * 1024
"""The server's `max_payload`: nothing larger was ever stored by a program of ours."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class By(_Wire):
    """Who decided: `kind` is user, executor or system; `via` the door (rest, bus, cli, console)."""

    kind: str
    name: str
    via: str | None = None

    @classmethod
    def of(cls, actor: Actor) -> "By":
        """Return the wire form of an actor."""
        return cls(kind=actor.kind, name=actor.name, via=actor.via)

    def actor(self) -> Actor:
        """Return the inside form."""
        return Actor(self.kind, self.name, self.via)


class RefusalNote(_Wire):
    """A refused command as the log keeps it."""

    command: str
    kind: str
    code: int
    message: str
    target: dict[str, Any] | None = None


class Decision(_Wire):
    """What one command brought about. `key` is the idempotency key hashed with the principal."""

    id: str
    at: AwareDatetime
    by: By
    reason: str | None = None
    key: str | None = None
    body_hash: str | None = None
    outcome: Literal["accepted", "refused"] = "accepted"
    refusal: RefusalNote | None = None
    events: tuple[Annotated[TaskEvent, Field(discriminator="type")], ...] = ()


class LenientDecision(Decision):
    """A decision with events of types this version does not know."""

    events: tuple[
        Annotated[Annotated[TaskEvent, Field(discriminator="type")] | UnknownEvent, Field(union_mode="left_to_right")],
        ...,
    ] = ()  # type: ignore[assignment]


class Commit(_Wire):
    """The body of one message. `prev` is the SHA-256 (hex) of the task's previous commit body, empty for the first."""

    v: Literal[1] = 1
    task: int
    prev: str = ""
    decisions: tuple[Decision, ...] = Field(min_length=1)


class LenientCommit(Commit):
    """A commit read by an older version."""

    decisions: tuple[LenientDecision, ...] = Field(min_length=1)
