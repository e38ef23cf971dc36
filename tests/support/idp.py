"""A stand-in for an identity provider: real keys, and a real HTTP server for its public ones."""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from services.api.identity.oidc import _REGISTRY as ANY_OF_OURS

ISSUER, AUDIENCE = "https://idp.example", "opsledger"
MAKE: dict[str, Callable[[], Key]] = {
    "RS256": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
}


class Idp:
    """Signs tokens, and serves the keys that verify them."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[str, Key]] = {}
        self.fetched = 0
        self.status = 200
        self.extra: list[dict[str, Any]] = []
        self.url = ""

    def add(self, kid: str, algorithm: str = "RS256") -> Key:
        """Make a key and publish it."""
        key = MAKE[algorithm]()
        self.keys[kid] = (algorithm, key)
        return key

    def document(self) -> bytes:
        """The public keys."""
        shown = [
            {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": algorithm}
            for kid, (algorithm, key) in self.keys.items()
        ]
        return json.dumps({"keys": shown + self.extra}).encode()

    def token(self, kid: str, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token with good claims, but for those given; None leaves one out."""
        algorithm, key = self.keys[kid]
        head = {"alg": algorithm, "kid": kid, **(header or {})}
        kept = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(kept, good(**claims), key, registry=ANY_OF_OURS)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["Idp"]:
        """Serve the keys on a port of this machine."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
        async with server:
            yield self

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.fetched += 1
        body = self.document()
        head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


def good(**claims: Any) -> dict[str, Any]:
    """Good claims, but for those given; None leaves one out."""
    at = int(time.time())
    found = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": at + 600, "nbf": at, "iat": at, "roles": "ADMIN"}
    return {name: value for name, value in {**found, **claims}.items() if value is not None}


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
