"""The API's environment. Read by `__main__` alone."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.api.access import Role


class Settings(BaseSettings):
    """Variables `OPSLEDGER_…`; times in seconds."""

    model_config = SettingsConfigDict(env_prefix="OPSLEDGER_", extra="ignore")

    nats_url: str = "nats://127.0.0.1:4222"
    """With user and password; several servers of one cluster separated by commas."""
    database_url: str = "sqlite+aiosqlite:///opsledger.db"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8642
    admin_password: SecretStr | None = None
    """Password of the user admin; `init` alone uses it, and updates the stored hash when it has changed."""
    replicas: Annotated[int, Field(ge=1, le=5)] = 1
    ack_wait_seconds: Annotated[float, Field(ge=0.5, le=3600)] = 30.0
    rescue_after_seconds: Annotated[float, Field(ge=0.3, le=3600)] = 15.0
    """How long a task may stand still before its work items are queued again."""
    connect_seconds: Annotated[float, Field(ge=0.1, le=600)] = 15.0
    """How long the start waits for NATS and for the log."""
    sse_per_principal: Annotated[int, Field(ge=1, le=10_000)] = 50
    """How many live streams one principal may have open on one process."""
    sync_tasks_per_project: Annotated[int, Field(ge=0, le=2000)] = 5
    """How many synchronisation tasks a project may have over Huawei's API; 0 sets no limit."""
    log_level: str = "info"

    data_dir: Path | None = None
    """Where the key of secrets is kept when it is neither given nor named: `secrets.key`."""
    secrets_key: SecretStr | None = None
    """What secret keys are sealed with; the same in every API process. Outweighs the file."""
    secrets_key_file: Path | None = None
    rate_per_second: Annotated[float, Field(ge=0, le=1e6)] = 500.0
    """Requests of one principal, on one process; 0 limits nobody."""
    rate_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 5000
    """How many of them at once."""
    login_failures_per_minute: Annotated[float, Field(ge=0, le=1e6)] = 30.0
    """Of one client address, and as many at once; 0 limits nobody."""

    oidc_issuer: str | None = None
    """The identity provider whose bearer tokens are let in; none without it."""
    oidc_audience: str | None = None
    oidc_jwks_url: str | None = None
    """Where its keys are; https, or http on this machine."""
    oidc_jwks_file: Path | None = None
    oidc_name_claim: str = "sub"
    oidc_role_claim: str = "roles"
    """Claims within claims are named with dots."""
    oidc_roles: dict[str, Role] = {}
    """JSON: from the role claim's words to roles; the roles' own names without it."""
    oidc_teams_claim: str = ""
    """Without it, everybody from there sees every team's tasks."""

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, value: str) -> str:
        for plain, driver in (("sqlite://", "sqlite+aiosqlite://"), ("postgresql://", "postgresql+asyncpg://")):
            if value.startswith(plain):
                return driver + value.removeprefix(plain)
        return value

    @field_validator("oidc_jwks_url")
    @classmethod
    def _trusted(cls, value: str | None) -> str | None:
        if value is not None:
            where = urlsplit(value)
            if where.scheme != "https" and not (where.scheme == "http" and where.hostname in _LOOPBACK):
                raise ValueError("keys are fetched over https, or over http from this machine")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.oidc_issuer and not (self.oidc_audience and (self.oidc_jwks_url or self.oidc_jwks_file)):
            raise ValueError("OPSLEDGER_OIDC_ISSUER needs OIDC_AUDIENCE and one of OIDC_JWKS_URL and OIDC_JWKS_FILE")
        return self


_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
