"""What real clients send: odd but harmless forms are taken, wrong values are refused with OCP's codes."""

from typing import Any

import pytest

from tests.compat import scenes, wire
from tests.integration.api.harness import INSTANCES, ServedApi

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"headers": {"Content-Type": "application/json"}},
        {"headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"headers": {"Content-Type": "text/plain;charset=UTF-8"}, "content": b""},
        {"headers": {"Content-Type": "nonsense"}, "content": b""},
        {"json": {}},
        {"json": None},
        {"params": {"taskInstanceId": 7}},
        {"headers": {"X-ReturnStackTrace": "true", "Accept": "*/*"}},
    ],
)
async def test_a_post_needs_no_body(api: ServedApi, sent: dict[str, Any]) -> None:
    """None at all, an empty one of any type, an empty object; path parameters repeated in the query."""
    task = await scenes.failed(api)
    wire.data(await api.admin.post(f"{INSTANCES}/{task}/retry", **sent))


async def test_strangers_in_the_query_are_ignored(api: ServedApi) -> None:
    """Clients repeat path parameters and add their own, empty values stand for none."""
    task = await scenes.failed(api)
    more: dict[str, Any] = {"taskInstanceId": 1, "subtaskInstanceId": 2, "_": "123", "pageable": "", "x[]": "y"}
    assert wire.data(await api.admin.get(f"{INSTANCES}/{task}", params=more))["id"] == task
    empty = dict.fromkeys(("name", "status", "type", "clusterId", "cluterName", "tenantId", "page", "size", "sort"), "")
    found = await scenes.listed(api, **more, **empty)
    assert (found["page"]["number"], found["page"]["size"]) == (1, 10)
    assert found["page"]["totalElements"] > 0


async def test_addresses_may_end_in_a_slash(api: ServedApi) -> None:
    """As OCP takes them; an empty query is none."""
    task = await scenes.failed(api)
    for path in (f"{INSTANCES}/", f"{INSTANCES}?", f"{INSTANCES}/{task}/", f"{scenes.step(task, 2)}/log/"):
        wire.data(await api.admin.get(path))
    wire.data(await api.admin.post(f"{INSTANCES}/{task}/retry/"))
    wire.error(await api.admin.get(f"{INSTANCES}/{task}//"), 404, 1002)


async def test_a_task_has_a_shorter_address(api: ServedApi) -> None:
    """`/api/v2/tasks/{id}` answers the same details; it takes nothing but ids away from its neighbours."""
    task = await scenes.failed(api)
    whole = await scenes.shown(api, task)
    assert wire.data(await api.admin.get(f"/api/v2/tasks/{task}")) == whole
    wire.error(await api.admin.get(f"/api/v2/tasks/{2**40}"), 404, 4001)
    wire.error(await api.admin.get(f"/api/v2/tasks/{'9' * 5000}"), 404, 4001)
    wire.error(await api.admin.get("/api/v2/tasks/nothing"), 404, 1002)


async def test_status_is_a_list_or_repeated(api: ServedApi) -> None:
    """Both spellings of several statuses find the same tasks, and none of another status."""
    running, failed, back = await scenes.running(api), await scenes.failed(api), await scenes.rolled_back(api)
    comma = await scenes.listed(api, status="RUNNING,FAILED", size=2000)
    twice = await scenes.listed(api, status=["RUNNING", "FAILED"], size=2000)
    assert [task["id"] for task in comma["contents"]] == [task["id"] for task in twice["contents"]]
    assert {task["status"] for task in comma["contents"]} == {"RUNNING", "FAILED"}
    ids = {task["id"] for task in comma["contents"]}
    assert running in ids
    assert failed in ids
    assert back not in ids


async def test_types_are_ocps(api: ServedApi) -> None:
    """Every task is MANUAL; the documents' misspelled word is known beside the right one."""
    await scenes.created(api)
    assert (await scenes.listed(api, type="MANUAL"))["page"]["totalElements"] > 0
    for word in ("SYS_ONECE", "SYS_ONCE", "SCHEDULED", "SYS_SCHEDULED"):
        assert (await scenes.listed(api, type=word))["contents"] == []


async def test_names_are_searched_in_part(api: ServedApi) -> None:
    """Whatever their case; wildcards mean themselves."""
    task = await scenes.created(api, name="Prepare Host 100%_x")
    for part in ("prepare host", "HOST 1", "100%_"):
        assert task in {one["id"] for one in (await scenes.listed(api, name=part))["contents"]}
    assert (await scenes.listed(api, name="100_%"))["contents"] == []


