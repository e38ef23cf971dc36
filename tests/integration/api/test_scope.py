"""Teams: a task of another team cannot be told from one that is not there, whatever is asked about it (B2, S3).

The routes come from the route table: a new one about a task is covered by being there.
"""

import json
import re
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.api.access import Permission, Role
from shared.task import commands as cmd
from shared.task.ids import subtask_id
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused
from tests.support.routes import Route, every

pytestmark = pytest.mark.asyncio(loop_scope="module")

ABOUT_A_TASK = [
    route for route in every() if "{task_id" in route.path and route.permission is not Permission.ADMINISTER
]
MISSING = 900_000_000


class Tenants:
    """Somebody of team a with a task that has ended, and people of team b."""

    def __init__(self, api: ServedApi) -> None:
        self.api = api

    async def move_in(self) -> None:
        """Make them."""
        a, b = frozenset({"a"}), frozenset({"b", "c"})
        self.owner = await self.api.bearer(Role.TASK_MANAGER, teams=a, name="owner")
        self.manager = await self.api.bearer(Role.TASK_MANAGER, teams=b, name="stranger")
        self.auditor = await self.api.bearer(Role.AUDIT_VIEWER, teams=b, name="auditor")
        for _ in range(40):  # so that the id is no other number in an answer
            await self.api.create(plan())
        made = await self.owner.post(INSTANCES, json=plan("one", "two", name="secret plan"))
        assert made.status_code == 201, made.text
        self.task = made.json()["data"]
        assert self.task["labels"] == {"team": "a"}
        await self.api.say(self.task["id"], 1, "a secret line")
        self.seq = await self.api.finish(self.task["id"], 1, cmd.Succeeded({"out": "a secret output"}))

    def stranger(self, route: Route) -> httpx2.AsyncClient:
        """Somebody of team b whose role opens the route."""
        return self.auditor if route.permission is Permission.AUDIT else self.manager


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tenants(api: ServedApi) -> Tenants:
    """Both teams."""
    found = Tenants(api)
    await found.move_in()
    return found


async def answered(client: httpx2.AsyncClient, method: str, path: str, ids: dict[str, str], **more: Any) -> str:
    """What came back, without what differs by nature: ids, times, traces."""
    async with client.stream(method, path, **more) as answer:
        allowed = {404} if not more else {404, 400}  # a parameter may be refused before anything is looked up
        assert answer.status_code in allowed, f"{method} {path}: {answer.status_code}"
        shown = json.loads(await answer.aread())
    for varying in ("timestamp", "duration", "traceId", "server"):
        del shown[varying]
    headers = sorted(name for name in answer.headers if name not in {"date", "content-length"})
    text = json.dumps({"body": shown, "headers": headers}, sort_keys=True)
    for found, name in ids.items():
        text = re.sub(rf"(?<!\d){found}(?!\d)", name, text)
    return text


async def test_there_are_routes_about_a_task() -> None:
    """Else the next test would test nothing."""
    paths = {route.path for route in ABOUT_A_TASK}
    assert f"{INSTANCES}/{{task_id}}/subtasks/{{subtask_id}}/retry" in paths
    assert len(ABOUT_A_TASK) > 12


@pytest.mark.parametrize("route", ABOUT_A_TASK, ids=lambda route: f"{route.method} {route.path}")
async def test_another_teams_task_is_not_there(tenants: Tenants, route: Route) -> None:
    """The same answer as for a missing id, with and without a body, a dry run, a key, a version; nothing is stored."""
    theirs, subtask = tenants.task["id"], tenants.task["subtasks"][0]["id"]
    missing, part = MISSING, subtask_id(MISSING, 1)
    client, before = tenants.stranger(route), await tenants.api.last_seq()
    variants: list[dict[str, Any]] = [{}, {"params": {"dry_run": "true"}}, {"params": {"at": "1"}}]
    if route.method in {"POST", "DELETE", "PATCH"}:
        variants += [{"json": {"reason": "why"}}, {"headers": {"Idempotency-Key": "k", "If-Match": '"1"'}}]
    for more in variants:
        found = [
            await answered(client, route.method, route.at(task_id=task, subtask_id=sub), ids, **more)
            for task, sub, ids in (
                (theirs, subtask, {str(subtask): "SUBTASK", str(theirs): "TASK"}),
                (missing, part, {str(part): "SUBTASK", str(missing): "TASK"}),
            )
        ]
        assert found[0] == found[1], more
        assert "secret" not in found[0]
    assert await tenants.api.last_seq() == before


