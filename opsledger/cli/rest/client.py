"""Ask the API and open its envelope, and try again where that is safe.

Responsible for: HTTP. Refuses to know: what the answers mean, and how a failure is worded (`trouble`).
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from opsledger.cli.rest import trouble
from opsledger.cli.rest.connection import Connection
from opsledger.cli.rest.trouble import ApiError, Unreachable

TRIES = 4
"""Of a read, or of a write that carries an idempotency key. Any other write is sent once."""
LONGEST_PAUSE_SECONDS = 10.0
_UNSURE = frozenset({429, 502, 503, 504})
_HEARTBEAT_SECONDS = 60.0
"""A stream that is silent for so long is dead: the API sends something every 15 s."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The opened envelope."""

    data: Any
    timestamp: str | None = None
    """The server's clock when it answered."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def seq(self) -> int | None:
        """The log position that a command reached."""
        found = self.headers.get("x-log-seq", "")
        return int(found) if found.isdigit() else None


class Client:
    """One API, for as long as the `async with` lasts."""

    def __init__(self, connection: Connection) -> None:
        self.url = connection.url
        self._known = connection.auth is not None
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
        return await self._ask("GET", path, TRIES, params=_given(params))

    async def post(self, path: str, body: Mapping[str, Any], *, key: str) -> Answer:
        """Write, idempotent by `key`, and therefore tried again when the answer was lost."""
        return await self.send("POST", path, body=body, key=key)

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        params: Mapping[str, Any] | None = None,
        harmless: bool = False,
    ) -> Answer:
        """Write. Tried again when it carries a `key` or changes nothing (`harmless`)."""
        asked: dict[str, Any] = {"headers": _given({"Idempotency-Key": key, **(headers or {})})}
        if body is not None:
            asked["json"] = body
        if params:
            asked["params"] = _given(params)
        return await self._ask(method, path, TRIES if key or harmless else 1, **asked)

    @asynccontextmanager
    async def stream(self, path: str, headers: Mapping[str, str], **params: Any) -> AsyncIterator[httpx2.Response]:
        """An open answer that arrives bit by bit. ApiError and Unreachable when there is none to be had."""
        timeout = httpx2.Timeout(30.0, connect=5.0, read=_HEARTBEAT_SECONDS)
        asked: dict[str, Any] = {"params": _given(params), "headers": headers, "timeout": timeout}
        try:
            async with self._http.stream("GET", path, **asked) as response:
                if not response.is_success:
                    await response.aread()
                    raise self._trouble(response)
                yield response
        except httpx2.ConnectError:
            raise trouble.nothing_answers(self.url) from None
        except httpx2.TransportError as error:
            raise trouble.broke_off(self.url, error) from None

    async def _ask(self, method: str, path: str, tries: int, **request: Any) -> Answer:
        met, maybe, pause = Unreachable(""), False, 0.0
        for attempt in range(tries):
            if attempt:
                await asyncio.sleep(max(pause, 0.1 * 2**attempt))
            try:
                response = await self._http.request(method, path, **request)
            except httpx2.ConnectError:
                met = trouble.nothing_answers(self.url)
            except httpx2.TransportError as error:
                met = trouble.broke_off(self.url, error)
            else:
                if response.status_code not in _UNSURE:
                    return self._open(response)
                met, pause = trouble.busy(self.url, response), _pause(response)
            met.maybe = maybe = met.maybe or maybe  # a lost answer stays lost, whatever a later try meets
        raise met

    def _open(self, response: httpx2.Response) -> Answer:
        body: Any = None
        with suppress(ValueError):
            body = response.json()
        if not response.is_success or (isinstance(body, dict) and not body.get("successful", True)):
            raise self._trouble(response)
        if not isinstance(body, dict) and response.content:
            host = response.request.url.host
            raise ApiError(response.status_code, f"{host} does not speak opsledger's API", next_step="check --url")
        body = body or {}
        timestamp = body.get("timestamp")
        return Answer(body.get("data"), timestamp if isinstance(timestamp, str) else None, response.headers)

    def _trouble(self, response: httpx2.Response) -> ApiError | Unreachable:
        if response.status_code in _UNSURE:
            return trouble.busy(self.url, response)
        return trouble.refusal(response, known=self._known)


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _pause(response: httpx2.Response) -> float:
    """What `Retry-After` asks for, within reason."""
    given = response.headers.get("retry-after", "")
    return min(LONGEST_PAUSE_SECONDS, float(given)) if given.isdigit() and response.status_code == 429 else 0.0


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
