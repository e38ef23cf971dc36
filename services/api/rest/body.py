"""Request bodies: bounded before they are read, JSON or nothing, and strict. Knows no schema."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from services.api.rest.errors import Problem
from services.api.strict_json import BadJson, loads

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_KEY: Final = 128
DRAIN_BYTES: Final = 32 * 1024 * 1024
DRAIN_SECONDS: Final = 2.0
_CLOSE: Final = {"Connection": "close"}


async def read_bytes(request: Request) -> bytes:
    """Return the body as it came. Raises `Problem`: 413, 400."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > MAX_BYTES:
        if "expect" not in request.headers:
            await _drain(request.stream())
        raise _too_large()
    return await _read(request)


async def read_json(request: Request) -> Any:
    """Return the body's JSON, None for no body. Raises `Problem`: 413, 415, 400."""
    headers = request.headers
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise Problem(415, 1005, "A compressed body is not accepted: send it as it is.", headers=_CLOSE)
    raw = await read_bytes(request)
    if not raw:
        return None
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in {"", "application/json"}:
        raise Problem(415, 1005, "A body is sent as Content-Type: application/json.")
    try:
        return loads(raw)
    except BadJson as error:
        raise Problem(400, 1001, f"The body is not JSON as it is accepted here: {error}.") from None


async def read_object(request: Request) -> dict[str, Any]:
    """Return the body, which must be a JSON object."""
    body = await read_json(request)
    if not isinstance(body, dict):
        code = 400 if body is None else 422
        raise Problem(code, 1001, "A JSON object is expected as the body.", target={"pointer": ""})
    return body


def idempotency_key(request: Request) -> str | None:
    """Return the key, or None when none is sent; one that is no key is 422 (B5)."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    key = given[0].strip()
    if len(set(given)) > 1 or not 1 <= len(key) <= MAX_KEY or not (key.isascii() and key.isprintable()):
        raise Problem(
            422,
            1001,
            f"Idempotency-Key is one text of 1 to {MAX_KEY} printable ASCII characters.",
            target={"header": "Idempotency-Key"},
        )
    return key


async def _read(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    stream = request.stream()
    try:
        async for piece in stream:
            size += len(piece)
            if size > MAX_BYTES:
                pieces.clear()
                await _drain(stream)
                raise _too_large()
            pieces.append(piece)
    except ClientDisconnect:
        raise Problem(400, 1001, "The body broke off.") from None
    return b"".join(pieces)


async def _drain(stream: AsyncGenerator[bytes, None]) -> None:
    """Throw away what is still coming, within bounds: a client that is writing would never see the answer."""
    left = DRAIN_BYTES
    with suppress(ClientDisconnect, TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for piece in stream:
                left -= len(piece)
                if left <= 0:
                    return


def _too_large() -> Problem:
    return Problem(413, 1004, f"The body is larger than {MAX_BYTES} bytes.", headers=_CLOSE)
