"""The API's environment. Read by `__main__` alone."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    log_level: str = "info"

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, value: str) -> str:
        for plain, driver in (("sqlite://", "sqlite+aiosqlite://"), ("postgresql://", "postgresql+asyncpg://")):
            if value.startswith(plain):
                return driver + value.removeprefix(plain)
        return value
