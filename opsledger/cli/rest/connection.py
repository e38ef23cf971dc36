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

Url = Annotated[str | None, Parameter(group="Connection")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Address:
    """Options that every command that talks to the API takes."""

    url: Url = None
    """Address of the API; else OPSLEDGER_URL, else the system that runs on the data directory."""
    data_dir: Annotated[Path | None, Parameter(group="Connection")] = None
    """Data directory of `opsledger up`; its address and admin password are used."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An address and the header that opens it."""

    url: str
    auth: httpx2.Auth | None
    home: DataDir | None = None
    """The data directory whose kept admin password this is, if it is one."""


class Bearer(httpx2.Auth):
    """A token in the Authorization header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx2.Request):  # type: ignore[no-untyped-def] # noqa: ANN201 - the base class's generator type
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def resolve(address: Address) -> Connection:
    """The connection for this command; UsageError when there is no address to be found."""
    home = DataDir.at(address.data_dir)
    local = home.runtime().get("api_url")
    url = address.url or (os.environ.get("OPSLEDGER_URL") if address.data_dir is None else None) or local
    if not isinstance(url, str):
        raise UsageError(
            f"no opsledger has run on {home.root}, and no address is given",
            next_step="start one with: opsledger up, or give --url or OPSLEDGER_URL",
        )
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url} is not an http address", next_step="give --url http://host:port")
    url = url.rstrip("/")
    given = _given()
    if given is None and url == local and (kept := home.password()):  # never shown to another system
        return Connection(url, httpx2.BasicAuth("admin", kept), home)
    return Connection(url, given)


def _given() -> httpx2.Auth | None:
    """The token of the environment, else its user and password."""
    if token := os.environ.get("OPSLEDGER_TOKEN"):
        return Bearer(token)
    if password := os.environ.get("OPSLEDGER_PASSWORD"):
        return httpx2.BasicAuth(os.environ.get("OPSLEDGER_USER") or "admin", password)
    return None
