"""OCP's signed requests against a running API: reads, commands, bodies; and forged, old, replayed or changed ones."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from shared.messages import subjects
from shared.store.kv import Bucket
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused, served
from tests.support.eventually import eventually
from tests.support.signed import Signed

pytestmark = pytest.mark.asyncio(loop_scope="module")

ME = "/api/v2/me"
Pair = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(api: ServedApi) -> Pair:
    """A token with a key pair."""
    answer = await api.admin.post("/api/v2/tokens", json={"name": "robot", "role": "TASK_MANAGER"})
    found: Pair = answer.json()["data"]
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(api: ServedApi, pair: Pair) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that signs."""
    async with api.client(auth=Signed(pair["access_key"], pair["secret_key"])) as found:
        yield found


async def test_signed_requests_read_and_command(api: ServedApi, client: httpx2.AsyncClient) -> None:
    """Parameters in any order and writing, bodies, headers of OCP's own; the actor is the token's name."""
    assert (await client.get(ME)).json()["data"]["name"] == "robot"
    made = await client.post(INSTANCES, json=plan(name="名前 & co"), headers={"X-Ocp-Origin": "robot"})
    assert made.status_code == 201, made.text
    task = made.json()["data"]
    assert task["creator"]["name"] == "robot"
    for query in (
        "status=RUNNING,FAILED&size=5&name=a%20b",
        "size=5&name=%E5%90%8D&name=%E5%90%8D",
        "name=a+b&sort=id,desc",
        "name=50%25",
        "hostId=&page=1",
    ):
        assert (await client.get(f"{INSTANCES}?{query}")).status_code == 200, query
    cancelled = await client.post(f"{INSTANCES}/{task['id']}/cancel", headers={"x-ocp-b": "2", "x-ocp-a": "1"})
    assert cancelled.status_code == 200, cancelled.text
    assert (await client.get("/docs/assets/swagger-ui.css")).status_code == 200


async def test_reads_may_come_twice_and_commands_once(api: ServedApi, pair: Pair, tmp_path: Path) -> None:
    """The same signed command is refused the second time, on the same process and on another one."""
    at = datetime.now(UTC)
    auth = Signed(pair["access_key"], pair["secret_key"], at)
    async with (
        served(api.settings.nats_url, f"sqlite:///{tmp_path}/view.db") as other,
        api.client(auth=auth) as here,
    ):
        for _ in range(3):
            assert (await here.get(ME)).status_code == 200
        host = {"Host": here.base_url.netloc.decode()}
        request = here.build_request("POST", INSTANCES, json=plan(name="once"))
        assert (await here.send(request)).status_code == 201
        before = await api.last_seq()
        refused(await here.send(request), 401, 3000)
        async with other.client() as there:
            again = there.build_request("POST", INSTANCES, content=request.content, headers=request.headers)
            again.headers.update(host)
            refused(await there.send(again), 401, 3000)
        assert await api.last_seq() == before
        fresh = here.build_request("POST", INSTANCES, json=plan(name="once"), headers={"x-ocp-nonce": "2"})
        assert (await here.send(fresh)).status_code == 201


async def test_many_copies_at_once_are_one(api: ServedApi, pair: Pair) -> None:
    """Twenty copies of one signed command, side by side: one is carried out."""
    auth = Signed(pair["access_key"], pair["secret_key"])
    async with api.client(auth=auth) as client:
        request = client.build_request("POST", INSTANCES, json=plan(name="copies"))
        list(auth.auth_flow(request))
    async with api.client() as client:
        answers = await asyncio.gather(
            *(client.request("POST", INSTANCES, content=request.content, headers=request.headers) for _ in range(20))
        )
    assert sorted(answer.status_code for answer in answers) == [201] + [401] * 19


