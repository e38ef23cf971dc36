"""A task as it was, and its history by the page: both are the log's own word, whoever answers."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from services.api.access import Role
from services.api.rest.live.history import Histories
from services.api.rest.schemas import Answer, History, TaskDetails
from shared.log.jetstream import JetStreamStorage
from shared.log.memory import MemoryStorage
from shared.log.port import Stored
from shared.log.transact import TaskLog
from shared.messages import subjects
from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def details(api: ServedApi, task_id: int, **params: Any) -> dict[str, Any]:
    """The data of a good answer, held against its shape."""
    answer = await api.admin.get(f"{INSTANCES}/{task_id}", params=params)
    assert answer.status_code == 200, answer.text
    Answer[TaskDetails].model_validate_json(answer.content)
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_each_position_shows_what_was_shown_then(api: ServedApi) -> None:
    """At every step of its life the details are kept; asked for later by position and by time they are the same."""
    task = await api.create(plan("a", "b", "c", labels={"team": "red"}))
    shown = {task["logSeq"]: await details(api, task["id"], min_seq=task["logSeq"])}
    failure = cmd.Failed(Problem(kind="EXIT_CODE", message="exit code 3"))
    for number, outcome in ((1, None), (2, failure)):
        seq = await api.claim(task["id"], number)
        shown[seq] = await details(api, task["id"], min_seq=seq)
        settle = cmd.Settle(number, seq, outcome or cmd.Succeeded({"n": 1}), datetime.now().astimezone())
        seq = await api.act(task["id"], settle)
        shown[seq] = await details(api, task["id"], min_seq=seq)
    other = await api.create(plan("z"))
    last = max(shown)

    for seq, then in shown.items():
        found = await details(api, task["id"], at=seq)
        at = found.pop("at")
        assert (found, at["seq"]) == (then, seq)
        by_time = await details(api, task["id"], at=at["time"])
        assert by_time.pop("at") == at
        assert by_time == then
    late = await details(api, task["id"], at=other["logSeq"])
    assert late["at"]["seq"] == last
    assert late["state"] == "FAILED"
    assert "etag" not in (await api.admin.get(f"{INSTANCES}/{task['id']}", params={"at": last})).headers


async def test_times_are_understood_in_every_zone(api: ServedApi) -> None:
    """Z, an offset, one whose plus sign arrived as a space; a time after the last commit shows the newest."""
    task = await api.create(plan("a"))
    at = (await details(api, task["id"], at=task["logSeq"]))["at"]
    moment = datetime.fromisoformat(at["time"])
    for text in (
        moment.isoformat(),
        moment.isoformat().replace("+00:00", "Z"),
        moment.isoformat().replace("+", " "),
        (moment + timedelta(hours=5)).isoformat().replace("+00:00", "+05:00"),
        "2999-01-01T00:00:00Z",
    ):
        assert (await details(api, task["id"], at=text))["at"] == at


async def test_before_its_creation_there_was_no_task(api: ServedApi) -> None:
    """404 that says when it was created; a task that never was is the usual 404."""
    task = await api.create(plan("a"))
    path = f"{INSTANCES}/{task['id']}"
    for at in (str(task["logSeq"] - 1), "2020-01-01T00:00:00Z", "0"):
        error = refused(await api.admin.get(path, params={"at": at}), 404, 4001)
        assert f"position {task['logSeq']}" in error["message"]
    refused(await api.admin.get(f"{INSTANCES}/99999999", params={"at": "1"}), 404, 4001)


async def test_what_is_no_moment_is_refused(api: ServedApi) -> None:
    """400 for words, times without an offset, positions that the log has not reached."""
    task = await api.create(plan("a"))
    bad = ("", "soon", "-1", "2026-01-01", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9" * 18, "٣", "1.5")
    for at in bad:
        refused(await api.admin.get(f"{INSTANCES}/{task['id']}", params={"at": at}), 400, 1001)


async def test_another_teams_task_never_was(api: ServedApi) -> None:
    """Its past is as invisible as its present."""
    task = await api.create(plan("a", labels={"team": "blue"}))
    red = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"red"}), name="red")
    blue = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"blue"}), name="blue")
    for params in ({"at": task["logSeq"]}, {"at": 1}, {}):
        error = refused(await red.get(f"{INSTANCES}/{task['id']}", params=params), 404, 4001)
        assert error["message"] == f"The task {task['id']} does not exist."
    assert (await blue.get(f"{INSTANCES}/{task['id']}", params={"at": task["logSeq"]})).status_code == 200


async def whole(api: ServedApi, task_id: int, **params: Any) -> list[dict[str, Any]]:
    """All pages joined."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await api.admin.get(f"{INSTANCES}/{task_id}/events", params=params)
        Answer[History].model_validate_json(answer.content)
        data = answer.json()["data"]
        found += data["contents"]
        if data["next"] is None:
            return found
        params["before" if params.get("order") == "desc" else "after"] = data["next"]


