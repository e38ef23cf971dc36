"""Outages are answered, not fatal: what can go on goes on, and what is away is named (P4, P13, P15)."""

from pathlib import Path

from services.api.access import Role
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused, served
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer
from tests.support.postgres import PostgresServer


async def ready(api: ServedApi) -> dict[str, bool]:
    """Which resources the API says are well."""
    answer = await api.admin.get("/health/ready")
    found = {name: one["ok"] for name, one in answer.json()["resources"].items()}
    assert answer.status_code == (200 if all(found.values()) else 503)
    return found


async def test_without_nats_reads_go_on_and_commands_are_refused(tmp_path: Path, nats_server: NatsServer) -> None:
    """503 says that nothing takes effect; when NATS is back everything works, without a restart (P13)."""
    async with served(nats_server.url, f"sqlite:///{tmp_path}/view.db") as api:
        viewer = await api.bearer(Role.TASK_VIEWER)
        task = await api.create(plan(name="before"))
        await api.admin.get(INSTANCES, params={"min_seq": task["logSeq"]})
        await eventually(lambda: _is_known(viewer))
        nats_server.kill9()

        await eventually(lambda: _shows(api, nats=False), timeout=10)
        for client in (api.admin, viewer):
            listed = await client.get(INSTANCES)
            assert listed.json()["data"]["contents"][0]["name"] == "before"
            assert (await client.get(f"{INSTANCES}/{task['id']}")).status_code == 200
            assert (await client.get("/api/v2/task-types")).status_code == 200
        for headers in ({}, {"Idempotency-Key": "during"}):
            answer = await api.admin.post(INSTANCES, json=plan(), headers=headers)
            error = refused(answer, 503, 1006)
            assert error["target"] == {"effect": "none"}
            assert answer.headers["retry-after"] == "1"
        refused(await api.admin.get(f"{INSTANCES}/{task['id']}/events"), 503, 1006)
        refused(await api.admin.get(f"{INSTANCES}/999"), 503, 1006)

        nats_server.start()
        await eventually(lambda: _shows(api, nats=True), timeout=20)

        async def created() -> bool:
            answer = await api.admin.post(INSTANCES, json=plan(), headers={"Idempotency-Key": "during"})
            return answer.status_code == 201

        await eventually(created, timeout=10)
        await eventually(lambda: _total(api, 2), timeout=10)
        assert not api.stopped.is_set()


async def test_without_the_database_commands_go_on_and_reads_are_refused(
    tmp_path: Path, nats_server: NatsServer, postgres_server: PostgresServer
) -> None:
    """201 while reads say 503; when the database is back the view catches up (P15)."""
    url = postgres_server.url.render_as_string(hide_password=False)
    async with served(nats_server.url, url) as api:
        await api.create(plan())
        await eventually(lambda: _total(api, 1))
        postgres_server.kill9()

        task = await api.create(plan())
        refused(await api.admin.get(INSTANCES), 503, 1006)
        assert (await ready(api))["database"] is False
        assert (await ready(api))["nats"] is True

        postgres_server.start()
        await eventually(lambda: _total(api, 2), timeout=20)
        assert (await api.admin.get(f"{INSTANCES}/{task['id']}")).status_code == 200
        assert not api.stopped.is_set()


async def _shows(api: ServedApi, **wanted: bool) -> bool:
    found = await ready(api)
    return all(found[name] is well for name, well in wanted.items())


async def _total(api: ServedApi, number: int) -> bool:
    answer = await api.admin.get(INSTANCES)
    return answer.status_code == 200 and answer.json()["data"]["page"]["totalElements"] == number


async def _is_known(client: object) -> bool:
    answer = await client.get(INSTANCES)  # type: ignore[attr-defined]
    return bool(answer.status_code == 200)
