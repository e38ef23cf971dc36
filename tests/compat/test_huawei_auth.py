"""Who gets in at Huawei's API: their signature, checked against our key pairs; tokens, passwords; nobody else."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import huaweicloudsdkoms.v2 as oms  # type: ignore[import-untyped]
import pytest
import pytest_asyncio
from huaweicloudsdkcore.auth.credentials import BasicCredentials  # type: ignore[import-untyped]
from huaweicloudsdkcore.sdk_request import SdkRequest  # type: ignore[import-untyped]
from huaweicloudsdkcore.signer.signer import Signer  # type: ignore[import-untyped]

from tests.compat.huawei import Sdk, key_pair, offer
from tests.integration.api.harness import PASSWORD, ServedApi
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASE = "/v2/keys/sync-tasks"
BODY = b'{"src_bucket":"src","dst_bucket":"dst","src_cloud_type":"AWS"}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(api: ServedApi) -> AsyncIterator[tuple[str, str]]:
    """An access key and its secret key; the task types are on offer."""
    await offer(api)
    yield await key_pair(api)


def signed(
    api: ServedApi,
    keys: tuple[str, str],
    method: str,
    path: str,
    body: bytes = b"",
    *,
    ago: float = 0,
    query: dict[str, str] | None = None,
) -> dict[str, str]:
    """The headers their own signer makes for a request that was signed `ago` seconds before now."""
    date = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y%m%dT%H%M%SZ")
    headers = {"Content-Type": "application/json", "X-Sdk-Date": date, "X-Project-Id": "keys"}
    request = SdkRequest(
        method=method,
        schema="http",
        host=api.url.removeprefix("http://"),
        resource_path=path,
        query_params=list((query or {}).items()),
        header_params=headers,
        body=body,
    )
    found: dict[str, str] = Signer(BasicCredentials(*keys, "keys")).sign(request).header_params
    return found


async def send(api: ServedApi, method: str, path: str, headers: dict[str, str], body: bytes = b"", **more: Any) -> Any:
    """Send it over a connection of its own."""
    async with api.client() as client:
        return await client.request(method, path, headers=headers, content=body, **more)


def denied(answer: Any) -> None:
    """Fail unless it is the one answer for every credential that does not hold."""
    assert answer.status_code == 401, answer.text
    assert answer.json() == {
        "error_msg": "Log in with a user and password, or with a token.",
        "error_code": "APIGW.0301",
    }


async def test_a_wrong_signature_and_a_wrong_key_are_denied(api: ServedApi, keys: tuple[str, str]) -> None:
    """Alike, by their client too: another secret, an access key of nobody, a token that was revoked."""
    for pair in ((keys[0], "ols_wrong"), ("olk_0123456789ab", keys[1]), ("AKIA", "secret")):
        refusal = await Sdk(api, *pair, "keys").refused(oms.ListSyncTasksRequest())
        assert (refusal.status_code, refusal.error_code) == (401, "APIGW.0301")
    gone = await key_pair(api)
    sdk = Sdk(api, *gone, "nobodys")
    assert (await sdk(oms.ListSyncTasksRequest())).count == 0
    assert (await api.admin.delete(f"/api/v2/tokens/{gone[0].removeprefix('olk_')}")).status_code == 200

    async def revoked() -> bool:
        answer = await send(api, "GET", BASE, signed(api, gone, "GET", BASE))
        return bool(answer.status_code == 401)

    await eventually(revoked)


async def test_a_signature_holds_for_fifteen_minutes(api: ServedApi, keys: tuple[str, str]) -> None:
    """Either way of our clock; what is no date is denied, too."""
    for ago, status in ((0, 200), (890, 200), (-890, 200), (910, 401), (-910, 401), (86_400, 401)):
        answer = await send(api, "GET", BASE, signed(api, keys, "GET", BASE, ago=ago))
        assert answer.status_code == status, ago
    denied(await send(api, "GET", BASE, signed(api, keys, "GET", BASE) | {"X-Sdk-Date": "now"}))
    denied(await send(api, "GET", BASE, {k: v for k, v in signed(api, keys, "GET", BASE).items() if "Date" not in k}))


async def test_a_command_is_not_taken_twice(api: ServedApi, keys: tuple[str, str]) -> None:
    """Whoever repeats what he heard has another connection: 401, and nothing happens. Reads may come again."""
    headers = signed(api, keys, "POST", BASE, BODY)
    assert (await send(api, "POST", BASE, headers, BODY)).status_code == 200
    last = await api.last_seq()
    denied(await send(api, "POST", BASE, headers, BODY))
    upper = headers["Authorization"].rpartition("=")
    denied(await send(api, "POST", BASE, headers | {"Authorization": f"{upper[0]}={upper[2].upper()}"}, BODY))
    denied(await send(api, "POST", f"{BASE}/", headers, BODY))
    assert await api.last_seq() == last
    read = signed(api, keys, "GET", BASE)
    assert [(await send(api, "GET", BASE, read)).status_code for _ in range(2)] == [200, 200]


async def test_a_client_may_do_the_same_twice_in_a_second(api: ServedApi, keys: tuple[str, str]) -> None:
    """Their date has whole seconds: two equal commands of one client have one signature, and both count."""
    sdk = Sdk(api, *keys, "twice")
    tasks = {await sdk.create() for _ in range(4)}
    assert len(tasks) == 4


async def test_what_was_signed_is_what_is_asked(api: ServedApi, keys: tuple[str, str]) -> None:
    """A changed method, path, query, header or body is denied, and so is a signature that covers too little."""
    query = {"limit": "5", "status": "STOPPED"}
    good = signed(api, keys, "GET", BASE, query=query)
    assert (await send(api, "GET", BASE, good, params=query)).status_code == 200
    assert (await send(api, "GET", f"{BASE}?status=STOPPED&limit=5", good)).status_code == 200
    denied(await send(api, "GET", BASE, good, params=query | {"limit": "6"}))
    denied(await send(api, "GET", BASE, good))
    denied(await send(api, "DELETE", BASE, good, params=query))
    denied(await send(api, "GET", "/v2/other/sync-tasks", good, params=query))
    denied(await send(api, "GET", BASE, good | {"X-Project-Id": "other"}, params=query))
    denied(await send(api, "GET", BASE, good | {"Host": "elsewhere"}, params=query))
    post = signed(api, keys, "POST", BASE, BODY)
    denied(await send(api, "POST", BASE, post, BODY.replace(b"dst", b"tmp")))
    blank = signed(api, keys, "POST", BASE)
    denied(await send(api, "POST", BASE, blank | {"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"}, BODY))
    for header in ("-", "Access=", "Access=a, SignedHeaders=host, Signature=00", "x" * 300):
        denied(await send(api, "GET", BASE, good | {"Authorization": f"SDK-HMAC-SHA256 {header}"}, params=query))


async def test_tokens_and_passwords_open_it_as_everything_else(api: ServedApi, keys: tuple[str, str]) -> None:
    """A bearer token, in their header or in the usual one; a user and password; and nobody without."""
    answer = await api.admin.post("/api/v2/tokens", json={"name": "viewer", "role": "TASK_VIEWER"})
    token = answer.json()["data"]["token"]
    for headers in ({"X-Auth-Token": token}, {"Authorization": f"Bearer {token}"}):
        assert (await send(api, "GET", BASE, headers)).status_code == 200
        refused = await send(api, "POST", BASE, headers, BODY)
        assert (refused.status_code, refused.json()["error_code"]) == (403, "APIGW.0302")
    assert (await send(api, "GET", BASE, {}, auth=("admin", PASSWORD))).status_code == 200
    denied(await send(api, "GET", BASE, {"X-Auth-Token": "ol_0_wrong"}))
    denied(await send(api, "GET", BASE, {}))
    me = "/api/v2/me"
    signature = signed(api, keys, "GET", me)
    assert (await send(api, "GET", me, signature)).json()["data"]["name"] == "robot"
    elsewhere = await send(api, "GET", "/api/v2/me", {"X-Auth-Token": token})
    assert elsewhere.status_code == 401
