"""The executor's environment. Read by `__main__` alone."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Variables `OPSLEDGER_…`; times in seconds."""

    model_config = SettingsConfigDict(env_prefix="OPSLEDGER_", extra="ignore")

    nats_url: str = "nats://127.0.0.1:4222"
    data_dir: Path | None = None
    pool: str = "default"
    """One pool, or several separated by commas."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 16
    ack_wait_seconds: Annotated[float, Field(ge=0.5, le=3600)] = 30.0
    drain_seconds: Annotated[float, Field(ge=0, le=86_400)] = 5.0
    replicas: Annotated[int, Field(ge=1, le=5)] = 1
    log_level: str = "info"
    name: str | None = None
    """What people see; the host's name and the process id when not given."""

    env_allow: Annotated[list[str], NoDecode] = ["PATH", "LANG", "LC_*", "TZ", "HOME"]
    egress_allow: Annotated[list[str], NoDecode] = []
    file_roots: Annotated[list[Path], NoDecode] = []
    output_limit_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    cancel_grace_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0

    secrets_key: SecretStr | None = None
    """What value secrets are sealed with; the same as every API process has. Outweighs the file."""
    secrets_key_file: Path | None = None
    """By default `secrets.key` in the data directory, where there is one."""
    secret_dirs: Annotated[list[Path], NoDecode] = []
    """Below these folders a `file:` reference may point."""
    connections_file: Path | None = None
    """A JSON list of connections; outweighs those of the API."""

    @field_validator("env_allow", "egress_allow", "file_roots", "secret_dirs", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @property
    def pools(self) -> frozenset[str]:
        """The pools this executor serves."""
        return frozenset(part.strip() for part in self.pool.split(",") if part.strip())
