"""Huawei Cloud's signed requests, SDK-HMAC-SHA256: what is signed, and how. Pure; knows no store and no clock.

    Authorization: SDK-HMAC-SHA256 Access={access key}, SignedHeaders={a;b;c}, Signature={hex of HMAC-SHA256}

Signed is `SDK-HMAC-SHA256`, `X-Sdk-Date` (20260131T080000Z) and the SHA-256 of the canonical request, each on a line of
its own. Stricter than the original where a signature would cover too little: Host and X-Sdk-Date must be among the
signed headers, and a body that is not signed (`UNSIGNED-PAYLOAD`) is not taken.
"""

import hmac
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote, unquote, unquote_plus

from services.api.identity.signing import WINDOW, Claimed, Headers

SCHEME: Final = "SDK-HMAC-SHA256"
DATE: Final = b"x-sdk-date"
CONTENT: Final = b"x-sdk-content-sha256"
FORMAT: Final = "%Y%m%dT%H%M%SZ"
_HEADER: Final = re.compile(r"Access=([^\s,]+),\s*SignedHeaders=([^\s,]+),\s*Signature=([0-9a-fA-F]{64})")
_MUST: Final = frozenset({b"host", DATE})


class SdkSigned:
    """One signed request; names of headers in lower case."""

    def __init__(self, authorization: str, method: str, path: str, query: str, headers: Headers) -> None:
        self._method, self._path, self._query = method, path, query
        self._headers: dict[bytes, list[str]] = {}
        for name, value in headers:
            self._headers.setdefault(name, []).append(value.decode("latin-1").strip())
        found = _HEADER.fullmatch(authorization.partition(" ")[2].strip())
        self._signed = [name.encode() for name in found[2].lower().split(";")] if found else []
        self.claimed = Claimed(found[1], found[3].lower()) if found and found[1].isascii() else None

    def fresh(self, at: datetime) -> bool:
        """Whether `X-Sdk-Date` is within the window around `at`."""
        try:
            date = datetime.strptime(self._one(DATE) or "", FORMAT).replace(tzinfo=UTC)
        except ValueError:
            return False
        return abs(at - date) <= WINDOW

    def right(self, secret_key: str, body: bytes) -> bool:
        """Whether the signature is this secret key's, in constant time."""
        text = self.text(body)
        if text is None or self.claimed is None:
            return False
        return hmac.compare_digest(signature(secret_key, text), self.claimed.signature)

    def text(self, body: bytes) -> str | None:
        """Return what is to be signed; None when the signature covers too little, or a header comes twice."""
        values = [self._one(name) for name in self._signed]
        if None in values or not _MUST.issubset(self._signed):
            return None
        digest = sha256(body).hexdigest()
        if body and (self._one(CONTENT) or digest) != digest:
            return None
        names = [name.decode() for name in self._signed]
        request = [
            self._method,
            _path(self._path),
            _query(self._query),
            *(f"{name}:{value}" for name, value in zip(names, values, strict=True)),
            "",
            ";".join(names),
            digest,
        ]
        return "\n".join([SCHEME, self._one(DATE) or "", sha256("\n".join(request).encode("latin-1")).hexdigest()])

    def _one(self, name: bytes) -> str | None:
        found = self._headers.get(name, ())
        return found[0] if len(found) == 1 else None


def signature(secret_key: str, text: str) -> str:
    """Return the signature of a text, in hex."""
    return hmac.new(secret_key.encode(), text.encode(), sha256).hexdigest()


def _path(path: str) -> str:
    """Return the path as it is signed: decoded once and encoded anew, a slash at its end."""
    parts = [_encoded(part) for part in unquote(path, errors="surrogateescape").split("/")]
    found = "/".join(parts)
    return found if found.endswith("/") else f"{found}/"


def _query(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    decoded = sorted((_decoded(name), _decoded(value)) for name, _, value in pairs)
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in decoded)


def _decoded(part: str) -> str:
    return unquote_plus(part, errors="surrogateescape")


def _encoded(part: str) -> str:
    return quote(part, safe="~", errors="surrogateescape")
