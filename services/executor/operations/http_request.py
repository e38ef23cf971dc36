"""`http.request`: one HTTP request to where this executor is allowed to go (B20, S11).

A host name is resolved once, every address it has is checked, and the connection goes to exactly the address
checked; each hop of a redirect anew. No proxy of the environment is used. Refuses to interpret the body.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urljoin, urlsplit

import httpx2
from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator
from pydantic_core import to_json

from services.executor import egress
from services.executor.operations.contract import (
    Context,
    Delivery,
    Operation,
    Params,
    PermanentFault,
    TransientFault,
)

MAX_HOPS = 5
MAX_BODY = 1024 * 1024
KEPT_HEADERS = 64
Resolver = Callable[[str, int], Awaitable[list[egress.Address]]]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\t\x20-\x7e\x80-\xff]*$", max_length=8_192)]
StatusRange = Annotated[str, StringConstraints(pattern=r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$")]
_NEUTRAL = {"User-Agent", "Accept-Encoding", "Content-Type"}
_OURS = {"host", "content-length", "transfer-encoding", "connection", "idempotency-key", "accept-encoding"}


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the URL must begin with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user or password in a URL: use a header")
    _ = parts.port  # raises ValueError when it is not a port
    return url


def _any_success() -> list[str | int]:
    return ["200-299"]


class HttpRequestParams(Params):
    """What to send. `expect` lists statuses that mean success (`200`, `200-299`); `keep_bytes` of the body are kept."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    url: Annotated[str, StringConstraints(max_length=8_192, pattern=r"^[\x21-\x7e]+$"), AfterValidator(_web_address)]
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=100)] = Field(default_factory=dict)
    body: Annotated[str, StringConstraints(max_length=MAX_BODY)] | None = None
    json_body: JsonValue | None = Field(default=None, alias="json")
    expect: Annotated[list[StatusRange | Annotated[int, Field(ge=100, le=599)]], Field(min_length=1, max_length=50)] = (
        Field(default_factory=_any_success)
    )
    timeout: Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)] = 30.0
    follow_redirects: bool = False
    keep_bytes: Annotated[int, Field(ge=0, le=MAX_BODY)] = 16 * 1024

    @model_validator(mode="after")
    def _fits_together(self) -> "HttpRequestParams":
        if self.body is not None and self.json_body is not None:
            raise ValueError("give body or json, not both")
        ours = _OURS & {name.lower() for name in self.headers}
        if ours:
            raise ValueError(f"headers set by the operation itself: {', '.join(sorted(ours))}")
        return self

    def expects(self, status: int) -> bool:
        """Whether this status means success."""
        ranges = (str(item).split("-") for item in self.expect)
        return any(int(bounds[0]) <= status <= int(bounds[-1]) for bounds in ranges)


@dataclass(frozen=True, slots=True)
class _Hop:
    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None


