"""How every process connects to NATS, and one request to JetStream's API. Knows no stream of ours by name."""

import asyncio
import json
from typing import Any
from urllib.parse import unquote, urlsplit

import nats
from faststream.nats.security import NatsUserPassword
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

MINIMUM_SERVER = (2, 15, 0)
"""Older servers have known bugs that lose what was acknowledged (reliability page §1)."""


class Unreachable(Exception):  # noqa: N818  what the world did
    """The request was surely not carried out: not connected, or nobody serves it."""


class Unanswered(Exception):  # noqa: N818  what the world did
    """The request was sent; whether it was carried out is not known."""


class ApiError(Exception):
    """JetStream answered with an error. `code` is its five-digit `err_code`, `status` the HTTP-like one."""

    def __init__(self, code: int, status: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code
        self.status = status


def options(url: str, *, name: str) -> dict[str, Any]:
    """Return the connection settings every client of ours uses.

    `pending_size=-1`: nothing is buffered while disconnected, else a "failed" command is published later (T4).
    Reconnects never end and pings find a half-open connection within 20 s (T19).
    """
    servers = [part.strip() for part in url.split(",") if part.strip()]
    first = urlsplit(servers[0])
    # addresses learned from a cluster carry no credentials: without these a reconnect to one of them is refused
    login = {"user": unquote(first.username), "password": unquote(first.password or "")} if first.username else {}
    return {
        "servers": servers,
        **login,
        "name": name,
        "pending_size": -1,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.25,
        "ping_interval": 10,
        "max_outstanding_pings": 2,
        "connect_timeout": 3,
    }


def broker_options(url: str, *, name: str) -> dict[str, Any]:
    """Return the same settings as FastStream's broker takes them: the login apart from the addresses."""
    found = options(url, name=name)
    user, password = found.pop("user", None), found.pop("password", "")
    if user is not None:
        found["servers"] = [without_login(server) for server in found["servers"]]
        found["security"] = NatsUserPassword(user, password)
    return found


def without_login(server: str) -> str:
    """Return an address without its credentials: fit to be shown."""
    scheme, separator, rest = server.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


async def connect(url: str, *, name: str) -> Client:
    """Connect outside of a FastStream application: jobs, tests, benchmarks."""
    return await nats.connect(**options(url, name=name))


def check_version(client: Client) -> str | None:
    """Return what is wrong with the server's version, or None."""
    version = client.connected_server_version
    found = (version.major, version.minor, version.patch)
    if found >= MINIMUM_SERVER:
        return None
    return f"nats-server {'.'.join(map(str, found))} is too old: opsledger needs {'.'.join(map(str, MINIMUM_SERVER))}"


async def request(
    client: Client,
    subject: str,
    payload: bytes,
    *,
    headers: dict[str, str] | None = None,
    timeout: float = 5.0,  # noqa: ASYNC109  the caller's patience, in seconds
) -> bytes:
    """Send a request and return the answer's bytes; raise `Unreachable` or `Unanswered`."""
    if not client.is_connected:
        raise Unreachable("not connected to NATS")
    try:
        answer = await client.request(subject, payload, timeout=timeout, headers=headers)
    except NoRespondersError as error:
        raise Unreachable("nobody serves the request") from error
    except (NatsTimeoutError, TimeoutError) as error:
        raise Unanswered("no answer in time") from error
    except asyncio.CancelledError:
        if client.is_closed or not client.is_connected:
            raise Unanswered("the connection went away") from None
        raise
    except (NatsError, OSError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
    return answer.data


async def api(
    client: Client,
    call: str,
    payload: dict[str, Any] | None = None,
    *,
    timeout: float = 5.0,  # noqa: ASYNC109  the caller's patience, in seconds
) -> Any:
    """Call JetStream's API and return the answer; raise `ApiError`, `Unreachable` or `Unanswered`."""
    body = json.dumps(payload).encode() if payload is not None else b""
    answer = json.loads(await request(client, f"$JS.API.{call}", body, timeout=timeout))
    error = answer.get("error")
    if error:
        raise ApiError(int(error.get("err_code", 0)), int(error.get("code", 0)), str(error.get("description", "")))
    return answer
