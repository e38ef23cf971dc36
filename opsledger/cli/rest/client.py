"""Ask the API and open its envelope; whatever goes wrong becomes one sentence and a next step.

Responsible for: HTTP, the envelope, and trying again where that is safe. Refuses to know: what the answers mean.
"""

import asyncio
import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from opsledger.cli.failure import CliError
from opsledger.cli.rest.connection import Connection

TRIES = 4
"""Of one request; every request here is a read or carries an idempotency key."""
_UNSURE = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """The opened envelope."""

    data: Any
    timestamp: str | None = None
    """The server's clock when it answered."""
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiError(CliError):
    """The API said no, in its own words."""

    def __init__(self, status: int, cause: str, *, next_step: str | None = None) -> None:
        super().__init__(cause, next_step=next_step)
        self.status = status


class Unreachable(CliError):  # noqa: N818 - a fact, not a mistake
    """Nothing answered, or only a server in trouble did."""


class Client:
    """One API, for as long as the `async with` lasts."""

    def __init__(self, connection: Connection) -> None:
        self.url = connection.url
        host = urlsplit(connection.url).hostname or ""
        self._http = httpx2.AsyncClient(
            base_url=connection.url,
            auth=connection.auth,
            timeout=httpx2.Timeout(30.0, connect=5.0),
            trust_env=not _is_loopback(host),  # a proxy has no business with this machine
            headers={"Accept": "application/json", "Accept-Language": "en-US"},
        )

    async def __aenter__(self) -> Self:
        """Open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self._http.aclose()

    async def get(self, path: str, **params: Any) -> Answer:
        """Read; parameters of None are left out."""
        return await self._ask("GET", path, params={k: v for k, v in params.items() if v is not None})

    async def post(self, path: str, body: Mapping[str, Any], *, key: str) -> Answer:
        """Write, idempotent by `key`, and therefore tried again when the answer was lost."""
        return await self._ask("POST", path, json=body, headers={"Idempotency-Key": key})

    async def _ask(self, method: str, path: str, **request: Any) -> Answer:
        trouble = Unreachable("")
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(0.1 * 2**attempt)
            try:
                response = await self._http.request(method, path, **request)
            except httpx2.ConnectError:
                trouble = Unreachable(
                    f"nothing answers at {self.url}",
                    next_step="start it with: opsledger up, or give another address with --url",
                )
            except httpx2.TransportError as error:
                trouble = Unreachable(f"{self.url} broke off: {type(error).__name__} {error}".rstrip())
            else:
                if response.status_code not in _UNSURE:
                    return _open(response)
                trouble = Unreachable(_words(response) or f"{self.url} answered {response.status_code}")
        raise trouble


def _open(response: httpx2.Response) -> Answer:
    body: Any = None
    with suppress(ValueError):
        body = response.json()
    envelope = body if isinstance(body, dict) else {}
    if response.is_success and envelope.get("successful", True):
        if not isinstance(body, dict):
            raise ApiError(
                response.status_code,
                f"{response.request.url.host} does not speak opsledger's API",
                next_step="check --url",
            )
        return Answer(body.get("data"), _text(body.get("timestamp")), response.headers)
    raise ApiError(
        response.status_code,
        _words(response) or f"{response.request.url} answered {response.status_code}",
        next_step=_next_step(response.status_code, envelope),
    )


def _words(response: httpx2.Response) -> str | None:
    """The server's own sentence, with the fields it complains about."""
    with suppress(ValueError, AttributeError, TypeError):
        error = response.json()["error"]
        faults = [
            f"\n    {fault.get('field') or fault.get('object') or 'body'}: {fault.get('message')}"
            for fault in error.get("subErrors") or []
        ]
        return str(error["message"]) + "".join(faults)
    return None


def _next_step(status: int, envelope: Mapping[str, Any]) -> str | None:
    error = envelope.get("error")
    target = error.get("target") if isinstance(error, dict) else None
    if isinstance(target, dict) and isinstance(target.get("allowed"), list):
        return "allowed now: " + (", ".join(map(str, target["allowed"])) or "nothing")
    if status == httpx2.codes.UNAUTHORIZED:
        return "set OPSLEDGER_TOKEN, or OPSLEDGER_USER and OPSLEDGER_PASSWORD, or --data-dir of the running system"
    if status == httpx2.codes.FORBIDDEN:
        return "ask whoever runs opsledger for a token with a role that may"
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
