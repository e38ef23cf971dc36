"""The identity provider's public keys: fetched, kept, and fetched again when a token names one that is not among them.

Symmetric keys in the document are dropped, whatever they are said to be for: a public key must never be taken for a
shared secret.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from shared.runtime.logging import get

MAX_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 100
FETCH_SECONDS: Final = 5.0
FRESH_SECONDS: Final = 3600.0
"""How long keys are used without asking again: the time within which a withdrawn key stops working."""
PAUSE_SECONDS: Final = 10.0
"""The least time between two fetches, whatever unknown keys are named."""
KINDS: Final = frozenset({"RSA", "EC", "OKP"})
MIN_RSA_DIGITS: Final = 342
"""Of a modulus of 2048 bits, in base64."""

log = get(__name__)
Fetch = Callable[[], Awaitable[bytes]]


class Jwks:
    """Keys by their id. One per process."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def key(self, kid: str) -> Key | None:
        """Return the key of this id, or None. Never raises: without the provider, known keys go on working."""
        if kid not in self._keys or self._clock() - self._fetched > FRESH_SECONDS:
            async with self._fetching:
                if kid not in self._keys or self._clock() - self._fetched > FRESH_SECONDS:
                    await self._refresh()
        return self._keys.get(kid)

    async def _refresh(self) -> None:
        at = self._clock()
        if at - self._tried < PAUSE_SECONDS:
            return
        self._tried = at
        try:
            self._keys = keys_of(await self._fetch())
            self._fetched = at
        except (httpx2.HTTPError, OSError, ValueError, TimeoutError) as error:
            log.warning("keys of the identity provider not fetched", why=f"{type(error).__name__}: {error}"[:300])


def keys_of(document: bytes) -> dict[str, Key]:
    """Return the keys that can verify, by their id. Raises `ValueError` for what is no JWKS."""
    try:
        found = json.loads(document)["keys"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not a JSON Web Key Set") from error
    if not isinstance(found, list):
        raise ValueError("not a JSON Web Key Set")  # noqa: TRY004  a document, not an argument
    keys = [_key(entry) for entry in found[:MAX_KEYS]]
    return {key.kid: key for key in keys if key is not None and key.kid}


def _key(entry: Any) -> Key | None:
    if not isinstance(entry, dict) or entry.get("kty") not in KINDS or entry.get("use", "sig") != "sig":
        return None
    if entry["kty"] == "RSA" and len(str(entry.get("n", ""))) < MIN_RSA_DIGITS:
        return None
    public = {name: value for name, value in entry.items() if name not in {"d", "p", "q", "dp", "dq", "qi", "oth"}}
    try:
        return JWKRegistry.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None


def from_url(url: str) -> Fetch:
    """Return how keys are fetched over HTTP: bounded, without redirects, past nobody's proxy."""

    async def fetch() -> bytes:
        async with (
            asyncio.timeout(FETCH_SECONDS),
            httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=FETCH_SECONDS) as client,
            client.stream("GET", url, headers={"Accept": "application/json"}) as answer,
        ):
            if answer.status_code != 200:
                raise ValueError(f"status {answer.status_code}")
            content = b""
            async for piece in answer.aiter_bytes():
                content += piece
                if len(content) > MAX_BYTES:
                    raise ValueError(f"more than {MAX_BYTES} bytes")
            return content

    return fetch


def from_file(path: Path) -> Fetch:
    """Return how keys are read from a file."""

    async def fetch() -> bytes:
        return await asyncio.to_thread(path.read_bytes)

    return fetch
