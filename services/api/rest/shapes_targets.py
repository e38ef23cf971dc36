"""The shapes of secrets and connections: bodies, which are strict, and answers, for the OpenAPI document."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.store.connections import ConnectionName, Target
from shared.store.secrets import SecretValue, Team


def _once(teams: list[str] | None) -> list[str] | None:
    if teams is not None and len(set(teams)) != len(teams):
        raise ValueError("a team is named twice")
    return teams


class SecretBody(BaseModel):
    """A secret to be set. `teams`: the tasks that may use it; null: all; left out: as it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: SecretValue
    teams: Annotated[list[Team] | None, Field(min_length=1, max_length=100), AfterValidator(_once)] = None


class ConnectionBody(Target):
    """A connection to be defined; a `name` is the one in the path."""

    name: ConnectionName | None = None


class SecretShape(BaseModel):
    """What may be known of a secret."""

    model_config = ConfigDict(extra="forbid")

    name: str
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    teams: list[str] | None = None


class SecretsShape(BaseModel):
    """All secrets, without their values."""

    model_config = ConfigDict(extra="forbid")

    contents: list[SecretShape]


class ConnectionShape(BaseModel):
    """A connection; `secrets` are references, never values."""

    model_config = ConfigDict(extra="forbid")

    name: str
    url: str
    options: dict[str, str]
    secrets: dict[str, str]
    description: str
    teams: list[str] | None = None


class ConnectionsShape(BaseModel):
    """The connections that the caller may see."""

    model_config = ConfigDict(extra="forbid")

    contents: list[ConnectionShape]
