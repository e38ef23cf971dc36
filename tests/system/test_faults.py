"""Faults on real processes: after each one, heal, wait, and nothing is lost, doubled or mislaid."""

import asyncio
import base64
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from shared.messages import subjects
from shared.runtime.nats import ApiError, api, connect
from tests.support.eventually import eventually, eventually_sync
from tests.support.history import walk
from tests.support.ledger import Ledger
from tests.support.nats_server import NatsServer
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = pytest.mark.timeout(180)


def steps(ledger: Ledger, count: int, *, tenths: int = 0, delivery: str = "at_least_once") -> dict[str, Any]:
    """Return a body whose plan is a fork, `count` branches and a join, each writing to the ledger."""

    def node(key: str, upstreams: list[str]) -> dict[str, Any]:
        return {
            "key": key,
            "operation": "command.run",
            "params": ledger.params(tenths),
            "upstreams": upstreams,
            "delivery": delivery,
            "timeout": 60,
        }

    branches = [node(f"branch-{n}", ["first"]) for n in range(count)]
    return {"plan": {"subtasks": [node("first", []), *branches, node("last", [b["key"] for b in branches])]}}


def chain(length: int = 5) -> dict[str, Any]:
    """Return a body whose plan is a chain of noops."""
    nodes = [{"key": f"s{n}", "operation": "noop", "upstreams": [f"s{n - 1}"] if n else []} for n in range(length)]
    return {"plan": {"subtasks": nodes}}


