"""Secrets and connections over REST: set, listed without values, refused where something is wrong, removed."""

import json

import pytest

from services.api.access import Role
from shared.messages import subjects
from shared.store.kv import Bucket
from tests.integration.api.harness import ServedApi, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECRETS, CONNECTIONS = "/api/v2/secrets", "/api/v2/connections"
VALUE = "correct horse battery staple"
CRM = {"url": "postgresql://crm@db.example:5432/crm", "secrets": {"password": "env:OPSLEDGER_SECRET_CRM"}}


async def test_a_secret_is_listed_without_its_value(api: ServedApi) -> None:
    """Who set it and when is shown; the value is in no answer, and sealed in the bucket."""
    made = await api.admin.put(f"{SECRETS}/crm/password", json={"value": VALUE, "teams": ["dba"]})
    assert (made.status_code, made.json()["data"]["created_by"]) == (201, "admin"), made.text
    again = await api.admin.put(f"{SECRETS}/crm/password", json={"value": VALUE + "!"})
    assert again.status_code == 200
    shown = again.json()["data"]
    assert shown["teams"] == ["dba"], "what is left out stays"
    assert shown["created_at"] < shown["changed_at"]
    listed = await api.admin.get(SECRETS)
    assert shown in listed.json()["data"]["contents"]
    stored = await Bucket(api.nats, subjects.VALUES).get("crm/password")
    assert stored is not None
    assert stored.value is not None
    for text in (made.text, again.text, listed.text, stored.value.decode()):
        assert VALUE not in text
    await api.admin.delete(f"{SECRETS}/crm/password")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (f"{SECRETS}/a", {}, "/value"),
        (f"{SECRETS}/a", {"value": ""}, "/value"),
        (f"{SECRETS}/a", {"value": "x" * 65_537}, "/value"),
        (f"{SECRETS}/a", {"value": VALUE, "teams": []}, "/teams"),
        (f"{SECRETS}/a..b", {"value": VALUE}, "/name"),
        (f"{SECRETS}/a*b", {"value": VALUE}, "/name"),
        (f"{CONNECTIONS}/a", {"url": "postgresql://crm:hunter2@db/crm"}, "/url"),
        (f"{CONNECTIONS}/a", {"url": "postgresql://db/crm?password=hunter2"}, "/url"),
        (f"{CONNECTIONS}/a", {"url": "oracle://db/crm"}, "/url"),
        (f"{CONNECTIONS}/a", {"url": "postgresql://db:port/crm"}, "/url"),
        (f"{CONNECTIONS}/a", {"url": "postgresql:///crm"}, "/url"),
        (f"{CONNECTIONS}/a", {"url": "s3://user@bucket/prefix"}, "/url"),
        (f"{CONNECTIONS}/a", {"url": "file://folder"}, "/url"),
        (f"{CONNECTIONS}/a", {"url": "sqlite:///srv/../etc/x.db"}, "/url"),
        (f"{CONNECTIONS}/a", {"url": "file:///srv/a b"}, "/url"),
        (f"{CONNECTIONS}/a", {**CRM, "options": {"password": "hunter2"}}, "/options/password/[key]"),
        (f"{CONNECTIONS}/a", {**CRM, "secrets": {"password": "hunter2"}}, "/secrets/password"),
        (f"{CONNECTIONS}/a", {**CRM, "secrets": {"password": "kv:nowhere"}}, "/secrets/password"),
        (f"{CONNECTIONS}/a", {**CRM, "name": "b"}, "/name"),
        (f"{CONNECTIONS}/a", {**CRM, "colour": "red"}, "/colour"),
        (f"{CONNECTIONS}/-a", CRM, "/name"),
    ],
)
async def test_what_is_wrong_is_named(api: ServedApi, path: str, body: dict[str, object], field: str) -> None:
    """422 with the field, without the value, and nothing is stored."""
    error = refused(await api.admin.put(path, json=body), 422)
    assert field in [one["field"] for one in error["subErrors"]], error
    for value in (VALUE, "hunter2"):
        assert value not in json.dumps(error)
    refused(await api.admin.get(f"{CONNECTIONS}/a"), 404)


async def test_a_connection_is_shown_to_its_teams(api: ServedApi) -> None:
    """Whoever has another team is told that there is none; references are shown, they are no secrets."""
    made = await api.admin.put(f"{CONNECTIONS}/crm", json={**CRM, "teams": ["dba"], "options": {"sslmode": "require"}})
    assert made.status_code == 201, made.text
    spec = made.json()["data"]
    assert spec["name"] == "crm"
    assert (await api.admin.put(f"{CONNECTIONS}/crm", json=spec)).status_code == 200, "what GET gives, PUT takes"
    dba = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"dba"}), name="dba")
    web = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"web"}), name="web")
    assert (await dba.get(f"{CONNECTIONS}/crm")).json()["data"] == spec
    assert (await dba.get(CONNECTIONS)).json()["data"]["contents"] == [spec]
    assert (await web.get(CONNECTIONS)).json()["data"]["contents"] == []
    hidden, missing = [refused(await web.get(f"{CONNECTIONS}/{name}"), 404) for name in ("crm", "none")]
    assert hidden == missing
    assert (await api.admin.delete(f"{CONNECTIONS}/crm")).status_code == 200
    refused(await api.admin.delete(f"{CONNECTIONS}/crm"), 404)


async def test_a_secret_that_a_connection_names_stays(api: ServedApi) -> None:
    """The refusal names the connection; without it the secret goes."""
    await api.admin.put(f"{SECRETS}/named", json={"value": VALUE})
    body = {**CRM, "secrets": {"password": "kv:named"}}
    assert (await api.admin.put(f"{CONNECTIONS}/orders", json=body)).status_code == 201
    assert "orders" in refused(await api.admin.delete(f"{SECRETS}/named"), 409)["message"]
    await api.admin.delete(f"{CONNECTIONS}/orders")
    assert (await api.admin.delete(f"{SECRETS}/named")).status_code == 200
    refused(await api.admin.delete(f"{SECRETS}/named"), 404)


async def test_secrets_are_for_administrators(api: ServedApi) -> None:
    """Not even their names are shown to others."""
    manager = await api.bearer(Role.TASK_MANAGER)
    refused(await manager.get(SECRETS), 403)
    refused(await manager.put(f"{SECRETS}/a", json={"value": VALUE}), 403)
    refused(await manager.put(f"{CONNECTIONS}/a", json=CRM), 403)
