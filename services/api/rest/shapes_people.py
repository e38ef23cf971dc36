"""The shapes of users and tokens: bodies, which are strict, and answers, for the OpenAPI document."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from services.api.access import MAX_TEAMS, Login, Role
from shared.runtime.clock import now
from shared.task.text import readable

MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 256
LONGEST: Final = timedelta(days=3660)
"""How far away a token may expire."""


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a time as text is expected, such as 2030-01-31T12:00:00Z")  # noqa: TRY004  pydantic's way
    return value


def _ahead(value: datetime) -> datetime:
    if not now() < value <= now() + LONGEST:
        raise ValueError(f"it must lie ahead, by at most {LONGEST.days} days")
    return value


def _once(teams: list[str] | None) -> list[str] | None:
    if teams is not None and len(set(teams)) != len(teams):
        raise ValueError("a team is named twice")
    return teams


Password = Annotated[str, StringConstraints(strict=True, min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]
Team = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200), AfterValidator(readable)]
TeamList = Annotated[list[Team] | None, Field(min_length=1, max_length=MAX_TEAMS), AfterValidator(_once)]
"""None: every team."""
Expiry = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_ahead)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Granted(_Body):
    role: Role
    teams: TeamList = None

    @model_validator(mode="after")
    def _admins_are_everybodys(self) -> Self:
        if self.role is Role.ADMIN and self.teams is not None:
            raise ValueError("an ADMIN sees every team: leave 'teams' out")
        return self


class TokenBody(_Granted):
    """A token to be made."""

    name: Login
    expires_at: Expiry | None = None
    key_pair: StrictBool | None = None


class UserBody(_Granted):
    """A user to be made."""

    name: Login
    password: Password


class UserChange(_Body):
    """What is to be changed about a user; what is left out stays, `teams` of null means every team."""

    role: Role | None = None
    teams: TeamList = None


class PasswordBody(_Body):
    """A new password; one's own needs the old one as well."""

    password: Password
    old: Annotated[str, StringConstraints(strict=True, max_length=MAX_PASSWORD)] | None = None


class _Shown(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    role: Role
    teams: list[str] | None = None


class UserShape(_Shown):
    """A user."""

    created_at: datetime


class TokenShape(_Shown):
    """A token, without its secrets."""

    id: str
    created_at: datetime
    created_by: str | None = None
    expires_at: datetime | None = None
    access_key: str | None = None


class NewTokenShape(TokenShape):
    """A new token with its secrets, shown this once."""

    token: str
    secret_key: str | None = None


class MeShape(_Shown):
    """Whoever asks."""

    permissions: list[str]


class UsersShape(BaseModel):
    """All users."""

    model_config = ConfigDict(extra="forbid")

    contents: list[UserShape]


class TokensShape(BaseModel):
    """All tokens."""

    model_config = ConfigDict(extra="forbid")

    contents: list[TokenShape]