def assert_healed(up: Up, rest: Rest, ids: list[int], *, state: str = "SUCCESSFUL", timeout: float = 60) -> None:
    """Every acknowledged task has ended, its events are a legal walk, and the rows equal the fold."""
    for task_id in ids:
        assert rest.ended(task_id, timeout=timeout)["state"] == state
    for task_id in ids:
        seen = walk(rest.events(task_id))
        assert not seen.problems
        assert seen.finished == state
    verified = up.run("projection", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A running system without executors of its own, AckWait 3 s."""
    with Up(tmp_path, executors=0) as running:
        yield running


@pytest.fixture
def rest(up: Up) -> Iterator[Rest]:
    """Its REST API as admin."""
    with Rest(up.url, up.password) as client:
        yield client


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A file of effects."""
    return Ledger(tmp_path / "ledger")


@pytest.mark.parametrize(
    "place",
    ["executor.before_claim", "executor.before_effect", "executor.after_effect", "executor.before_ack"],
)
def test_killed_executor_loses_nothing(up: Up, rest: Rest, ledger: Ledger, tmp_path: Path, place: str) -> None:
    """An executor killed at any step is replaced by another, and every effect has happened under its one token."""
    once = str(tmp_path / "died")
    with up.joined("executor", OPSLEDGER_FAILPOINT=place, OPSLEDGER_FAILPOINT_ONCE=once) as first:
        ids = [rest.create(steps(ledger, 3))["id"] for _ in range(3)]
        first.wait(30)
        with up.joined("executor"):
            assert_healed(up, rest, ids)

    for task_id in ids:
        tokens = {line.token for line in ledger.lines() if line.token.startswith(f"{task_id}/") and line.word == "end"}
        assert tokens == {f"{task_id}/{number}/1" for number in range(1, 6)}


def test_lost_executor_leaves_at_most_once_to_a_person(up: Up, rest: Rest, ledger: Ledger) -> None:
    """What must not run twice by itself fails with UNKNOWN_OUTCOME when its executor was killed in the middle."""
    with up.joined("executor") as first:
        task_id = rest.create(steps(ledger, 1, tenths=300, delivery="at_most_once"))["id"]
        eventually_sync(lambda: any(line.word == "start" for line in ledger.lines()), timeout=20)
        first.kill()
        first.wait()
        with up.joined("executor"):
            assert_healed(up, rest, [task_id], state="FAILED")

    details = rest.task(task_id)
    assert details["subtasks"][0]["error"]["kind"] == "UNKNOWN_OUTCOME"
    assert sum(line.word == "start" for line in ledger.lines()) == 1


@pytest.mark.parametrize("place", ["api.create.before_commit", "api.create.after_commit"])
def test_killed_api_creates_one_task(up: Up, rest: Rest, tmp_path: Path, place: str) -> None:
    """An API killed in the middle of a create leaves one task behind once the client has repeated it with its key."""
    once = str(tmp_path / "died")
    with up.joined("api", "--port", "0", OPSLEDGER_FAILPOINT=place, OPSLEDGER_FAILPOINT_ONCE=once) as replica:
        address = replica_url(tmp_path, replica.pid)
        body = {**chain(), "labels": {"case": place}}
        with Rest(address, up.password) as other, pytest.raises(httpx2.TransportError):
            other.post(body, key="one-and-only")
        replica.wait(10)
    with up.joined("executor"):
        task_id = rest.create(body, key="one-and-only")["id"]
        assert rest.create(body, key="one-and-only")["id"] == task_id
        assert_healed(up, rest, [task_id])

    listed = rest.http.get("/api/v2/tasks/instances", params={"size": 100}).json()["data"]
    assert [task["id"] for task in listed["contents"]] == [task_id]


def replica_url(folder: Path, pid: int) -> str:
    """Return the address a joined API says it listens on."""

    def listening() -> list[int]:
        assert folder.exists()
        found = psutil.Process(pid).net_connections(kind="tcp")
        return [c.laddr.port for c in found if c.status == psutil.CONN_LISTEN]

    eventually_sync(listening, timeout=30, what="the joined API listens")
    return f"http://127.0.0.1:{listening()[0]}"


def test_projector_killed_between_rows_and_checkpoint(tmp_path: Path) -> None:
    """A projector killed inside its transaction goes on at its checkpoint: no gap, nothing twice."""
    up = Up(tmp_path, executors=1, OPSLEDGER_FAILPOINT="projector.rows:6", OPSLEDGER_FAILPOINT_ONCE=str(tmp_path / "d"))
    up.start()
    ids = []
    try:
        with Rest(up.url, up.password) as rest:
            for _ in range(40):
                try:
                    ids.append(rest.create(chain())["id"])
                except httpx2.TransportError:
                    break
        assert up.wait(30) != 0
        up.start()
        with Rest(up.url, up.password) as rest:
            assert_healed(up, rest, ids)
    finally:
        up.stop()


def test_nats_killed_and_restarted_under_load(tmp_path: Path, nats_server: NatsServer, ledger: Ledger) -> None:
    """The broker is killed with -9 and restarted three times while tasks run: every acknowledged task ends."""
    with (
        Up(tmp_path, executors=2, words=["--nats-url", nats_server.url]) as up,
        Rest(up.url, up.password) as rest,
    ):
        ids: list[int] = []
        for round_ in range(3):
            for n in range(12):
                answer = rest.post(steps(ledger, 2) if n % 4 == 0 else chain(), key=f"load-{round_}-{n}")
                if answer.status_code == 201:
                    ids.append(answer.json()["data"]["id"])
            nats_server.kill9()
            refused = rest.post(chain(), key=f"down-{round_}")
            assert refused.status_code == 503, refused.text
            nats_server.start()
            ids.append(eventually_created(rest, chain(), f"down-{round_}"))

        assert len(ids) >= 39
        assert_healed(up, rest, ids, timeout=90)


def eventually_created(rest: Rest, body: dict[str, Any], key: str) -> int:
    """Repeat a create with its key until it is answered with 201, and return the task's id."""
    found: list[int] = []

    def check() -> bool:
        answer = rest.post(body, key=key)
        if answer.status_code == 201:
            found.append(answer.json()["data"]["id"])
        return bool(found)

    eventually_sync(check, timeout=60, what="the create is accepted again")
    return found[0]


def test_stopped_executor_changes_nothing_when_it_wakes(up: Up, rest: Rest, ledger: Ledger) -> None:
    """An executor stopped beyond AckWait is taken over; its child is dead by then, and its report is refused."""
    with up.joined("executor", OPSLEDGER_NAME="stopped") as first:
        task_id = rest.create(steps(ledger, 0, tenths=40))["id"]
        eventually_sync(lambda: ledger.lines(f"{task_id}/1/1"), timeout=20)
        service = first.pid
        os.kill(service, signal.SIGSTOP)
        with up.joined("executor", OPSLEDGER_NAME="second"):
            eventually_sync(lambda: len(ledger.runs(f"{task_id}/1/1")) == 2, timeout=30)
            os.kill(service, signal.SIGCONT)
            assert_healed(up, rest, [task_id])

    runs = sorted(ledger.runs(f"{task_id}/1/1").values(), key=lambda lines: lines[0].at)
    assert len(runs) == 2
    assert runs[0][-1].at < runs[1][0].at, "both ran at once"
    assert runs[0][-1].word != "end"
    starts = [e for d in rest.events(task_id) for e in d["events"] if e["type"] == "subtask.started"]
    assert [e["executor"] for e in starts if e["subtask"] == 1] == ["stopped", "second"]


def test_deleted_queue_is_rebuilt_from_the_log(tmp_path: Path, ledger: Ledger) -> None:
    """WORK is deleted twice while tasks wait and run; the rescuer makes it anew and every task ends."""
    with (
        Up(tmp_path, executors=2, OPSLEDGER_RESCUE_AFTER_SECONDS="2") as up,
        Rest(up.url, up.password) as rest,
    ):
        ids = []
        for round_ in range(2):
            ids += [rest.create(steps(ledger, 3, tenths=2) if n % 3 == 0 else chain())["id"] for n in range(20)]
            asyncio.run(delete_stream(up.nats_url, subjects.WORK))
            ids += [rest.create(chain())["id"] for _ in range(5)]
            assert round_ < 2

        assert_healed(up, rest, ids)

    for token in {line.token for line in ledger.lines()}:
        assert len(ledger.runs(token)) == 1, "the deleted queue cost a run"


async def delete_stream(url: str, name: str) -> None:
    """Delete a stream as an administrator's mistake would, as soon as it is there."""
    client = await connect(url, name="test")

    async def deleted() -> bool:
        try:
            await api(client, f"STREAM.DELETE.{name}")
        except ApiError:
            return False
        return True

    try:
        await eventually(deleted, timeout=30, what=f"{name} is there to be deleted")
    finally:
        await client.close()


def test_duplicate_deliveries_and_copied_commits_change_nothing(up: Up, rest: Rest, ledger: Ledger) -> None:
    """Items delivered again under other names, and commits stored a second time, have no effect."""
    with up.joined("executor"), up.joined("executor"):
        ids = [rest.create(steps(ledger, 3, tenths=3))["id"] for _ in range(4)]
        asyncio.run(duplicate(up.nats_url, ids))
        assert_healed(up, rest, ids)
        asyncio.run(duplicate(up.nats_url, ids))
        again = rest.create(chain())["id"]
        assert_healed(up, rest, [*ids, again])

    for task_id in ids:
        for number in range(1, 6):
            assert len(ledger.runs(f"{task_id}/{number}/1")) == 1


async def duplicate(url: str, ids: list[int]) -> None:
    """Queue every subtask of the tasks once more, and store a copy of each task's last commit."""
    client = await connect(url, name="test")
    try:
        for task_id in ids:
            for number in range(1, 6):
                await client.request(f"work.default.{task_id}.{number}.1-77", b'{"v":1,"after":0}')
            last = await api(client, f"STREAM.MSG.GET.{subjects.TASKS}", {"last_by_subj": subjects.task(task_id)})
            await client.request(subjects.task(task_id), base64.b64decode(last["message"]["data"]))
    finally:
        await client.close()


def test_view_of_another_log_stops_everything(tmp_path: Path) -> None:
    """A view that has seen more than the log holds stops the API with LOG_REGRESSION instead of forgetting."""
    up = Up(tmp_path, executors=1)
    up.start()
    with Rest(up.url, up.password) as rest:
        assert_healed(up, rest, [rest.create(chain())["id"]])
    up.stop()
    shutil.rmtree(up.data_dir / "nats" / "store", ignore_errors=True)
    stores = [path for path in (up.data_dir / "nats").iterdir() if path.is_dir()]
    for path in stores:
        shutil.rmtree(path)

    up.launch()

    assert up.wait(60) == 3
    assert "LOG_REGRESSION" in up.stderr


def test_restart_continues_unfinished_tasks(tmp_path: Path, ledger: Ledger) -> None:
    """What was running when everything was killed goes on after the next start on the same folder."""
    up = Up(tmp_path, executors=2)
    up.start()
    try:
        with Rest(up.url, up.password) as rest:
            ids = [rest.create(steps(ledger, 3, tenths=10))["id"] for _ in range(3)]
            eventually_sync(ledger.lines, timeout=20)
        up.kill9()
        up.start()
        with Rest(up.url, up.password) as rest:
            assert_healed(up, rest, ids)
    finally:
        up.stop()


def test_poison_is_set_aside_and_blocks_nobody(up: Up, rest: Rest) -> None:
    """Messages that cannot be read are counted with their reason, and other tasks go on."""
    with up.joined("executor"):
        before = rest.create(chain())["id"]
        asyncio.run(poison(up.nats_url, before))
        after = [rest.create(chain())["id"] for _ in range(3)]
        assert_healed(up, rest, [before, *after])

    metrics = rest.http.get("/metrics").text
    aside = [line for line in metrics.splitlines() if line.startswith("opsledger_set_aside_total")]
    assert sum(float(line.rpartition(" ")[2]) for line in aside) >= 4, metrics


async def poison(url: str, task_id: int) -> None:
    """Put into the log and the queue what no program of ours would."""
    client = await connect(url, name="test")
    try:
        for body in (b"\xff\xfe not json", b'{"v":1}', b'{"v":1,"decisions":[{"events":[{}]}]}'):
            await client.request(subjects.task(task_id), body)
        await client.request(subjects.task(task_id + 1_000_000), b'{"v":99,"task":1}')
        await client.request("tasks.not-a-number", b"{}")
        await client.request("work.default.x.y.z", b"{}")
        await client.request("work.default.999999999.1.1-1", b'{"v":1,"after":0}')
    finally:
        await client.close()