async def test_lists_and_counts_know_ones_own_teams_alone(tenants: Tenants) -> None:
    """Totals too; a task without a team is everybody's who sees all, and nobody else's."""
    orphan = await tenants.api.create(plan(name="nobody's"))
    mine = await tenants.manager.post(INSTANCES, json=plan(name="mine", labels={"team": "c"}))
    assert mine.status_code == 201, mine.text
    seq = {"min_seq": mine.json()["data"]["logSeq"]}
    for client, expected in ((tenants.owner, [tenants.task["id"]]), (tenants.manager, [mine.json()["data"]["id"]])):
        for path in (INSTANCES, "/api/v1/tasks/instances"):
            answer = await client.get(path, params=seq if path == INSTANCES else None)
            data = answer.json()["data"]
            assert [row["id"] for row in data["contents"]] == expected, path
            assert data["page"]["totalElements"] == 1
    everything = await tenants.api.admin.get(INSTANCES, params={**seq, "size": 100})
    ids = {row["id"] for row in everything.json()["data"]["contents"]}
    assert {tenants.task["id"], mine.json()["data"]["id"], orphan["id"]} <= ids
    assert (await tenants.owner.get(f"{INSTANCES}/{orphan['id']}")).status_code == 404
    for name in ("secret", "plan"):
        answer = await tenants.manager.get(INSTANCES, params={**seq, "name": name})
        assert answer.json()["data"]["page"]["totalElements"] == 0


async def test_routes_that_name_a_task_elsewhere_keep_to_teams(tenants: Tenants) -> None:
    """Live events, audit, its chain, and a parent: as for a missing id."""
    theirs = tenants.task["id"]
    for client, path in (
        (tenants.manager, "/api/v2/events"),
        (tenants.auditor, "/api/v2/audit/verify"),
    ):
        found = [
            await answered(client, "GET", path, {str(task): "TASK"}, params={"task": task})
            for task in (theirs, MISSING)
        ]
        assert found[0] == found[1], path
    for task in (theirs, MISSING):
        answer = await tenants.auditor.get("/api/v2/audit", params={"task": task, "min_seq": tenants.seq})
        assert (answer.status_code, answer.json()["data"]["contents"]) == (200, [])
        body = {**plan(), "parent": task, "labels": {"team": "b"}}
        error = refused(await tenants.manager.post(INSTANCES, json=body), 422, 1001)
        assert error["message"] == f"/parent: The task {task} does not exist."


async def test_ones_own_tasks_are_there(tenants: Tenants) -> None:
    """Who is of the team sees the task, its history and its log, and commands it."""
    one, sub = f"{INSTANCES}/{tenants.task['id']}", tenants.task["subtasks"][0]["id"]
    for path in (one, f"{one}/events", f"{one}/subtasks/{sub}/log"):
        assert (await tenants.owner.get(path)).status_code == 200, path
    assert "secret line" in (await tenants.owner.get(f"{one}/subtasks/{sub}/log")).text
    assert (await tenants.owner.post(f"{one}/cancel")).status_code == 200


async def test_a_task_is_made_for_ones_own_team(tenants: Tenants) -> None:
    """Another team's label is refused; of several teams one must be named."""
    for labels in ({"team": "a"}, {}):
        error = refused(await tenants.manager.post(INSTANCES, json=plan(labels=labels)), 422, 1001)
        assert error["target"]["pointer"] == "/labels/team"


BULK = [route for route in every() if "instances:" in route.path]


@pytest.mark.parametrize("route", BULK, ids=lambda route: route.path)
async def test_commands_on_many_reach_ones_own_teams_alone(tenants: Tenants, route: Route) -> None:
    """Neither meant nor counted, with `all` as well; and nothing is stored."""
    nobody = await tenants.api.bearer(Role.TASK_MANAGER, teams=frozenset({"empty"}), name="newcomer")
    before = await tenants.api.last_seq()
    for dry_run in ("true", "false"):
        seq = {"all": "true", "dry_run": dry_run, "min_seq": tenants.seq}
        answer = await nobody.request(route.method, route.at(), params=seq)
        assert (answer.status_code, answer.json()["data"]["count"]) == (200, 0), answer.text
    assert await tenants.api.last_seq() == before


async def test_counts_are_of_ones_own_teams(tenants: Tenants) -> None:
    """Who sees none has none."""
    nobody = await tenants.api.bearer(Role.TASK_VIEWER, teams=frozenset({"empty"}), name="newcomer")
    answer = await nobody.get("/api/v2/tasks/counts", params={"min_seq": tenants.seq})
    assert answer.status_code == 200, answer.text
    assert not re.findall(r":\s*[1-9]", json.dumps(answer.json()["data"])), answer.text
    assert re.findall(r":\s*[1-9]", json.dumps((await tenants.owner.get("/api/v2/tasks/counts")).json()["data"]))


async def test_a_key_of_the_same_name_in_another_team_gives_nothing_away(tenants: Tenants) -> None:
    """Keys belong to a name; what the name's other team made with one stays hidden."""
    here = await tenants.api.bearer(Role.TASK_MANAGER, teams=frozenset({"x"}), name="twin")
    there = await tenants.api.bearer(Role.TASK_MANAGER, teams=frozenset({"y"}), name="twin")
    key = {"Idempotency-Key": "twins"}
    assert (await here.post(INSTANCES, json=plan(), headers=key)).status_code == 201
    error = refused(await there.post(INSTANCES, json=plan(), headers=key), 409, 4011)
    assert "taskId" not in error.get("target", {})
