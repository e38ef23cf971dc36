"""Bytes to commits and back. Strict about what it knows, lenient about event types it does not (I1)."""

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from shared.messages.commit import MAX_PAYLOAD, VERSION, Commit, LenientCommit
from shared.task.events import EVENT_TYPES


class Undecodable(Exception):  # noqa: N818  a fact about the message
    """The body is not a commit this version can read; `reason` is one word for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def encode(commit: Commit) -> bytes:
    """Return the body: JSON, absent values left out."""
    return commit.__pydantic_serializer__.to_json(commit, exclude_none=True)


def decode(body: bytes) -> Commit:
    """Return the commit in `body`, with unknown event types kept as `UnknownEvent`; raise `Undecodable`."""
    if len(body) > MAX_PAYLOAD:
        raise Undecodable("too_large", f"{len(body)} bytes; no commit has more than {MAX_PAYLOAD}")
    try:
        return Commit.__pydantic_validator__.validate_json(body)  # type: ignore[no-any-return]
    except ValidationError as error:
        return _decode_slowly(body, error)


def digest(body: bytes) -> str:
    """Return the SHA-256 of a commit body as hex: what the next commit names as `prev`."""
    return sha256(body).hexdigest()


def _decode_slowly(body: bytes, error: ValidationError) -> Commit:
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise Undecodable("bad_json", f"not JSON: {problem}") from problem
    if not isinstance(raw, dict):
        raise Undecodable("bad_json", "not a JSON object")
    version = raw.get("v")
    if isinstance(version, int) and version > VERSION:
        raise Undecodable("newer_version", f"commit version {version}; this program reads up to {VERSION}")
    if not any(kind not in EVENT_TYPES for kind in _event_types(raw)):
        raise Undecodable("bad_commit", _first(error)) from error
    try:
        return LenientCommit.model_validate_json(body)
    except ValidationError as problem:
        raise Undecodable("bad_commit", _first(problem)) from problem


def _event_types(raw: dict[str, Any]) -> Iterator[str]:
    for decision in _members(raw.get("decisions")):
        for event in _members(decision.get("events")):
            kind = event.get("type")
            if isinstance(kind, str):
                yield kind


def _members(value: object) -> list[dict[str, Any]]:
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


def _first(error: ValidationError) -> str:
    detail = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"
