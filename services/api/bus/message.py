"""A message of `commands.*` as it lies in the stream, wherever it was read from: the intake or what was set aside."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nats.aio.msg import Msg

from shared.messages import headers, signing

KEPT: Final = (
    signing.AUTHORIZATION,
    signing.DATE,
    headers.IDEMPOTENCY_KEY,
    headers.REPLY_TO,
    headers.TRACE,
)
"""The headers that mean something here. Others go no further: `Nats-…` ones would act on the stream they come to."""
MAX_HEADER: Final = 1024
MAX_KEY: Final = 128
_ADDRESS: Final = re.compile(r"_INBOX[A-Za-z0-9_-]{0,64}(\.[A-Za-z0-9_-]{1,64}){1,8}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """What a producer sent, and where and when it was stored."""

    seq: int
    subject: str
    headers: dict[str, str]
    body: bytes
    stored_at: datetime
    delivered: int = 1

    @classmethod
    def of(cls, message: Msg) -> "Message":
        """Return what a consumer delivered. Raises ValueError when its ack address is none of JetStream's."""
        delivered, seq, stored_at = _place(message.reply)
        return cls(seq, message.subject, kept(message.headers), message.data, stored_at, delivered)

    @property
    def word(self) -> str:
        """The command's word, as the subject gives it."""
        return self.subject.partition(".")[2]

    @property
    def reply_to(self) -> str | None:
        """Where the answer is wanted, None for nowhere.

        Only inboxes: an answer sent where the producer may not write itself would be written on its behalf (T29).
        """
        found = self.headers.get(headers.REPLY_TO, "")
        return found if len(found) <= 256 and _ADDRESS.fullmatch(found) else None

    @property
    def key(self) -> str | None:
        """The idempotency key as it was given."""
        return self.headers.get(headers.IDEMPOTENCY_KEY)


def is_key(text: str) -> bool:
    """Whether this can be an idempotency key: 1 to 128 printable ASCII characters (B5)."""
    return 1 <= len(text) <= MAX_KEY and text.isascii() and text.isprintable()


def kept(found: dict[str, str] | None) -> dict[str, str]:
    """Return the headers that mean something here, those that can be text at all."""
    wanted = {name: (found or {}).get(name) for name in KEPT}
    return {name: value for name, value in wanted.items() if isinstance(value, str) and _sound(value)}


def _sound(text: str) -> bool:
    return len(text) <= MAX_HEADER and text.isascii() and text.isprintable()


def _place(reply: str) -> tuple[int, int, datetime]:
    """Return how often it was delivered, its stream sequence and when it was stored, from the ack address."""
    tokens = (reply or "").split(".")
    offset = 0 if len(tokens) == 9 else 2
    if len(tokens) < 9 + offset:
        raise ValueError(f"no ack address: {reply!r}")
    stored_at = _EPOCH + timedelta(microseconds=int(tokens[7 + offset]) / 1000)
    return int(tokens[4 + offset]), int(tokens[5 + offset]), stored_at