async def test_both_ways_show_the_same_history_with_its_marks(api: ServedApi) -> None:
    """Copies, strays and noise are marked alike on every page size, forwards, backwards and live."""
    task = await api.create(plan("a", "b", "c"))
    subject, js = subjects.task(task["id"]), api.nats.jetstream()
    first = (await api.log.history(task["id"]))[0]
    for number in (1, 2):
        await api.finish(task["id"], number)
        await js.publish(subject, first.body)
        await js.publish(subject, b"noise")
    other = await api.create(plan("x"))
    stray = (await api.log.history(other["id"]))[0]
    await js.publish(subject, stray.body)
    await api.finish(task["id"], 3)

    everything = await whole(api, task["id"])
    outcomes = [entry["outcome"] for entry in everything]
    assert (outcomes.count("ignored"), outcomes.count("unreadable")) == (2, 3)
    assert [entry["error"]["kind"] for entry in everything if "error" in entry] == ["bad_json"] * 2 + ["wrong_subject"]
    assert outcomes[-2:] == ["accepted", "accepted"]
    for size in (1, 2, 5, 100):
        assert await whole(api, task["id"], size=size) == everything
        assert await whole(api, task["id"], size=size, order="desc") == everything[::-1]
    newest = (await api.admin.get(f"{INSTANCES}/{task['id']}/events", params={"order": "desc", "size": 1})).json()
    assert newest["data"]["contents"][0] == everything[-1]
    bad: tuple[dict[str, str], ...] = (
        {"order": "up"},
        {"order": "desc", "after": "1"},
        {"before": "5"},
        {"order": "desc", "before": "x"},
    )
    for params in bad:
        refused(await api.admin.get(f"{INSTANCES}/{task['id']}/events", params=params), 400, 1001)


class Counting(MemoryStorage):
    """The log in memory; counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_messages = 0

    async def read(self, task_id: int, after: int = 0, *, limit: int | None = None) -> list[Stored]:
        """Read, and count."""
        found = await super().read(task_id, after, limit=limit)
        self.read_messages += len(found)
        return found


async def test_a_page_costs_what_it_shows() -> None:
    """Of a long history the whole is read once; after that a page reads its own commits, whatever its place."""
    storage = Counting()
    for number in range(3000):
        await storage.append(7, f"c{number}", b"x", number)
    histories = Histories(TaskLog(storage))
    assert (await histories.after(7, 0, 50)).more
    assert storage.read_messages <= 512
    await histories.before(7, None, 50)
    storage.read_messages = 0
    for start in (20, 1500, 2900):
        page = await histories.after(7, start, 50)
        assert [seq for seq, _ in page.contents] == list(range(start + 1, start + 51))
        assert [seq for seq, _ in (await histories.before(7, start, 10)).contents] == list(range(start - 10, start))
    assert storage.read_messages <= 3 * 60
    await storage.append(7, "new", b"x", 3000)
    assert [seq for seq, _ in (await histories.before(7, None, 2)).contents] == [3000, 3001]


async def test_what_is_remembered_is_bounded(api: ServedApi) -> None:
    """Histories of many tasks make room for each other and stay right."""
    histories = Histories(TaskLog(JetStreamStorage(api.nats)), kept=100)
    tasks = [await api.create(plan("a")) for _ in range(20)]
    for _ in range(2):
        for task in tasks:
            page = await histories.after(task["id"], 0, 10)
            assert [seq for seq, _ in page.contents] == [task["logSeq"]]
        assert histories.weight <= 100
