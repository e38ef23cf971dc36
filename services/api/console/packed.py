"""Answers packed with gzip where the client takes that. Knows no page; what is small stays as it is.

Packing gives no secret away: the only one in a page, its forms' token, differs each time.
"""

import gzip
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

LEAST: Final = 1000
"""Below this size (bytes) packing costs more than it saves."""
LEVEL: Final = 5


def packed(request: Request, body: bytes, status: int, headers: dict[str, str], media: str) -> Response:
    """Return the answer, packed if it is worth it and the client takes it; `Vary` says that it may differ."""
    vary = ", ".join(filter(None, [headers.get("Vary"), "Accept-Encoding"]))
    if len(body) < LEAST or not takes_gzip(request.headers.get("accept-encoding", "")):
        return Response(body, status, {**headers, "Vary": vary}, media)
    small = gzip.compress(body, LEVEL, mtime=0)
    return Response(small, status, {**headers, "Vary": vary, "Content-Encoding": "gzip"}, media)


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` names gzip (RFC 9110 §12.5.3); `*` alone is not taken at its word."""
    for part in accepted.split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() == "gzip":
            return weight.replace(" ", "").lower().rstrip("0").rstrip(".") not in {"q=", "q=0"}
    return False
