"""Searching over REST: everything in the URL, cursors, counts, and what a team may not see."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic_core import from_json

from services.api.access import Role
from services.api.rest.schemas import Answer, TaskPage
from services.api.rest.shapes_counts import TaskCounts
from shared.runtime.clock import now
from shared.task.state import TaskState
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
COUNTS = "/api/v2/tasks/counts"


async def ask(api: ServedApi, client: Any = None, **params: Any) -> dict[str, Any]:
    """A list's page, held against its documented shape."""
    answer = await (client or api.admin).get(INSTANCES, params=params)
    Answer[TaskPage].model_validate_json(answer.content)
    data: dict[str, Any] = from_json(answer.content)["data"]
    return data


async def names(api: ServedApi, client: Any = None, **params: Any) -> list[str]:
    """The names a list shows, in order."""
    return [task["name"] for task in (await ask(api, client, **params))["contents"]]


async def test_filters_are_combined_in_the_url(api: ServedApi) -> None:
    """Labels, text, things, times, parent and ids: each restricts, all at once do, strangers do not."""
    began = now() - timedelta(seconds=1)
    tenant = {"kind": "tenant", "id": "81", "name": "T_Pay"}
    steps = {"plan": {"subtasks": [{"key": "a", "operation": "greet", "params": {"name": "Zebra 4711"}}]}}
    one = await api.create(plan(name="Search one", object=tenant, labels={"set": "s1", "cluster": "obc-9"}))
    two = await api.create({**steps, "name": "Search two", "labels": {"set": "s1", "host.name": "DB-77"}})
    three = await api.create(plan(name="Search three", labels={"set": "s1", "a": "b:c"}, parent=one["id"]))
    seq = await api.finish(three["id"], 1)
    ended = (await api.admin.get(f"{INSTANCES}/{three['id']}", params={"min_seq": seq})).json()["data"]["finishTime"]
    both = ["Search three", "Search one"]
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["Search three", "Search two", "Search one"]),
        ({"name": "search t"}, ["Search three", "Search two"]),
        ({"name": "THREE sea"}, ["Search three"]),
        ({"label": ["set:s1", "a:b:c"]}, ["Search three"]),
        ({"label": ["set:s1", "set:s2"]}, []),
        ({"text": "4711 zebra"}, ["Search two"]),
        ({"text": "t_pay"}, ["Search one"]),
        ({"tenantName": "pay"}, ["Search one"]),
        ({"tenantId": 81, "clusterName": "OBC"}, ["Search one"]),
        ({"tenantId": 81, "clusterName": "other"}, []),
        ({"hostName": "77"}, ["Search two"]),
        ({"objectName": "t_p", "objectKind": "tenant"}, ["Search one"]),
        ({"parent": one["id"]}, ["Search three"]),
        ({"ids": f"{one['id']},{three['id']}"}, both),
        ({"since": "1h"}, ["Search three", "Search two", "Search one"]),
        ({"createdFrom": began.isoformat(), "ids": f"{one['id']},{three['id']}"}, both),
        ({"createdTo": began.isoformat()}, []),
        ({"createdFrom": two["createTime"], "createdTo": three["createTime"]}, ["Search two"]),
        ({"finishedFrom": began.isoformat()}, ["Search three"]),
        ({"finishedTo": ended}, []),
        ({"state": TaskState.SUCCESSFUL, "operator": "admin", "taskType": "plan", "since": "2d"}, ["Search three"]),
        ({"taskInstanceId": 5, "_": "1"}, ["Search three", "Search two", "Search one"]),
    ]
    for given, expected in cases:
        label = given.get("label", ["set:s1"])
        assert await names(api, min_seq=seq, **{**given, "label": label}) == expected, given


async def test_a_list_goes_on_behind_a_cursor(api: ServedApi) -> None:
    """`page.next` goes into `cursor`: every task once, while others are created, in the sort it began with."""
    for number in range(7):
        last = await api.create(plan(name=f"Walk {number}", labels={"set": "walk"}))
    where = {"label": "set:walk", "size": 3}
    page = await ask(api, min_seq=last["logSeq"], sort="name,desc", **where)
    shown = [task["name"] for task in page["contents"]]
    assert page["page"]["number"] == 1
    while "next" in page["page"]:
        await api.create(plan(name="Walk 9", labels={"set": "walk"}))
        page = await ask(api, cursor=page["page"]["next"], page=1, **where)
        shown += [task["name"] for task in page["contents"]]
    assert shown == [f"Walk {number}" for number in reversed(range(7))]
    assert page["page"]["number"] == 3
    assert page["page"]["totalElements"] > 7


async def test_a_cursor_from_elsewhere_is_refused(api: ServedApi) -> None:
    """Broken, or of another sort: 400 that names it (B15)."""
    for number in range(3):
        task = await api.create(plan(name=f"Cursor {number}"))
    cursor = (await ask(api, size=1, sort="name,asc", min_seq=task["logSeq"]))["page"]["next"]
    for params in {"cursor": cursor[:-2]}, {"cursor": "x" * 500}, {"cursor": cursor, "sort": "id,desc"}:
        error = refused(await api.admin.get(INSTANCES, params=params), 400, 1001)
        assert error["target"] == {"parameter": "cursor"}


@pytest.mark.parametrize("name", ["createdFrom", "createdTo", "finishedFrom", "finishedTo"])
@pytest.mark.parametrize("given", ["2026-02-30T00:00:00Z", "2026-01-31T08:00:00", "9999-01-01T00:00:00Z"])
async def test_a_time_that_is_none_is_refused(api: ServedApi, name: str, given: str) -> None:
    """B17."""
    error = refused(await api.admin.get(INSTANCES, params={name: given}), 400, 1001)
    assert error["target"] == {"parameter": name}


async def test_counts_are_kept_by_state_and_status(api: ServedApi) -> None:
    """One task more is one more in its state and in OCP's status."""

    async def counts(seq: int) -> dict[str, Any]:
        answer = await api.admin.get(COUNTS, params={"min_seq": seq})
        Answer[TaskCounts].model_validate_json(answer.content)
        data: dict[str, Any] = from_json(answer.content)["data"]
        return data

    before = await counts(0)
    task = await api.create(plan())
    ready = await counts(task["logSeq"])
    done = await counts(await api.finish(task["id"], 1))

    assert ready["total"] == done["total"] == before["total"] + 1
    assert ready["states"]["READY"] == before["states"]["READY"] + 1
    assert done["states"]["SUCCESSFUL"] == before["states"]["SUCCESSFUL"] + 1
    assert ready["statuses"]["RUNNING"] == before["statuses"]["RUNNING"] + 1
    assert done["statuses"] == {**before["statuses"], "SUCCESSFUL": before["statuses"]["SUCCESSFUL"] + 1}


async def test_a_team_sees_lists_and_counts_of_its_own(api: ServedApi) -> None:
    """Nothing of others', not even in a total; tasks of no team are nobody's but those of who sees all."""
    for team in "red", "red", "blue", None:
        labels = {"set": "teams"} | ({"team": team} if team else {})
        last = await api.create(plan(name=f"Of {team}", labels=labels))
    red = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"red"}))
    seq = last["logSeq"]

    page = await ask(api, red, min_seq=seq)
    counts = (await red.get(COUNTS, params={"min_seq": seq})).json()["data"]

    assert [task["name"] for task in page["contents"]] == ["Of red", "Of red"]
    assert page["page"]["totalElements"] == counts["total"] == 2
    assert counts["statuses"]["RUNNING"] == 2
    assert await names(api, red, label="team:blue") == []
    assert len(await names(api, label="set:teams")) == 4
