"""Bytes to commits and back. Strict about what it knows, lenient about event types it does not (I1)."""

import json
from hashlib import sha256

from pydantic import ValidationError

from shared.messages.commit import VERSION, Commit, LenientCommit
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
    except ValueError as problem:
        raise Undecodable("bad_json", f"not JSON: {problem}") from problem
    if not isinstance(raw, dict):
        raise Undecodable("bad_json", "not a JSON object")
    version = raw.get("v")
    if isinstance(version, int) and version > VERSION:
        raise Undecodable("newer_version", f"commit version {version}; this program reads up to {VERSION}")
    events = [
        event
        for decision in raw.get("decisions") or []
        if isinstance(decision, dict)
        for event in decision.get("events") or []
        if isinstance(event, dict)
    ]
    if not any(isinstance(event.get("type"), str) and event["type"] not in EVENT_TYPES for event in events):
        raise Undecodable("bad_commit", _first(error)) from error
    try:
        return LenientCommit.model_validate_json(body)
    except ValidationError as problem:
        raise Undecodable("bad_commit", _first(problem)) from problem


def _first(error: ValidationError) -> str:
    detail = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"
