"""A response that lasts ends for each of its reasons, and leaves nothing behind."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from services.api.access import Principal, Role
from services.api.rest import exchange
from services.api.rest.errors import Problem
from services.api.rest.live import response as lasting
from services.api.rest.live.commits import Commits
from services.api.rest.live.history import Histories
from services.api.rest.live.response import EventStream
from services.api.rest.live.streams import Streams
from services.api.rest.live.tail import Tail
from shared.log.memory import MemoryStorage
from shared.log.transact import TaskLog

SOMEBODY = Principal(name="somebody", role=Role.TASK_VIEWER)


class Source:
    """Gives what it is given, then waits; notes whether it was closed."""

    def __init__(self, *chunks: bytes | None) -> None:
        self.chunks = list(chunks)
        self.opened = self.closed = 0

    async def open(self) -> None:
        """Begin."""
        self.opened += 1

    async def next(self, seconds: float) -> bytes | None:
        """Give the next one."""
        if self.chunks:
            return self.chunks.pop(0)
        await asyncio.sleep(seconds)
        return b""

    def beat(self) -> bytes:
        """Give a heartbeat."""
        return b": beat\n\n"

    async def close(self) -> None:
        """End."""
        self.closed += 1


class Client:
    """The other side of one request, as ASGI has it."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {"type": "http", "headers": [], "path": "/"}
        self.about = exchange.of(self.scope)
        self.about.principal = SOMEBODY
        self.rights: Principal | None = SOMEBODY
        self.about.again = self._again
        self.went = asyncio.Event()
        self.sent: list[dict[str, Any]] = []
        self.takes = True

    async def _again(self) -> Principal | None:
        return self.rights

    async def receive(self) -> dict[str, Any]:
        """Say when the client has gone."""
        await self.went.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take what is sent, or never."""
        if not self.takes and message["type"] == "http.response.body":
            await asyncio.Event().wait()
        self.sent.append(message)

    def stream(self, source: Source, streams: Streams) -> asyncio.Task[None]:
        """Serve."""
        answer = EventStream(Request(self.scope), source, streams)
        return asyncio.create_task(answer(self.scope, self.receive, self.send))

    @property
    def body(self) -> bytes:
        """What came."""
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def complete(self) -> bool:
        """Whether the response was ended in order."""
        return bool(self.sent) and self.sent[-1].get("more_body") is False


async def test_it_ends_with_its_source() -> None:
    """All that was given is sent, then the end; the source is closed and the place is free."""
    client, source, streams = Client(), Source(b"one", b"two", None), Streams(1)
    await client.stream(source, streams)
    assert (client.body, client.complete, source.closed, len(streams)) == (b"onetwo", True, 1, 0)


async def test_it_ends_when_the_client_goes() -> None:
    """No task is left."""
    client, source, streams = Client(), Source(b"one"), Streams(1)
    before = asyncio.all_tasks()
    serving = client.stream(source, streams)
    await asyncio.sleep(0)
    client.went.set()
    await asyncio.wait_for(serving, 2)
    assert (source.closed, len(streams), asyncio.all_tasks() - before) == (1, 0, set())


async def test_it_ends_when_the_process_stops() -> None:
    """In order, so that the client comes back with its position."""
    client, source, streams = Client(), Source(b"one"), Streams(1)
    serving = client.stream(source, streams)
    while not client.body:
        await asyncio.sleep(0)
    streams.end()
    await asyncio.wait_for(serving, 2)
    assert (client.complete, source.closed) == (True, 1)


@pytest.mark.parametrize("rights", [None, Principal(name="somebody", role=Role.TASK_VIEWER, teams=frozenset({"x"}))])
async def test_it_ends_when_the_rights_have_changed(rights: Principal | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Revoked, expired, or other teams: also while much is sent."""
    monkeypatch.setattr(lasting, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(lasting, "PACE", 0.01)
    client, source = Client(), Source(*[b"x"] * 1000)
    serving = client.stream(source, Streams(1))
    while client.body.count(b"x") < 10:
        await asyncio.sleep(0.01)
    client.rights = rights
    await asyncio.wait_for(serving, 2)
    assert client.complete
    assert len(client.body) < 900


async def test_who_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so long; the response is left broken, for a clean end would say that it was all."""
    monkeypatch.setattr(lasting, "SEND_SECONDS", 0.05)
    client, source, streams = Client(), Source(b"one"), Streams(1)
    client.takes = False
    await asyncio.wait_for(client.stream(source, streams), 2)
    assert (client.complete, source.closed, len(streams)) == (False, 1, 0)


async def test_silence_is_broken_by_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only silence is."""
    monkeypatch.setattr(lasting, "BEAT_SECONDS", 0.05)
    client, streams = Client(), Streams(1)
    serving = client.stream(Source(), streams)
    while client.body.count(b"beat") < 3:
        await asyncio.sleep(0.01)
    streams.end()
    await serving


async def test_a_refused_stream_opens_nothing() -> None:
    """The source is not begun."""
    client, source = Client(), Source()
    with pytest.raises(Problem):
        await client.stream(source, Streams(0))
    assert (client.sent, source.opened, source.closed) == ([], 0, 0)


async def test_another_log_resets_its_readers() -> None:
    """A log that was created anew, or is shorter, is said; reading goes on at its end."""
    log = TaskLog(MemoryStorage())
    tail = Tail(None, log)  # type: ignore[arg-type]  # placed by hand, it never reads

    async def last() -> int:
        return 700

    async def joined(_: object) -> None:
        return

    def never() -> Any:
        raise AssertionError

    tail._place({"created": "monday", "last_seq": 700})
    tail.join = joined  # type: ignore[method-assign,assignment]
    reader = Commits(tail, Histories(log), never, last, task_id=None, teams=None, after=690)
    await reader.open()
    assert b"event: open" in await reader.next(0.01)
    tail._place({"created": "monday", "last_seq": 900})
    assert tail.epoch == 0
    tail._place({"created": "tuesday", "last_seq": 5})
    told = await reader.next(0.01)
    assert b"event: reset" in told
    assert b"id: 5\n" in told
