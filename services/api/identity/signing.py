"""OCP's signed requests (specification §2.3): what is signed, and how. Pure; knows no store and no clock of its own.

    Authorization: OCP-ACCESS-KEY-HMACSHA1 {access key}:{base64 of HMAC-SHA1(secret key, text)}

The text's lines: method, MD5 of the body in upper-case hex (nothing for no body), Content-Type, Date, Host, each
`x-ocp-…` header as name:value in the order of the names, and the path with its parameters in order, percent-encoded
(all but letters, digits and `-._~`). MD5 and SHA-1 are OCP's choice, not ours: as an HMAC's hash SHA-1 still holds,
and MD5 only describes a body to whoever knows the secret key anyway.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, unquote_plus

SCHEME: Final = "OCP-ACCESS-KEY-HMACSHA1"
WINDOW: Final = timedelta(minutes=15)
"""How far `Date` may be from our clock, either way."""
_ONCE: Final = (b"date", b"host", b"content-type")

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Claimed:
    """Whose signature it says it is, not yet verified."""

    access_key: str
    signature: str


@dataclass(frozen=True, slots=True)
class Signed:
    """The parts of a request that are signed besides its body; names of headers in lower case."""

    method: str
    path: str
    query: str
    headers: Headers

    def text(self, body: bytes) -> str | None:
        """Return what is to be signed; None when a header that may come once comes twice."""
        names = [name for name, _ in self.headers]
        if any(names.count(name) > 1 for name in _ONCE):
            return None
        found = {name: value.decode("latin-1").strip() for name, value in self.headers}
        ours = [f"{name.decode('latin-1')}:{value.decode('latin-1').strip()}" for name, value in self._ocp()]
        lines = [
            self.method,
            hashlib.md5(body, usedforsecurity=False).hexdigest().upper() if body else "",
            *(found.get(name, "") for name in (b"content-type", b"date", b"host")),
            "\n".join(ours),
            self.path + _canonical(self.query),
        ]
        return "\n".join(lines)

    def _ocp(self) -> list[tuple[bytes, bytes]]:
        return sorted((name, value) for name, value in self.headers if name.startswith(b"x-ocp-"))

    def fresh(self, at: datetime) -> bool:
        """Whether `Date` is within the window around `at`."""
        given = next((value for name, value in self.headers if name == b"date"), b"")
        try:
            date = parsedate_to_datetime(given.decode("ascii"))
        except (ValueError, UnicodeDecodeError):
            return False
        return abs(at - (date if date.tzinfo is not None else date.replace(tzinfo=UTC))) <= WINDOW


class OcpSigned:
    """One signed request, as whoever lets in looks at it."""

    def __init__(self, authorization: str, method: str, path: str, query: str, headers: Headers) -> None:
        self.claimed = claimed(authorization)
        self._parts = Signed(method, path, query, headers)

    def fresh(self, at: datetime) -> bool:
        """Whether `Date` is within the window around `at`."""
        return self._parts.fresh(at)

    def right(self, secret_key: str, body: bytes) -> bool:
        """Whether the signature is this secret key's, in constant time."""
        text = self._parts.text(body)
        return self.claimed is not None and text is not None and matches(secret_key, text, self.claimed.signature)


def claimed(header: str) -> Claimed | None:
    """Return what an `Authorization` header of this scheme says, None for any other one and for a broken one."""
    scheme, _, content = header.partition(" ")
    key, colon, signature = content.strip().partition(":")
    if scheme.upper() != SCHEME or not (key and colon and signature) or not content.isascii():
        return None
    return Claimed(key, signature)


def signature(secret_key: str, text: str) -> str:
    """Return the signature of a text."""
    digest = hmac.new(secret_key.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def matches(secret_key: str, text: str, given: str) -> bool:
    """Whether it is the text's signature, in constant time."""
    return hmac.compare_digest(signature(secret_key, text), given)


def _canonical(query: str) -> str:
    if not query:
        return ""
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    return "?" + "&".join(f"{name}={value}" for name, value in encoded)


def _encoded(part: str) -> str:
    return quote(unquote_plus(part, errors="surrogateescape"), safe="", errors="surrogateescape")