async def test_what_was_signed_cannot_be_changed(api: ServedApi, pair: Pair) -> None:
    """Another method, path, parameter, body, type, date, host or x-ocp header: the same 401."""
    auth = Signed(pair["access_key"], pair["secret_key"])
    before = await api.last_seq()
    async with api.client() as client:

        def signed(method: str = "POST", url: str = INSTANCES, **more: Any) -> httpx2.Request:
            request = client.build_request(method, url, headers={"x-ocp-a": "1"}, **more)
            return next(auth.auth_flow(request))

        body = json.dumps(plan()).encode()
        base = signed(content=body)
        headers = dict(base.headers)
        changes: list[tuple[str, str, dict[str, str], bytes]] = [
            ("POST", INSTANCES, {}, body.replace(b"noop", b"Noop")),
            ("POST", INSTANCES, {}, b""),
            ("POST", INSTANCES + "?dry_run=false", {}, body),
            ("PUT", INSTANCES, {}, body),
            ("POST", "/api/v2/tokens", {}, body),
            ("POST", INSTANCES, {"x-ocp-a": "2"}, body),
            ("POST", INSTANCES, {"x-ocp-b": "2"}, body),
            ("POST", INSTANCES, {"content-type": "text/plain"}, body),
            ("POST", INSTANCES, {"host": "elsewhere"}, body),
            ("POST", INSTANCES, {"date": "Wed, 21 Nov 2035 10:00:00 GMT"}, body),
        ]
        bodies = set()
        for method, url, change, content in changes:
            kept = {name: value for name, value in headers.items() if name != "content-length"}
            answer = await client.request(method, url, headers={**kept, **change}, content=content)
            bodies.add(json.dumps(refused(answer, 401, 3000), sort_keys=True))
        assert len(bodies) == 1
        assert await api.last_seq() == before


@pytest.mark.parametrize("minutes", [-16, 16, -60 * 24])
async def test_an_old_signature_opens_nothing(api: ServedApi, pair: Pair, minutes: int) -> None:
    """Nor does one of the future: the window is a quarter of an hour."""
    auth = Signed(pair["access_key"], pair["secret_key"], datetime.now(UTC) + timedelta(minutes=minutes))
    async with api.client(auth=auth) as client:
        refused(await client.get(ME), 401, 3000)


async def test_strangers_keys_open_nothing(api: ServedApi, pair: Pair) -> None:
    """An unknown access key, another token's secret, no date, a token in place of a key."""
    other = (await api.admin.post("/api/v2/tokens", json={"name": "x", "role": "ADMIN"})).json()["data"]
    for access_key, secret_key in (
        ("olk_000000000000", pair["secret_key"]),
        (pair["access_key"], other["secret_key"]),
        (other["access_key"], pair["secret_key"]),
        (pair["id"], pair["secret_key"]),
        (pair["access_key"], ""),
    ):
        async with api.client(auth=Signed(access_key, secret_key)) as client:
            refused(await client.get(ME), 401, 3000)
    async with api.client(headers={"Authorization": f"OCP-ACCESS-KEY-HMACSHA1 {pair['access_key']}:x"}) as client:
        refused(await client.get(ME), 401, 3000)
        refused(await client.post(INSTANCES, content=b"x" * (5 * 1024 * 1024)), 401, 3000)


async def test_a_signed_body_is_bounded(api: ServedApi, pair: Pair) -> None:
    """It is read before it is verified, so it is bounded before that (B3)."""
    auth = Signed(pair["access_key"], pair["secret_key"])
    async with api.client(auth=auth) as client:
        refused(await client.post(INSTANCES, content=b"x" * (4 * 1024 * 1024 + 1)), 413, 1004)


async def test_a_revoked_key_pair_opens_nothing(api: ServedApi) -> None:
    """Revoked with its token; ended with it."""
    made = (await api.admin.post("/api/v2/tokens", json={"name": "gone", "role": "TASK_VIEWER"})).json()["data"]
    async with api.client(auth=Signed(made["access_key"], made["secret_key"])) as client:
        assert (await client.get(ME)).status_code == 200
        assert api.running.problem is None
        await api.admin.delete(f"/api/v2/tokens/{made['id']}")
        refused(await client.get(ME), 401, 3000)
    until = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    made = (
        await api.admin.post("/api/v2/tokens", json={"name": "gone", "role": "TASK_VIEWER", "expires_at": until})
    ).json()["data"]
    async with api.client(auth=Signed(made["access_key"], made["secret_key"])) as client:

        async def ended() -> bool:
            return (await client.get(ME)).status_code == 401

        await eventually(ended, timeout=5)


async def test_used_signatures_are_forgotten_in_time(api: ServedApi) -> None:
    """The bucket keeps each for twice the window and a minute, and nothing of the request."""
    info = await (await api.nats.jetstream().key_value(subjects.REPLAYS)).status()
    assert info.ttl == pytest.approx(31 * 60)
    assert all(not entry.value for entry in await Bucket(api.nats, subjects.REPLAYS).all())
