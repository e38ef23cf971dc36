"""Who is let in, and how fast: verifies the credential of a request, and keeps to the limits on asking and on failing.

A signed request's body is read here, bounded, because the signature covers it; the route reads it again from memory.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from services.api.access import Principal
from services.api.console.session import COOKIE, Sessions
from services.api.credentials import Credentials
from services.api.identity import sdk_signing, signing
from services.api.identity.limits import Pace, network
from services.api.identity.replay import Replays
from services.api.rest import exchange
from services.api.rest.body import read_bytes
from services.api.rest.errors import Problem
from services.api.rest.huawei.errors import PREFIX as HUAWEI
from services.api.rest.policy import for_programs
from shared.runtime.clock import now
from shared.store.kv import BucketUnavailable

Signed = signing.OcpSigned | sdk_signing.SdkSigned
_SIGNED: Final[dict[str, type[Signed]]] = {
    signing.SCHEME.lower(): signing.OcpSigned,
    sdk_signing.SCHEME.lower(): sdk_signing.SdkSigned,
}
"""How a request is signed, by the scheme that its `Authorization` begins with."""


class Admission:
    """The door. One per process. A pace whose rate is 0 limits nobody."""

    def __init__(
        self, credentials: Credentials, sessions: Sessions, replays: Replays, pace: Pace, failures: Pace
    ) -> None:
        self._credentials = credentials
        self._sessions = sessions
        self._replays = replays
        self._pace = pace if pace.rate > 0 else None
        self._failures = failures if failures.rate > 0 else None
        self._limit = (b"ratelimit-limit", str(int(pace.burst)).encode())

    async def enter(self, scope: Scope, receive: Receive) -> Receive:
        """Put whoever asks into the request's exchange; return where its body is to be read from.

        Raises `Problem`: 429, and for signed requests 400 and 413; `BucketUnavailable`.
        """
        header, about = authorization(scope), exchange.of(scope)
        signed = _SIGNED.get(header.partition(" ")[0].lower()) if header is not None else None
        if header is None:
            await self._browser(scope, about)
        elif signed is not None:
            path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
            request = signed(header, scope["method"], path, query, scope["headers"])
            receive = await self._signed(scope, receive, request, about)
        else:
            kept = self._credentials.recall(header)
            if kept is not None:
                about.principal = kept[1]
            elif self._credentials.checking(header):
                about.principal = await self._credentials.verify(header)
            else:
                async with self._attempt(scope, about):
                    about.principal = await self._credentials.verify(header)
            about.again = lambda: self._credentials.verify(header)
        if about.principal is not None and self._pace is not None:
            self._count(about, about.principal, self._pace)
        return receive

    async def password_is(self, scope: Scope, name: str, password: str) -> bool:
        """Whether this is the user's password; a wrong one counts as a failure to log in. Raises 429."""
        address = network((scope.get("client") or ("",))[0])
        self._take(address)
        if not await self._credentials.password_is(name, password):
            return False
        self._give_back(address)
        return True

    async def _browser(self, scope: Scope, about: exchange.Exchange) -> None:
        """Know a browser by its cookie. That opens what only reads, and the console's forms; never the API's commands.

        A form's own token is verified where the form is read. To guess ids of sessions counts as failing to log in.
        """
        reads = scope["method"] in {"GET", "HEAD"}
        cookie = Request(scope).cookies.get(COOKIE)
        if cookie and (reads or (scope["method"] == "POST" and not for_programs(scope["path"]))):
            about.claim = "no session of now"
            if self._sessions.knows(cookie):
                about.principal = self._sessions.remembered(cookie)
            else:
                async with self._attempt(scope, about):
                    about.principal = await self._sessions.principal(cookie)
            about.session = cookie if about.principal is not None else None
            about.again = lambda: self._still(cookie)

    async def _still(self, cookie: str) -> Principal | None:
        return self._sessions.remembered(cookie)

    def _count(self, about: exchange.Exchange, principal: Principal, pace: Pace) -> None:
        left = pace.take(principal.name)
        about.limits = [
            self._limit,
            (b"ratelimit-remaining", b"%d" % max(0, int(left))),
            (b"ratelimit-reset", b"%d" % pace.reset(left)),
        ]
        if left < 0:
            message = f"Too many requests: {pace.rate:g} a second, {int(pace.burst)} at once."
            raise Problem(429, 0, message, headers={"Retry-After": str(pace.wait(left))})

    @asynccontextmanager
    async def _attempt(self, scope: Scope, about: exchange.Exchange) -> AsyncIterator[None]:
        """Count an attempt as failed from its beginning on, unless somebody is found. Raises 429 after too many."""
        address = network((scope.get("client") or ("",))[0])
        self._take(address)
        try:
            yield
        except BucketUnavailable:  # it was nobody's fault
            self._give_back(address)
            raise
        if about.principal is not None:
            self._give_back(address)

    def _take(self, address: str) -> None:
        if self._failures is not None and (left := self._failures.take(address)) < 0:
            wait = str(self._failures.wait(left))
            raise Problem(429, 0, "Too many failed logins from this address.", headers={"Retry-After": wait})

    def _give_back(self, address: str) -> None:
        if self._failures is not None:
            self._failures.give_back(address)

    async def _signed(self, scope: Scope, receive: Receive, request: Signed, about: exchange.Exchange) -> Receive:
        """Verify a signature: what costs nothing first, then what needs the body, then what needs the store.

        Unlike passwords, signatures are verified every time, many at once: only those that fail are counted.
        """
        address = network((scope.get("client") or ("",))[0])
        self._take(address)
        self._give_back(address)
        claimed = request.claimed
        found = self._credentials.secret_of(claimed.access_key) if claimed is not None else None
        if claimed is not None and found is not None and request.fresh(now()):
            body = await read_bytes(Request(scope, receive))
            receive = _again(body, receive)
            connection = scope.get("client") if isinstance(request, sdk_signing.SdkSigned) else None
            once = connection and (str(connection[0]), int(connection[1]))
            if request.right(found[0], body) and await self._replays.first(scope["method"], claimed, once):
                about.principal = found[1]
                about.again = lambda: self._owner(claimed.access_key)
                return receive
        if self._failures is not None:
            self._failures.take(address)
        return receive

    async def _owner(self, access_key: str) -> Principal | None:
        found = self._credentials.secret_of(access_key)
        return found[1] if found is not None else None


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a receiver that gives the body, which was read already, and then what else comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received


def authorization(scope: Scope) -> str | None:
    """Return the credential, None when there is none, or more than one.

    Huawei's clients may send a token in a header of its own: where their API is, that is a bearer token.
    """
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    if not found and scope["path"].startswith(HUAWEI):
        found = [b"Bearer " + value for name, value in scope["headers"] if name == b"x-auth-token"]
    return found[0].decode("latin-1") if len(found) == 1 else None
