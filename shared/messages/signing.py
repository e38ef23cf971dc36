"""Signed messages: how a producer shows who it is without showing its secret. Knows neither producers nor transport.

The header `Authorization` reads `OPSLEDGER-HMAC-SHA256 <access key>:<base64 of the HMAC>`; what is signed is four
lines: subject, `Date`, `Idempotency-Key` (empty when there is none), SHA-256 of the body as hex. A bearer token would
lie in a stream for anybody to take; a signature is good for this one message.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

SCHEME: Final = "OPSLEDGER-HMAC-SHA256"
AUTHORIZATION: Final = "Authorization"
DATE: Final = "Date"
WINDOW: Final = timedelta(minutes=15)
"""How far `Date` may be from the time at which the message was stored."""
_ACCESS_KEY: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class Signature:
    """Who says to have signed, and the HMAC."""

    access_key: str
    mac: bytes

    def fits(self, secret: str, subject: str, date: str, key: str | None, body: bytes) -> bool:
        """Whether the secret's owner signed exactly this message, in constant time."""
        return hmac.compare_digest(self.mac, _mac(secret, subject, date, key, body))

    @property
    def digest(self) -> str:
        """The idempotency key of a message without one: sent again, it is the same command."""
        return f"signed-{hashlib.sha256(self.mac).hexdigest()}"


def authorization(access_key: str, secret: str, subject: str, date: str, key: str | None, body: bytes) -> str:
    """Return the header that signs a message."""
    return f"{SCHEME} {access_key}:{base64.b64encode(_mac(secret, subject, date, key, body)).decode()}"


def parse(header: str) -> Signature | None:
    """Return what an `Authorization` header holds, or None when it is no signature."""
    scheme, _, rest = header.partition(" ")
    access_key, _, text = rest.strip().partition(":")
    if scheme != SCHEME or _ACCESS_KEY.fullmatch(access_key) is None:
        return None
    try:
        mac = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Signature(access_key, mac) if len(mac) == hashlib.sha256().digest_size else None


def signed_at(date: str) -> datetime | None:
    """Return the time in a `Date` header (RFC 1123 or ISO 8601, with its zone), or None."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(date.strip())
        except (ValueError, OverflowError):
            continue
        if found.tzinfo is not None:
            return found
    return None


def _mac(secret: str, subject: str, date: str, key: str | None, body: bytes) -> bytes:
    text = "\n".join((subject, date, key or "", hashlib.sha256(body).hexdigest()))
    return hmac.digest(secret.encode(), text.encode(), "sha256")