async def test_pages_count_from_one(api: ServedApi) -> None:
    """The default is ten a page; one past the end is empty and says the same totals."""
    for _ in range(3):
        await scenes.created(api, name="paged")
    first = await scenes.listed(api, name="paged", size=2, sort="id,asc")
    last = await scenes.listed(api, name="paged", size=2, sort="id,asc", page=2)
    beyond = await scenes.listed(api, name="paged", size=2, page=9)
    ids = [task["id"] for page in (first, last) for task in page["contents"]]
    assert ids == sorted(ids)
    assert len(ids) == 3
    assert beyond["contents"] == []
    for page, number in ((first, 1), (last, 2), (beyond, 9)):
        about = page["page"]
        wire.holds(about, wire.PAGE)
        assert (about["totalElements"], about["totalPages"], about["totalPage"]) == (3, 2, 2)
        assert (about["number"], about["size"]) == (number, 2)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"page": 0}, 1001),
        ({"page": "x"}, 1001),
        ({"size": 2001}, 1001),
        ({"size": 0}, 1001),
        ({"sort": "password,asc"}, 1011),
        ({"status": "DONE"}, 1001),
        ({"type": "MINE"}, 1001),
        ({"clusterId": "x"}, 1001),
        ({"cluterName": "a", "clusterName": "b"}, 1001),
        ({"dialect": "latin"}, 1001),
    ],
)
async def test_wrong_parameters_are_refused(api: ServedApi, query: dict[str, Any], code: int) -> None:
    """400 with OCP's code and the parameter's name."""
    found = wire.error(await api.admin.get(INSTANCES, params=query), 400, code)
    assert found["target"]["parameter"].split(" ")[0] in {*query, "cluterName", "clusterName"}


async def test_the_largest_page_is_ocps(api: ServedApi) -> None:
    """2000 is taken, and shown as it was asked for."""
    assert (await scenes.listed(api, size=2000))["page"]["size"] == 2000


@pytest.mark.parametrize("accepted", ["zh-CN", "zh-CN,zh;q=0.9,en;q=0.8"])
async def test_messages_come_in_chinese(api: ServedApi, accepted: str) -> None:
    """The same codes; the English message stays beside it."""
    headers = {"Accept-Language": accepted}
    task = await scenes.created(api)
    async with api.client() as nobody:
        answers = [
            (await nobody.get(INSTANCES, headers=headers), 401, 3000),
            (await api.admin.get(f"{INSTANCES}/{2**40}", headers=headers), 404, 4001),
            (await api.admin.post(f"{INSTANCES}/{task}/retry", headers=headers), 400, 4007),
            (await api.admin.get(f"{INSTANCES}?size=0", headers=headers), 400, 1001),
            (await api.admin.put(f"{INSTANCES}/{task}", headers=headers), 405, 1003),
            (await api.admin.get("/nope", headers=headers), 404, 1002),
        ]
    for answer, status, code in answers:
        found = wire.error(answer, status, code)
        assert answer.headers["content-language"] == "zh-CN"
        assert any("\u4e00" <= letter <= "\u9fff" for letter in found["message"]), found
        assert found["debugMessage"].isascii()


@pytest.mark.parametrize("accepted", [None, "en-US", "fr-FR", "*", "en,zh"])
async def test_messages_are_english_otherwise(api: ServedApi, accepted: str | None) -> None:
    """Also for who asks for a language that there is none of."""
    headers = {"Accept-Language": accepted} if accepted else {}
    found = wire.error(await api.admin.get(f"{INSTANCES}/{2**40}", headers=headers), 404, 4001)
    assert found["message"] == f"The task {2**40} does not exist."
    assert "debugMessage" not in found


@pytest.mark.parametrize(
    ("dialect", "labels"),
    [
        ("ocp", (None, None, None)),
        ("oms", ("In Progress", "Failed", "Successful")),
        ("odc", ("Running", "Failed", "Completed")),
    ],
)
async def test_a_dialect_changes_labels_only(api: ServedApi, dialect: str, labels: tuple[Any, ...]) -> None:
    """`statusLabel` comes beside `status`, in the list and in the details; nothing else is different."""
    tasks = await scenes.running(api), await scenes.failed(api), await scenes.rolled_back(api)
    rows = {task["id"]: task for task in (await scenes.listed(api, dialect=dialect))["contents"]}
    for task, label in zip(tasks, labels, strict=True):
        found = await scenes.shown(api, task, dialect=dialect)
        assert found.pop("statusLabel", None) == label == rows[task].get("statusLabel")
        assert found == await scenes.shown(api, task)


async def test_a_filter_speaks_the_dialect(api: ServedApi) -> None:
    """ODC's Aborted has three spellings, and its Failed leaves the cancelled ones out."""
    failed, cancelled = await scenes.failed(api), await scenes.created(api)
    wire.data(await api.admin.post(f"{INSTANCES}/{cancelled}/cancel"))
    for word in ("Aborted", "CANCELED", "CANCELLED", "aborted"):
        rows = (await scenes.listed(api, dialect="odc", status=word, size=2000))["contents"]
        assert {row["statusLabel"] for row in rows} == {"Aborted"}
        assert cancelled in {row["id"] for row in rows}
    rows = (await scenes.listed(api, dialect="odc", status="Failed", size=2000))["contents"]
    assert failed in {row["id"] for row in rows}
    assert cancelled not in {row["id"] for row in rows}
    rows = (await scenes.listed(api, dialect="oms", status="Failed", size=2000))["contents"]
    assert {failed, cancelled} <= {row["id"] for row in rows}
