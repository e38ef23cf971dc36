"""The log on JetStream: the only place that knows the stream TASKS by name.

One exact subject per task and `Nats-Expected-Last-Subject-Sequence` on every append: the broker is the referee (T7).
Reads come in batches by Direct Get and are confirmed by the leader where replicas may lag (T27).
"""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.log.port import Ambiguous, Conflict, Duplicate, LogRefused, NotStored, Stored
from shared.messages import headers, subjects
from shared.runtime.direct import BatchReads
from shared.runtime.nats import ApiError, Unanswered, Unreachable, api, request

__all__ = ["JetStreamStorage", "LogRefused", "parse_time"]

WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
NO_MESSAGE = 10037
STORE_FULL = 10077
BATCH = 512
TIMEOUT = 5.0


def parse_time(text: str) -> datetime:
    """Return a server's RFC 3339 time with nanoseconds as an aware datetime."""
    body = text.rstrip("Z")
    head, _, fraction = body.partition(".")
    return datetime.fromisoformat(f"{head}.{fraction[:6]:0<6}").replace(tzinfo=UTC)


class JetStreamStorage:
    """TASKS over one connection."""

    def __init__(self, client: Client, *, timeout: float = TIMEOUT) -> None:
        self.client = client
        self._timeout = timeout
        self._reads = BatchReads(client)
        self.replicas = 1
        self.created = ""

    async def open(self) -> None:
        """Look at the stream: it must exist. Raises `ApiError` (404 without `opsledger init`), `Unreachable`."""
        info = await api(self.client, f"STREAM.INFO.{subjects.TASKS}", timeout=self._timeout)
        self.replicas = int(info["config"].get("num_replicas", 1))
        self.created = str(info["created"])

    async def append(self, task_id: int, commit_id: str, body: bytes, expected: int) -> int:
        """Publish a commit and return its stream sequence; see `Storage.append` for what it raises."""
        try:
            raw = await request(
                self.client,
                subjects.task(task_id),
                body,
                headers=headers.of_commit(commit_id, task_id, expected),
                timeout=self._timeout,
            )
        except Unreachable as problem:
            raise NotStored(str(problem)) from problem
        except Unanswered as problem:
            raise Ambiguous(str(problem)) from problem
        answer = json.loads(raw)
        error = answer.get("error")  # an error answer carries "seq": 0 as well: look here first
        if error is None:
            if answer.get("duplicate"):
                raise Duplicate(f"stored before at {answer['seq']}")
            return int(answer["seq"])
        code = int(error.get("err_code", 0))
        if code in WRONG_LAST_SEQUENCE:
            raise Conflict(str(error.get("description")))
        if int(error.get("code", 0)) == 503 and code != STORE_FULL:
            raise NotStored(f"{error.get('description')} ({code})")
        raise LogRefused(f"The log takes no more: {error.get('description')} ({code}).")

    async def read(self, task_id: int, after: int = 0, *, limit: int | None = None) -> list[Stored]:
        """Return the task's messages behind `after`: a Direct Get batch, then the leader's word on what follows."""
        subject = subjects.task(task_id)
        found: list[Stored] = []
        start = after
        while limit is None or len(found) < limit:
            wanted = BATCH if limit is None else min(BATCH, limit - len(found))
            try:
                batch, more = await self._reads.read(subjects.TASKS, subject, start, wanted, self._timeout)
            except Unreachable as problem:
                raise NotStored(str(problem)) from problem
            found.extend(_stored(message) for message in batch)
            start = found[-1].seq if found else after
            if not batch or not more:
                break
        if self.replicas > 1:
            while limit is None or len(found) < limit:
                message = await self._get({"seq": start + 1, "next_by_subj": subject})
                if message is None:
                    break
                found.append(message)
                start = message.seq
        return found

    async def last(self, task_id: int) -> int:
        """Return the leader's last sequence of the task's subject."""
        message = await self._get({"last_by_subj": subjects.task(task_id)})
        return message.seq if message is not None else 0

    async def tail(self) -> dict[str, Any]:
        """Return the stream's state: `created`, `first_seq`, `last_seq`. Raises `NotStored`."""
        try:
            info = await api(self.client, f"STREAM.INFO.{subjects.TASKS}", timeout=self._timeout)
        except (ApiError, Unreachable, Unanswered) as problem:
            raise NotStored(str(problem)) from problem
        state = info["state"]
        return {"created": info["created"], "first_seq": state["first_seq"], "last_seq": state["last_seq"]}

    async def get(self, seq: int) -> Stored | None:
        """Return the leader's message at exactly this stream sequence, or None."""
        return await self._get({"seq": seq})

    async def _get(self, query: dict[str, Any]) -> Stored | None:
        try:
            answer = await api(self.client, f"STREAM.MSG.GET.{subjects.TASKS}", query, timeout=self._timeout)
        except ApiError as error:
            if error.code == NO_MESSAGE:
                return None
            raise NotStored(str(error)) from error
        except (Unreachable, Unanswered) as problem:
            raise NotStored(str(problem)) from problem
        message = answer["message"]
        raw = base64.b64decode(message.get("hdrs", "")).decode("utf-8", "replace")
        return Stored(
            seq=int(message["seq"]),
            id=_header(raw, headers.MESSAGE_ID),
            body=base64.b64decode(message.get("data", "")),
            stored_at=parse_time(message["time"]),
        )


def _header(block: str, name: str) -> str:
    for line in block.split("\r\n"):
        key, separator, value = line.partition(":")
        if separator and key == name:
            return value.strip()
    return ""


def _stored(message: Msg) -> Stored:
    found = message.headers or {}
    return Stored(
        seq=int(found[headers.SEQUENCE]),
        id=found.get(headers.MESSAGE_ID, ""),
        body=message.data,
        stored_at=parse_time(found[headers.TIME]),
    )
