"""What the command line asks of the workbench: one JSON object, since the two are different processes."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class Order(BaseModel):
    """One order. `param` holds the `k=v` words as they were typed: only here the parameters' schema is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    param: list[str] = []
    params: dict[str, Any] = {}
    json_output: bool = False
    ignore: list[str] = []
    strict: bool = False
    files: Path | None = None
    secrets: Path | None = None
    connections: Path | None = None
    fail_at: list[str] = []
    crash_at: list[str] = []
    rollback: bool = False
    fast: bool = False
    team: str | None = None