async def resolve(host: str, port: int) -> list[egress.Address]:
    """Ask the system's resolver, once."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TransientFault(f"{host} cannot be resolved: {error}") from None
    return list(dict.fromkeys(ip_address(str(item[4][0]).partition("%")[0]) for item in found))


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context()  # honours SSL_CERT_FILE, for a company's own authority


class HttpRequest(Operation[HttpRequestParams]):
    """Sends one HTTP request and keeps status, headers and the beginning of the body.

    Redelivery is at most once unless the plan says otherwise: who knows that a request may be repeated (a GET, or a
    server that honours `Idempotency-Key`, which carries the task token) plans it with `delivery: at_least_once`.
    """

    name: ClassVar[str] = "http.request"
    delivery: ClassVar[Delivery] = "at_most_once"
    timeout: ClassVar[timedelta] = timedelta(minutes=10)

    def __init__(self, resolver: Resolver = resolve, tls: Callable[[], ssl.SSLContext] = _tls) -> None:
        self._resolve = resolver
        self._tls = tls

    async def execute(self, ctx: Context, params: HttpRequestParams) -> dict[str, Any]:
        """Send it, following redirects if asked to; a status that is not expected is a failure."""
        headers = {**params.headers, "Idempotency-Key": ctx.token, "Accept-Encoding": "identity"}
        headers.setdefault("User-Agent", "opsledger")
        body = params.body.encode() if params.body is not None else None
        if params.json_body is not None:
            body = to_json(params.json_body)
            headers.setdefault("Content-Type", "application/json")
        hop = _Hop(params.method, params.url, headers, body)
        try:
            async with asyncio.timeout(params.timeout):
                for _ in range(MAX_HOPS + 1):
                    answer = await ctx.unless_cancelled(self._send(ctx, hop, params.keep_bytes))
                    onward = answer["headers"].get("location") if params.follow_redirects else None
                    if onward is None or answer["status"] not in {301, 302, 303, 307, 308}:
                        return _judge(params, hop, answer)
                    hop = _next_hop(hop, answer["status"], onward)
        except TimeoutError:
            raise TransientFault(f"{params.method} {_shown(hop.url)}: no answer within {params.timeout:g} s.") from None
        raise PermanentFault(f"{params.method} {_shown(params.url)}: more than {MAX_HOPS} redirects.")

    async def _send(self, ctx: Context, hop: _Hop, keep: int) -> dict[str, Any]:
        parts = urlsplit(hop.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        rules = tuple(egress.Rule.parse(text) for text in ctx.policy.egress_allow)
        try:
            found = [ip_address(host)]
        except ValueError:
            found = await self._resolve(host, port)
        addresses = egress.check(host, port, found, rules)
        if not addresses:
            raise TransientFault(f"{host} has no address.")
        verify = self._tls() if parts.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        async with httpx2.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, timeout=None) as client:
            for place, address in enumerate(addresses, start=1):
                said = f"{hop.method} {_shown(hop.url)} (connecting to {address}, port {port})"
                ctx.log.info(said)
                request = _request(client, hop, host, address, port)
                try:
                    return await _exchange(client, request, keep)
                except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                    if place == len(addresses):
                        raise TransientFault(f"{host} ({address}), port {port}: no connection: {error}.") from None
                except httpx2.TransportError as error:
                    told = str(error) or type(error).__name__
                    raise TransientFault(f"{hop.method} {_shown(hop.url)}: the exchange broke off: {told}.") from None
        raise AssertionError("unreachable")


def _request(client: httpx2.AsyncClient, hop: _Hop, host: str, address: egress.Address, port: int) -> httpx2.Request:
    parts = urlsplit(hop.url)
    target = f"[{address}]" if address.version == 6 else str(address)
    url = parts._replace(netloc=f"{target}:{port}", fragment="").geturl()
    headers = {**hop.headers, "Host": parts.netloc}
    named = {} if parts.scheme == "http" else {"sni_hostname": host}
    return client.build_request(hop.method, url, headers=headers, content=hop.body, extensions=named)


async def _exchange(client: httpx2.AsyncClient, request: httpx2.Request, keep: int) -> dict[str, Any]:
    response = await client.send(request, stream=True)
    try:
        coding = response.headers.get("content-encoding", "identity")
        if coding != "identity":
            raise PermanentFault(f"The server answered in '{coding}' although it was asked not to compress.")
        body = bytearray()
        async for chunk in response.aiter_raw(64 * 1024):
            body += chunk[: keep + 1 - len(body)]
            if len(body) > keep:
                break
    finally:
        await response.aclose()
    return {
        "status": response.status_code,
        "headers": {name.lower(): value[:2_000] for name, value in list(response.headers.items())[:KEPT_HEADERS]},
        "body": bytes(body[:keep]).decode(response.charset_encoding or "utf-8", errors="replace"),
        "truncated": len(body) > keep,
    }


def _next_hop(hop: _Hop, status: int, location: str) -> _Hop:
    try:
        url = _web_address(urljoin(hop.url, location))
    except ValueError as error:
        raise PermanentFault(f"egress_denied: redirected to an address that is not allowed: {error}.") from None
    before, after = urlsplit(hop.url), urlsplit(url)
    if before.scheme == "https" and after.scheme == "http":
        raise PermanentFault("egress_denied: redirected from https to http.", {"kind": "EGRESS_DENIED"})
    headers = hop.headers
    if (before.hostname, before.port) != (after.hostname, after.port):
        # Credentials and tokens in headers were meant for the first host only.
        headers = {name: value for name, value in headers.items() if name in _NEUTRAL}
    if status == 303 or (status in {301, 302} and hop.method == "POST"):
        headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        return _Hop("HEAD" if hop.method == "HEAD" else "GET", url, headers, None)
    return _Hop(hop.method, url, headers, hop.body)


def _judge(params: HttpRequestParams, hop: _Hop, answer: dict[str, Any]) -> dict[str, Any]:
    status = answer["status"]
    if params.expects(status):
        return answer
    first = next((line.strip() for line in answer["body"].splitlines() if line.strip()), "")[:200]
    message = f"{hop.method} {_shown(hop.url)} answered {status}{': ' + first if first else '.'}"
    fault = TransientFault if status >= 500 or status in {408, 425, 429} else PermanentFault
    raise fault(message, {"status": status, "body": answer["body"][:2_000]})


def _shown(url: str) -> str:
    """Return the URL without its query, which often carries secrets."""
    return url.partition("?")[0][:500]
