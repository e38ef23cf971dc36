"""Users and tokens over REST: made, shown once, listed, changed, revoked everywhere, and never without an ADMIN."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.api.access import TOKEN, USER, Permission, Role, UserRecord
from services.api.credentials import Credentials
from services.api.rest import shapes_people as shapes
from services.api.rest.schemas import Answer
from services.api.users import Users
from shared.messages import subjects
from shared.runtime.clock import now
from shared.store.kv import Bucket
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused, served
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKENS, USERS, ME = "/api/v2/tokens", "/api/v2/users", "/api/v2/me"
GOOD = "long enough a password"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(api: ServedApi, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedApi]:
    """A second API process beside the first, on the same NATS."""
    folder = tmp_path_factory.mktemp("other")
    async with served(api.settings.nats_url, f"sqlite:///{folder}/view.db", rescue_after_seconds=60) as running:
        yield running


def ahead(**span: float) -> str:
    """A time ahead, as text."""
    return (now() + timedelta(**span)).isoformat()


async def make(api: ServedApi, **body: Any) -> dict[str, Any]:
    """Make a token as admin."""
    answer = await api.admin.post(TOKENS, json={"name": "ci", "role": "TASK_VIEWER", **body})
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def holder(api: ServedApi, token: str) -> httpx2.AsyncClient:
    """A client with a token."""
    return api.client(headers={"Authorization": f"Bearer {token}"})


async def test_a_token_is_shown_once_and_opens_what_its_role_grants(api: ServedApi) -> None:
    """The answer has the secrets, no list and no bucket ever has them again."""
    answer = await api.admin.post(TOKENS, json={"name": "ci", "role": "TASK_MANAGER", "expires_at": ahead(days=1)})
    Answer[shapes.NewTokenShape].model_validate_json(answer.content)
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert answer.headers["location"] == f"{TOKENS}/{made['id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert (made["name"], made["role"], made["created_by"]) == ("ci", "TASK_MANAGER", "admin")
    assert made["access_key"].startswith("olk_")
    assert made["secret_key"].startswith("ols_")

    async with holder(api, made["token"]) as client:
        assert (await client.post(INSTANCES, json=plan())).status_code == 201
        refused(await client.get(TOKENS), 403, 3100)
        me = await client.get(ME)
    Answer[shapes.MeShape].model_validate_json(me.content)
    assert me.json()["data"] == {"name": "ci", "role": "TASK_MANAGER", "permissions": ["read", "operate", "manage"]}

    listed = await api.admin.get(TOKENS)
    Answer[shapes.TokensShape].model_validate_json(listed.content)
    shown = next(one for one in listed.json()["data"]["contents"] if one["id"] == made["id"])
    assert shown == {name: value for name, value in made.items() if name not in {"token", "secret_key"}}
    for bucket in (subjects.ACCESS, subjects.SECRETS):
        for entry in await Bucket(api.nats, bucket).all():
            for secret in (made["token"], made["token"].split("_", 2)[2], made["secret_key"]):
                assert secret.encode() not in (entry.value or b"")


async def test_a_revoked_token_opens_nothing_in_any_process(api: ServedApi, other: ServedApi) -> None:
    """It was remembered in both; within seconds both refuse it, its key pair is gone, and it is not there to revoke."""
    made = await make(api)
    async with holder(api, made["token"]) as here, holder(other, made["token"]) as there:

        async def there_is(status: int) -> bool:
            return (await there.get(ME)).status_code == status

        assert (await here.get(ME)).status_code == 200
        await eventually(lambda: there_is(200), timeout=5)
        assert (await api.admin.delete(f"{TOKENS}/{made['id']}")).status_code == 200
        assert (await here.get(ME)).status_code == 401
        await eventually(lambda: there_is(401), timeout=5)
    keys = {entry.key for entry in await Bucket(api.nats, subjects.SECRETS).all()}
    assert not [key for key in keys if made["id"] in key]
    for token_id in (made["id"], "000000000000", "..%2Fuser%2Fadmin", "a" * 400, "*", ">"):
        refused(await api.admin.delete(f"{TOKENS}/{token_id}"), 404)


async def test_a_token_ends_by_itself(api: ServedApi) -> None:
    """However well it is remembered."""
    made = await make(api, expires_at=ahead(seconds=1.5))
    async with holder(api, made["token"]) as client:
        assert (await client.get(ME)).status_code == 200

        async def ended() -> bool:
            return (await client.get(ME)).status_code == 401

        await eventually(ended, timeout=5)


BAD_TOKENS: list[tuple[dict[str, Any], str]] = [
    ({"name": None}, "/name"),
    ({"name": "a b"}, "/name"),
    ({"name": "a."}, "/name"),
    ({"name": "a" * 65}, "/name"),
    ({"name": "ä"}, "/name"),
    ({"role": "KING"}, "/role"),
    ({"role": None}, "/role"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ({"expires_at": "2100-01-01T00:00:00Z"}, "/expires_at"),
    ({"expires_at": "9999-01-01T00:00:00Z"}, "/expires_at"),
    ({"expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
    ({"expires_at": "2030-02-30T00:00:00Z"}, "/expires_at"),
    ({"expires_at": 1893456000}, "/expires_at"),
    ({"teams": []}, "/teams"),
    ({"teams": "a"}, "/teams"),
    ({"teams": ["a", "a"]}, "/teams"),
    ({"teams": ["a\u202eb"]}, "/teams/0"),
    ({"role": "ADMIN", "teams": ["a"]}, ""),
    ({"id": "abc"}, "/id"),
    ({"sha256": "abc"}, "/sha256"),
    ({"key_pair": "yes"}, "/key_pair"),
]


@pytest.mark.parametrize(("change", "pointer"), BAD_TOKENS)
async def test_a_token_that_does_not_fit_is_refused(api: ServedApi, change: dict[str, Any], pointer: str) -> None:
    """With a pointer to what is wrong (B7, B17), and nothing is stored."""
    before = len(await Bucket(api.nats, subjects.ACCESS).all())
    answer = await api.admin.post(TOKENS, json={"name": "ci", "role": "TASK_VIEWER", **change})
    assert refused(answer, 422, 1001)["target"]["pointer"] == pointer
    assert len(await Bucket(api.nats, subjects.ACCESS).all()) == before


async def test_users_come_change_and_go(api: ServedApi, other: ServedApi) -> None:
    """Each step holds at once here, and soon in the other process."""
    body = {"name": "ada", "password": GOOD, "role": "TASK_VIEWER", "teams": ["a"]}
    answer = await api.admin.post(USERS, json=body)
    Answer[shapes.UserShape].model_validate_json(answer.content)
    assert (answer.status_code, answer.headers["location"]) == (201, f"{USERS}/ada")
    assert "password" not in answer.text
    refused(await api.admin.post(USERS, json=body), 409)

    async with api.client(auth=("ada", GOOD)) as ada, other.client(auth=("ada", GOOD)) as there:
        assert (await ada.get(ME)).json()["data"] == {
            "name": "ada",
            "role": "TASK_VIEWER",
            "teams": ["a"],
            "permissions": ["read"],
        }
        change = {"role": "AUDIT_VIEWER", "teams": None}
        assert (await api.admin.patch(f"{USERS}/ada", json=change)).status_code == 200
        expected = {"name": "ada", "role": "AUDIT_VIEWER", "permissions": ["read", "audit"]}
        assert (await ada.get(ME)).json()["data"] == expected

        async def changed() -> bool:
            return bool((await there.get(ME)).json().get("data") == expected)

        await eventually(changed, timeout=5)
        listed = await api.admin.get(USERS)
        Answer[shapes.UsersShape].model_validate_json(listed.content)
        assert [user["name"] for user in listed.json()["data"]["contents"]] == ["ada", "admin"]
        assert "hash" not in listed.text
        assert "salt" not in listed.text

        assert (await api.admin.delete(f"{USERS}/ada")).status_code == 200
        refused(await ada.get(ME), 401, 3000)

        async def gone() -> bool:
            return (await there.get(ME)).status_code == 401

        await eventually(gone, timeout=5)
    for name in ("ada", "a b", "..", "x" * 100):
        refused(await api.admin.delete(f"{USERS}/{name}"), 404)
        refused(await api.admin.patch(f"{USERS}/{name}", json={}), 404)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"password": "too short"}, "/password"),
        ({"password": "x" * 300}, "/password"),
        ({"password": 123456789012}, "/password"),
        ({"name": "a/b"}, "/name"),
        ({"name": "a..b"}, "/name"),
        ({"role": "ADMIN", "teams": ["a"]}, ""),
        ({"hash": "00"}, "/hash"),
    ],
)
async def test_a_user_that_does_not_fit_is_refused(api: ServedApi, change: dict[str, Any], pointer: str) -> None:
    """With a pointer to what is wrong."""
    answer = await api.admin.post(USERS, json={"name": "bob", "password": GOOD, "role": "TASK_VIEWER", **change})
    assert refused(answer, 422, 1001)["target"]["pointer"] == pointer


async def test_a_password_is_changed_with_the_old_one_or_by_an_admin(api: ServedApi) -> None:
    """One's own needs the old one; somebody else's needs ADMIN."""
    for name in ("eve", "zoe"):
        await api.admin.post(USERS, json={"name": name, "password": GOOD, "role": "TASK_VIEWER"})
    path, new = f"{USERS}/eve/password", "another long password"
    async with api.client(auth=("eve", GOOD)) as eve, api.client(auth=("zoe", GOOD)) as zoe:
        refused(await zoe.post(path, json={"password": new}), 403, 3100)
        for body, pointer in (
            ({"password": new}, "/old"),
            ({"password": new, "old": "wrong"}, "/old"),
            ({"password": "short", "old": GOOD}, "/password"),
        ):
            assert refused(await eve.post(path, json=body), 422)["target"]["pointer"] == pointer
        assert (await eve.post(path, json={"password": new, "old": GOOD})).status_code == 200
        refused(await eve.get(ME), 401)
    async with api.client(auth=("eve", new)) as eve:
        assert (await eve.get(ME)).json()["data"]["role"] == "TASK_VIEWER"
    assert (await api.admin.post(path, json={"password": GOOD})).status_code == 200
    async with api.client(auth=("eve", GOOD)) as eve:
        assert (await eve.get(ME)).status_code == 200
    refused(await api.admin.post(f"{USERS}/admin/password", json={"password": new}), 422)
    for name in ("eve", "zoe"):
        assert (await api.admin.delete(f"{USERS}/{name}")).status_code == 200


async def test_the_last_admin_stays(api: ServedApi) -> None:
    """Neither removed nor demoted, until there is another one."""
    refused(await api.admin.delete(f"{USERS}/admin"), 409)
    refused(await api.admin.patch(f"{USERS}/admin", json={"role": "TASK_MANAGER"}), 409)
    refused(await api.admin.patch(f"{USERS}/admin", json={"teams": ["a"]}), 422)
    await api.admin.post(USERS, json={"name": "root", "password": GOOD, "role": "ADMIN"})
    assert (await api.admin.patch(f"{USERS}/root", json={"role": "TASK_VIEWER", "teams": ["a"]})).status_code == 200
    answer = await api.admin.patch(f"{USERS}/root", json={"role": "ADMIN"})
    assert "teams" not in answer.json()["data"]
    assert (await api.admin.delete(f"{USERS}/root")).status_code == 200


async def test_two_admins_cannot_take_each_other_away(api: ServedApi, other: ServedApi) -> None:
    """Through two processes at the same moment, again and again: one of the two always stays."""
    bucket = Bucket(api.nats, subjects.ACCESS)
    keep = await bucket.get(USER + "admin")
    assert keep is not None
    assert keep.value is not None
    mirrors = [Credentials(Bucket(one.nats, subjects.ACCESS)) for one in (api, other)]
    here, there = Users(bucket, mirrors[0]), Users(Bucket(other.nats, subjects.ACCESS), mirrors[1])
    try:
        for _ in range(10):
            record = await asyncio.to_thread(UserRecord.of, "root", GOOD, Role.ADMIN, now())
            await bucket.put(USER + "root", record.model_dump_json().encode())
            for mirror in mirrors:
                await mirror.load()
            found = await asyncio.gather(
                here.remove("admin", by="root"), there.remove("root", by="admin"), return_exceptions=True
            )
            assert sorted(type(one).__name__ for one in found) == ["LastAdmin", "NoneType"], found
            left = [entry.key for entry in await bucket.all() if entry.key.startswith(USER)]
            assert len(left) == 1
            await bucket.put(USER + "admin", keep.value)
    finally:
        await bucket.put(USER + "admin", keep.value)
        await bucket.delete(USER + "root")


async def test_without_a_key_of_secrets_tokens_have_no_key_pair(
    module_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """They work all the same; who asks for a pair is told how to get one."""
    folder = tmp_path_factory.mktemp("keyless")
    async with served(module_nats.url, f"sqlite:///{folder}/view.db", secrets_key=None) as api:
        made = await make(api)
        assert not {"access_key", "secret_key"} & made.keys()
        answer = await api.admin.post(TOKENS, json={"name": "ci", "role": "TASK_VIEWER", "key_pair": True})
        assert "OPSLEDGER_SECRETS_KEY" in refused(answer, 422)["message"]
        async with holder(api, made["token"]) as client:
            assert (await client.get(ME)).status_code == 200


async def test_nobody_but_an_admin_administers(api: ServedApi) -> None:
    """Every other role is refused, and so is an ADMIN whose record was given teams behind our back."""
    made = await make(api, role="ADMIN")
    bucket = Bucket(api.nats, subjects.ACCESS)
    entry = await bucket.get(TOKEN + made["id"])
    assert entry is not None
    async with holder(api, made["token"]) as client:
        assert (await client.get(USERS)).status_code == 200
        await bucket.put(entry.key, (entry.value or b"").replace(b'"teams":null', b'"teams":["a"]'))

        async def refused_now() -> bool:
            return (await client.get(USERS)).status_code == 403

        await eventually(refused_now, timeout=5)
        assert Permission.ADMINISTER.value not in (await client.get(ME)).json()["data"]["permissions"]
    assert (await api.admin.delete(f"{TOKENS}/{made['id']}")).status_code == 200
