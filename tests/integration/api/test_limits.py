"""Limits on asking: the rate of a principal, failed logins of an address, the size of a head, and what is logged."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
import structlog

from services.api.access import Role
from services.api.rest import wire
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused, served
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ME = "/api/v2/me"
BURST = 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def limited(module_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedApi]:
    """An API that lets 5 requests a second of each principal through, 20 at once."""
    url = f"sqlite:///{tmp_path_factory.mktemp('limited')}/view.db"
    async with served(module_nats.url, url, rate_per_second=5, rate_burst=BURST) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wary(module_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedApi]:
    """An API that lets an address fail ten times a minute."""
    url = f"sqlite:///{tmp_path_factory.mktemp('wary')}/view.db"
    async with served(module_nats.url, url, login_failures_per_minute=10) as found:
        yield found


async def test_whoever_asks_too_fast_is_told_when_to_come_back(limited: ServedApi) -> None:
    """The headers count down; then 429 with OCP's code 0 and Retry-After (B19); others are not held up; it passes."""
    hasty, calm = await limited.bearer(Role.TASK_MANAGER, name="hasty"), await limited.bearer(Role.TASK_VIEWER)
    answers = await asyncio.gather(*(hasty.get(ME) for _ in range(BURST + 10)))
    good = [answer for answer in answers if answer.status_code == 200]
    late = [answer for answer in answers if answer.status_code == 429]
    assert len(good) + len(late) == len(answers)
    assert BURST <= len(good) < BURST + 5
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {str(BURST)}
    left = sorted((int(answer.headers["ratelimit-remaining"]) for answer in good), reverse=True)
    assert left[0] == BURST - 1
    for answer in late:
        assert refused(answer, 429, 0)
        assert 1 <= int(answer.headers["retry-after"]) <= 2
        assert 1 <= int(answer.headers["ratelimit-reset"]) <= 5
    refused(await hasty.post(INSTANCES, json=plan()), 429, 0)
    assert (await calm.get(ME)).status_code == 200

    async def again() -> bool:
        return (await hasty.get(ME)).status_code == 200

    await eventually(again, timeout=5, interval=0.3)


async def test_guessing_is_slowed_down(wary: ServedApi) -> None:
    """After ten failures in a minute every further attempt of an address is 429, unchecked; known ones go on."""
    known = await wary.bearer(Role.TASK_VIEWER, name="known")
    assert (await known.get(ME)).status_code == 200
    async with wary.client() as guesser:
        statuses = [
            (await guesser.get(ME, headers={"Authorization": f"Bearer ol_00000000000{n:x}_x"})).status_code
            for n in range(12)
        ]
        late = await guesser.get(ME, auth=("admin", "wrong"))
        signed = await guesser.get(ME, headers={"Authorization": "OCP-ACCESS-KEY-HMACSHA1 olk_1:x"})
        missing = await guesser.get(ME)
    assert statuses == [401] * 10 + [429] * 2
    for answer in (late, signed):
        refused(answer, 429, 0)
        assert int(answer.headers["retry-after"]) >= 1
        assert "ratelimit-limit" not in answer.headers
    refused(missing, 401, 3000)
    assert (await known.get(ME)).status_code == 200


async def test_without_limits_there_are_no_headers(api: ServedApi) -> None:
    """A rate of 0 is off."""
    answers = await asyncio.gather(*(api.admin.get(ME) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert not [name for name in answers[0].headers if name.startswith("ratelimit")]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"{INSTANCES}?name={'a' * 17_000}", {}, 414),
        (ME, {"X-Large": "a" * 33_000}, 431),
        (ME, {f"X-{number}": "a" * 100 for number in range(400)}, 431),
    ],
)
async def test_large_heads_are_refused(api: ServedApi, path: str, headers: dict[str, str], status: int) -> None:
    """Before anything is looked up, for strangers as well."""
    refused(await api.admin.get(path, headers=headers), status, 1001)
    async with api.client() as stranger:
        refused(await stranger.get(path, headers=headers), status, 1001)


async def test_a_head_without_end_is_cut_off(api: ServedApi) -> None:
    """It is not gathered in memory: the connection is closed soon after the limit."""
    for line in (b"X-Endless: ", b"GET /", b"X-Many: 1\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
        if not line.startswith(b"GET"):
            writer.write(b"GET /api/v2/me HTTP/1.1\r\nHost: x\r\n")
        sent = 0
        piece = line * 4096 if line.endswith(b"\n") else b"a" * 16_384
        writer.write(line)
        with suppress(ConnectionError, TimeoutError):
            while sent < 64 * wire.MAX_HEAD and not reader.at_eof():
                writer.write(piece)
                sent += len(piece)
                await asyncio.wait_for(writer.drain(), 5)
        answer = b""
        with suppress(ConnectionError):
            answer = await asyncio.wait_for(reader.read(), 5)
        assert sent < 64 * wire.MAX_HEAD or b" 431 " in answer
        writer.close()


async def test_a_head_that_never_ends_is_not_waited_for(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from a connection that says nothing nor from one that stops in the middle, also after a good request."""
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.3)
    login = base64.b64encode(b"admin:correct horse").decode()
    good = f"GET {ME} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n\r\n".encode()
    for begun in (b"", b"GET / HT", good + b"GET / HTTP/1.1\r\nHos"):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
        writer.write(begun)
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 200" if begun.startswith(good) else b"")
        writer.close()


async def test_denied_requests_are_logged_without_secrets(api: ServedApi) -> None:
    """One line each says who, what and where; a flood of them is counted in the next line."""
    viewer = await api.bearer(Role.TASK_VIEWER, name="nosy")
    token = str(viewer.headers["authorization"])
    with structlog.testing.capture_logs() as logs:
        await viewer.post(f"{INSTANCES}?token=hush", json=plan())
        async with api.client() as stranger:
            await stranger.get("/x\u202e%0aforged", auth=("admin", "hunter2hunter2"))
            await stranger.get(ME, auth=("my-password-by-mistake", "x"))
            await stranger.get(ME, headers={"Authorization": "Bearer " + token[7:-3] + "abc"})
    denied = [line for line in logs if line["event"] == "denied"]
    assert [(line["status"], line["who"], line["method"]) for line in denied] == [
        (403, "nosy", "POST"),
        (401, "user admin", "GET"),
        (401, "unknown user", "GET"),
        (401, f"token {token.split('_')[1]}", "GET"),
    ]
    assert {line["client"] for line in denied} == {"127.0.0.1"}
    assert all(len(line["trace_id"]) == 16 for line in denied)
    text = json.dumps(denied)
    for secret in ("hunter2", "mistake", "hush", token[7:], "\\u202e\\n"):
        assert secret not in text, secret
    assert denied[1]["path"] == "/x\\u202e\\nforged"

    with structlog.testing.capture_logs() as logs:
        async with api.client() as stranger:
            await asyncio.gather(*(stranger.get(ME) for _ in range(150)))

            async def written() -> list[Any]:
                await stranger.get(ME)
                return [line["unwritten"] for line in logs if "unwritten" in line]

            assert sum(await eventually(written, timeout=5)) > 0
    assert len([line for line in logs if line["event"] == "denied"]) < 120
