"""Messages of the bus that nobody could carry out: stream SET-ASIDE keeps each with its reason, for administrators.

Whole up to 200 KiB, so that it can be tried again; of a larger one the beginning. Full, the stream drops the oldest.
"""

import asyncio
import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nats.aio.client import Client

from services.api.bus.message import Message, kept
from services.api.bus.order import MAX_BODY
from shared.messages import headers, subjects
from shared.runtime.nats import ApiError, Unanswered, Unreachable, api, request

STREAM: Final = subjects.SET_ASIDE.upper()
KEEP_OF_LARGE: Final = 16 * 1024
"""How many bytes are kept of a body that is too large."""
_REASON, _WHY, _SUBJECT = "Opsledger-Reason", "Opsledger-Why", "Opsledger-Subject"
_SEQ, _STORED_AT, _SIZE = "Opsledger-Seq", "Opsledger-Stored-At", "Opsledger-Size"
_NO_MESSAGE: Final = 10037
_AT_ONCE: Final = 16


class AsideUnavailable(Exception):  # noqa: N818  what the world did
    """SET-ASIDE cannot be reached."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A message that was set aside. `message` is as the producer sent it; `size` is what its body had."""

    seq: int
    at: datetime
    reason: str
    why: str
    size: int
    message: Message

    @property
    def whole(self) -> bool:
        """Whether all of it is here, so that it can be tried again."""
        return self.size == len(self.message.body)


class SetAside:
    """The stream over one connection."""

    def __init__(self, client: Client, *, timeout: float = 5.0) -> None:
        self._client = client
        self._timeout = timeout

    async def put(self, message: Message, stamp: str, reason: str, why: str) -> None:
        """Store a message; `stamp` tells its stream from one of another creation. Raises `AsideUnavailable`."""
        body = message.body if len(message.body) <= MAX_BODY else message.body[:KEEP_OF_LARGE]
        about = {
            **message.headers,
            headers.MESSAGE_ID: f"{stamp}.{message.seq}",  # a redelivery within two minutes is not kept twice
            _REASON: reason,
            _WHY: ascii(why)[1:-1][:500],
            _SUBJECT: ascii(message.subject)[1:-1][:200],
            _SEQ: str(message.seq),
            _STORED_AT: message.stored_at.isoformat(),
            _SIZE: str(len(message.body)),
        }
        try:
            raw = await request(self._client, subjects.SET_ASIDE_COMMANDS, body, headers=about, timeout=self._timeout)
        except (Unreachable, Unanswered) as problem:
            raise AsideUnavailable(str(problem)) from problem
        error = json.loads(raw).get("error")
        if error:
            raise AsideUnavailable(f"{error.get('description')} ({error.get('err_code')})")

    async def get(self, seq: int) -> Aside | None:
        """Return one, or None. Raises `AsideUnavailable`."""
        try:
            answer = await self._ask(f"STREAM.MSG.GET.{STREAM}", {"seq": seq})
        except ApiError as error:
            if error.code == _NO_MESSAGE:
                return None
            raise AsideUnavailable(str(error)) from error
        return _aside(answer["message"])

    async def page(self, before: int | None, size: int) -> list[Aside]:
        """Return up to `size`, the newest first, older than sequence `before`. Raises `AsideUnavailable`."""
        try:
            state = (await self._ask(f"STREAM.INFO.{STREAM}", {"deleted_details": True}))["state"]
        except ApiError as error:
            raise AsideUnavailable(str(error)) from error
        deleted = frozenset(state.get("deleted") or ())
        last = min(state["last_seq"], before - 1 if before is not None else state["last_seq"])
        there = (seq for seq in range(last, max(state["first_seq"], 1) - 1, -1) if seq not in deleted)
        found: list[Aside] = []
        while len(found) < size and (some := [seq for seq, _ in zip(there, range(_AT_ONCE), strict=False)]):
            found += [one for one in await asyncio.gather(*map(self.get, some)) if one is not None]
        return found[:size]

    async def remove(self, seq: int) -> bool:
        """Remove one; return whether it was there. Raises `AsideUnavailable`."""
        try:
            await self._ask(f"STREAM.MSG.DELETE.{STREAM}", {"seq": seq})
        except ApiError as error:
            if await self.get(seq) is None:
                return False
            raise AsideUnavailable(str(error)) from error
        return True

    async def _ask(self, call: str, query: dict[str, Any]) -> Any:
        try:
            return await api(self._client, call, query, timeout=self._timeout)
        except (Unreachable, Unanswered) as problem:
            raise AsideUnavailable(str(problem)) from problem


def _aside(raw: dict[str, Any]) -> Aside:
    block = base64.b64decode(raw.get("hdrs", "")).decode("utf-8", "replace")
    found = {name: value.strip() for name, _, value in (line.partition(":") for line in block.split("\r\n")[1:])}
    body = base64.b64decode(raw.get("data", ""))
    at = datetime.fromisoformat(raw["time"])
    stored_at = datetime.fromisoformat(found[_STORED_AT]) if _STORED_AT in found else at
    message = Message(int(found.get(_SEQ, "0")), found.get(_SUBJECT, ""), kept(found), body, stored_at)
    return Aside(
        seq=int(raw["seq"]),
        at=at,
        reason=found.get(_REASON, "unknown"),
        why=found.get(_WHY, ""),
        size=int(found.get(_SIZE, str(len(body)))),
        message=message,
    )
