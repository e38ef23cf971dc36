"""A client that signs as OCP's documents say, written from the specification (§2.3) alone."""

import base64
import hashlib
import hmac
from collections.abc import Generator
from datetime import UTC, datetime
from urllib.parse import quote, unquote_plus

import httpx2


class Signed(httpx2.Auth):
    """Signs every request with an access key and its secret key."""

    requires_request_body = True

    def __init__(self, access_key: str, secret_key: str, date: datetime | None = None) -> None:
        self.access_key, self.secret_key, self.date = access_key, secret_key, date

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add `Date` and `Authorization`."""
        request.headers["Date"] = (self.date or datetime.now(UTC)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        request.headers["Authorization"] = f"OCP-ACCESS-KEY-HMACSHA1 {self.access_key}:{self.sign(request)}"
        yield request

    def sign(self, request: httpx2.Request) -> str:
        """Return the signature."""
        digest = hashlib.md5(request.content, usedforsecurity=False).hexdigest().upper() if request.content else ""
        headers = [request.headers.get(name, "") for name in ("Content-Type", "Date", "Host")]
        ocp = sorted(f"{name}:{value}" for name, value in request.headers.items() if name.startswith("x-ocp-"))
        path, _, query = request.url.raw_path.decode().partition("?")
        pairs = sorted([quote(unquote_plus(part), safe="") for part in pair.split("=", 1)] for pair in query.split("&"))
        path += "?" + "&".join("=".join(pair) for pair in pairs) if query else ""
        text = "\n".join([request.method, digest, *headers, "\n".join(ocp), path])
        key = self.secret_key.encode()
        return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha1).digest()).decode()
