"""Where the API is and who we are to it: flags, environment, or the system that runs on this machine.

Responsible for: choosing address and credential together, so that one never leaks to the other's stranger.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx2
from cyclopts import Parameter

from opsledger.cli.data_dir import DataDir
from opsledger.cli.failure import UsageError


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Where:
    """Options that every command that talks to the API takes."""

    url: Annotated[str | None, Parameter(group="Connection")] = None
    """Address of the API; else OPSLEDGER_URL, else the system that runs on the data directory."""
    data_dir: Annotated[Path | None, Parameter(group="Connection")] = None
    """Data directory of `opsledger up`; its address and admin password are used."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An address and the header that opens it."""

    url: str
    auth: httpx2.Auth | None


class Bearer(httpx2.Auth):
    """A token in the Authorization header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx2.Request):  # type: ignore[no-untyped-def] # noqa: ANN201 - the base class's generator type
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def resolve(where: Where) -> Connection:
    """The connection for this command; UsageError when there is no address to be found."""
    home = DataDir.at(where.data_dir)
    local = home.runtime().get("api_url")
    url = where.url or (os.environ.get("OPSLEDGER_URL") if where.data_dir is None else None) or local
    if not isinstance(url, str):
        raise UsageError(
            f"no opsledger has run on {home.root}, and no address is given",
            next_step="start one with: opsledger up, or give --url or OPSLEDGER_URL",
        )
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url} is not an http address", next_step="give --url http://host:port")
    return Connection(url.rstrip("/"), _credential(home, is_local=url.rstrip("/") == local))


def _credential(home: DataDir, *, is_local: bool) -> httpx2.Auth | None:
    """The token, else user and password, else the kept admin password, but that one only for its own system."""
    if token := os.environ.get("OPSLEDGER_TOKEN"):
        return Bearer(token)
    if password := os.environ.get("OPSLEDGER_PASSWORD"):
        return httpx2.BasicAuth(os.environ.get("OPSLEDGER_USER") or "admin", password)
    if is_local and (kept := home.password()):
        return httpx2.BasicAuth("admin", kept)
    return None
