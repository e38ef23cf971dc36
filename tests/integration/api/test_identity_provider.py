"""Bearer tokens of an identity provider at the door of a running API: in with a role, or the same 401 as everybody."""

import json
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused, served
from tests.support.idp import AUDIENCE, ISSUER, Idp, forged, good
from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ME = "/api/v2/me"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp() -> AsyncIterator[Idp]:
    """A provider with a key."""
    async with Idp().serving() as found:
        found.add("k1")
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(module_nats: NatsServer, idp: Idp, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedApi]:
    """An API that trusts it."""
    folder = tmp_path_factory.mktemp("idp")
    oidc = {
        "oidc_issuer": ISSUER,
        "oidc_audience": AUDIENCE,
        "oidc_jwks_url": idp.url,
        "oidc_role_claim": "realm.roles",
        "oidc_roles": {"ops": "TASK_MANAGER", "root": "ADMIN"},
        "oidc_teams_claim": "groups",
    }
    async with served(module_nats.url, f"sqlite:///{folder}/view.db", **oidc) as found:
        yield found


def bearer(api: ServedApi, token: str) -> httpx2.AsyncClient:
    """A client with a token."""
    return api.client(headers={"Authorization": f"Bearer {token}"})


async def test_somebody_from_the_provider_works_for_their_team(api: ServedApi, idp: Idp) -> None:
    """Role and teams from the claims; the creator's name says where they come from."""
    token = idp.token("k1", realm={"roles": ["ops", "other"]}, groups=["a"])
    async with bearer(api, token) as client:
        me = (await client.get(ME)).json()["data"]
        assert me == {
            "name": "oidc:ada",
            "role": "TASK_MANAGER",
            "teams": ["a"],
            "permissions": ["read", "operate", "manage"],
        }
        made = await client.post(INSTANCES, json=plan())
        assert made.status_code == 201, made.text
        task = made.json()["data"]
        assert (task["creator"]["name"], task["labels"]) == ("oidc:ada", {"team": "a"})
        assert (await client.get(f"{INSTANCES}/{task['id']}")).status_code == 200
        refused(await client.get("/api/v2/users"), 403, 3100)
    async with bearer(api, idp.token("k1", realm={"roles": "root"}, groups=["a"])) as client:
        assert (await client.get("/api/v2/users")).status_code == 200


async def test_whatever_is_wrong_the_answer_is_the_same(api: ServedApi, idp: Idp) -> None:
    """No algorithm, a shared secret, another audience, expired, an unknown key, no role: nobody can tell which (B1)."""
    ok = {"realm": {"roles": ["ops"]}}
    other = Idp()
    other.add("k7")
    tokens = [
        forged({"alg": "none", "kid": "k1"}, good(**ok)),
        forged({"alg": "HS256", "kid": "k1"}, good(**ok), b"x" * 32),
        idp.token("k1", aud="grafana", **ok),
        idp.token("k1", exp=int(time.time()) - 120, **ok),
        idp.token("k1", iss="https://evil.example", **ok),
        idp.token("k1", realm={"roles": ["ADMIN"]}),
        other.token("k7", **ok),
        "a.b.c",
    ]
    bodies = set()
    for token in tokens:
        async with bearer(api, token) as client:
            answer = await client.get(ME)
            bodies.add(json.dumps(refused(answer, 401, 3000), sort_keys=True))
            assert answer.headers["www-authenticate"].startswith("Basic ")
    async with api.client() as stranger:
        bodies.add(json.dumps(refused(await stranger.get(ME), 401, 3000), sort_keys=True))
    assert len(bodies) == 1


async def test_our_own_tokens_work_beside_it(api: ServedApi) -> None:
    """Both kinds of bearer token come in by the same header."""
    made = (await api.admin.post("/api/v2/tokens", json={"name": "ci", "role": "TASK_VIEWER"})).json()["data"]
    async with bearer(api, made["token"]) as client:
        assert (await client.get(ME)).json()["data"]["name"] == "ci"
