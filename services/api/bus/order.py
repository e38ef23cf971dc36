"""From a message to what somebody asks of `Commands`: everything is checked before anything is decided.

Size, subject, signature, time, key, JSON, schema, in this order: nothing of a stranger's body is parsed. What does
not pass is `Unfit`, with one word for programs and an answer. Knows neither streams nor the log.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from services.api.access import COMMANDS, Principal
from services.api.asked import SUBTASK_WORDS, Act, Asked, Create, act
from services.api.bus.message import MAX_KEY, Message, is_key
from services.api.bus.shapes import CommandBody
from services.api.failure import Failure, failure_of, forbidden
from services.api.invalid import Invalid
from services.api.strict_json import BadJson, loads
from shared.messages import headers, signing
from shared.task.ids import split_subtask_id
from shared.task.refusals import SubtaskNotFound

SecretOf = Callable[[str], tuple[str, Principal] | None]
"""An access key's secret and whom it stands for, while it is valid."""
MAX_BODY: Final = 200 * 1024
VIA: Final = "bus"
_STRANGER: Final = Failure(401, 3000, "Sign the message with a valid access key, within 15 minutes of sending it.")
"""The same for all who cannot show who they are (B1)."""


class Unfit(Exception):  # noqa: N818  a fact about the message
    """Nobody can carry the message out. `reason` is one word for programs, `why` is for administrators alone."""

    def __init__(self, reason: str, why: str, failure: Failure) -> None:
        super().__init__(why)
        self.reason, self.why, self.failure = reason, why, failure


class Denied(Exception):  # noqa: N818  a fact about the producer
    """The producer is known, and its command is refused before it reaches a task."""

    def __init__(self, name: str, failure: Failure) -> None:
        super().__init__(failure.message)
        self.name, self.failure = name, failure


@dataclass(frozen=True, slots=True)
class Order:
    """A command somebody may give. `task_id` is None for a creation."""

    word: str
    command: Create | Act
    asked: Asked
    task_id: int | None = None


def key_of(message: Message) -> str | None:
    """Return the message's idempotency key, given or derived from its signature; None when it has neither."""
    if message.key is not None:
        return message.key if is_key(message.key) else None
    signature = signing.parse(message.headers.get(signing.AUTHORIZATION, ""))
    return signature.digest if signature is not None else None


def read(message: Message, secret_of: SecretOf) -> Order:
    """Return what the message asks for. Raises `Unfit`, `Denied` or a `Refusal`."""
    if len(message.body) > MAX_BODY:
        raise Unfit(
            "too_large",
            f"{len(message.body)} bytes",
            Failure(413, 1004, f"The body is larger than {MAX_BODY} bytes; REST takes larger ones."),
        )
    word = message.word
    if word not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise Unfit("unknown_command", word[:100], Failure(404, 1002, f"There is no such command. Known: {known}."))
    principal = _signer(message, secret_of)
    key = key_of(message)
    if key is None:
        text = f"Idempotency-Key is one text of 1 to {MAX_KEY} printable ASCII characters."
        raise Unfit("bad_key", text, Failure(422, 1001, text, {"header": headers.IDEMPOTENCY_KEY}))
    if not principal.may(COMMANDS[word]):
        raise Denied(principal.name, forbidden(principal, COMMANDS[word]))
    body = _json(message.body)
    if word == "create":
        return Order(word, Create(body), Asked.by(principal, VIA, key))
    return _on_task(word, body, principal, key)


def _signer(message: Message, secret_of: SecretOf) -> Principal:
    header, date = message.headers.get(signing.AUTHORIZATION), message.headers.get(signing.DATE, "")
    if header is None:
        raise Unfit("unsigned", "no Authorization header", _STRANGER)
    signature = signing.parse(header)
    if signature is None:
        raise Unfit("unsigned", f"the Authorization header is no {signing.SCHEME}", _STRANGER)
    found = secret_of(signature.access_key)
    if found is None:
        raise Unfit("unknown_producer", f"access key {signature.access_key} is unknown or expired", _STRANGER)
    secret, principal = found
    if not signature.fits(secret, message.subject, date, message.key, message.body):
        raise Unfit("bad_signature", f"not what {principal.name} would have signed", _STRANGER)
    at = signing.signed_at(date)
    if at is None:
        raise Unfit("stale", "the Date header is no time with a zone", _STRANGER)
    apart = abs(at - message.stored_at)
    if apart > signing.WINDOW:
        raise Unfit("stale", f"signed {_rounded(apart)} from the time it was stored", _STRANGER)
    return principal


def _rounded(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))


def _json(raw: bytes) -> dict[str, Any]:
    try:
        body = loads(raw)
    except BadJson as error:
        text = f"The body is not JSON as it is accepted here: {error}."
        raise Unfit("bad_json", str(error), Failure(400, 1001, text)) from None
    if not isinstance(body, dict):
        raise unfit(Invalid.at([], "A JSON object is expected as the body."))
    return body


def _on_task(word: str, body: dict[str, Any], principal: Principal, key: str) -> Order:
    try:
        found = CommandBody.model_validate(body, strict=True)
    except ValidationError as error:
        raise unfit(Invalid.of(error)) from None
    number = None
    if found.subtask is not None:
        if word not in SUBTASK_WORDS:
            raise unfit(Invalid.at(["subtask"], f"There is no {word} of a subtask, only of a task."))
        owner, number = split_subtask_id(found.subtask)
        if owner != found.task or number < 1:
            raise SubtaskNotFound(f"The subtask {found.subtask} does not exist in task {found.task}.")
    reason = found.reason or None
    sent = {"reason": reason} if reason is not None else None  # as over REST: a key is good for both doors
    command = act(found.task, word, number, version=found.version, body=sent)
    return Order(word, command, Asked.by(principal, VIA, key, reason), found.task)


def unfit(error: Exception) -> Unfit:
    """Return what to make of a body that does not fit: `Invalid`, `PlanInvalid` or `CommitTooLarge`."""
    failure = failure_of(error)
    assert failure is not None  # noqa: S101  only asked of what it knows
    return Unfit("invalid" if failure.status != 413 else "too_large", failure.message, failure)
