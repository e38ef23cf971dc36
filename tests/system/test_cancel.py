"""Cancel, for real: answered at once, ended soon, nothing left running, and exactly one outcome, whatever happens.

Whoever waits for the end counts from when an executor is able to act: with the nudge at once; without it at the next
heartbeat, AckWait / 3; when the executor is gone, AckWait after it was last heard of, or, when the item is lost too,
after a rescue scan and the margin by which a claim may be taken over.
"""

import asyncio
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from shared.log.jetstream import JetStreamStorage
from shared.log.port import Note
from shared.log.transact import TaskLog
from shared.messages import subjects
from shared.messages.commit import By
from shared.runtime.clock import commit_id, now
from shared.runtime.nats import api, connect
from shared.task import commands as cmd
from shared.task.decide import decide
from tests.support.checker import Call, Told, check
from tests.support.descendants import alive, mark
from tests.support.eventually import eventually_sync
from tests.support.history import Walk, walk
from tests.support.nats_server import NatsServer
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("cancel")]

ACK_WAIT = 6.0
SOON = 1.0
"""How soon (s) a nudge ends what needs no grace: well before the next heartbeat, AckWait / 3."""
GRACE = 1.0
AT_ONCE = 1.0
"""How long (s) a cancel may take to be answered."""
RESCUE = 2.0
RESCUE_SCAN = 2 * (RESCUE + RESCUE / 3)
"""When the rescuer has looked twice at a task that stands still: after the first commit, and after the cancel."""
TAKEOVER = ACK_WAIT * 1.25 + 0.5
"""For how long an executor must not have been heard of."""
SETTINGS: dict[str, Any] = {
    "OPSLEDGER_ACK_WAIT_SECONDS": str(ACK_WAIT),
    "OPSLEDGER_CANCEL_GRACE_SECONDS": str(GRACE),
    "OPSLEDGER_EGRESS_ALLOW": "127.0.0.1",
    "OPSLEDGER_RESCUE_AFTER_SECONDS": str(RESCUE),
}
DEAF = "trap '' TERM INT HUP; "
DAEMONS = (
    "setsid nohup sh -c 'sleep 300 #'$0 >/dev/null 2>&1 & "
    "(sh -c 'sleep 300 #'$0 & ) & sh -c 'trap \"\" TERM; sleep 300; sleep 300 #'$0 & echo up; wait; sleep 300"
)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One running system with one executor in the pool `default`; AckWait 6 s, grace 1 s, rescue after 2 s."""
    with Up(tmp_path_factory.mktemp("cancel"), executors=1, **SETTINGS) as running:
        yield running


@pytest.fixture
def rest(up: Up) -> Iterator[Rest]:
    """Its REST API as admin."""
    with Rest(up.url, up.password) as client:
        yield client


@pytest.fixture
def pool() -> str:
    """A pool of this test alone."""
    return mark()[:20]


def plan(*nodes: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Return the body of a create with this plan."""
    return {"plan": {"subtasks": list(nodes), **settings}}


def wait(key: str, seconds: float, **more: Any) -> dict[str, Any]:
    """Return a node that runs inside of the executor for so long."""
    return {"key": key, "operation": "wait", "params": {"seconds": seconds}, **more}


def shell(key: str, script: str, name: str, **more: Any) -> dict[str, Any]:
    """Return a node that runs a script with `name` in every command line below it."""
    return {"key": key, "operation": "command.run", "params": {"argv": ["sh", "-c", script, name]}, **more}


def running(rest: Rest, body: dict[str, Any], number: int = 1) -> int:
    """Create a task and wait until its subtask runs; return the task's id."""
    task_id = int(rest.create(body)["id"])
    eventually_sync(lambda: status(rest, task_id, number) == "RUNNING", timeout=20, what="the subtask runs")
    return task_id


def status(rest: Rest, task_id: int, number: int = 1) -> str:
    """Return the status of a subtask."""
    return str(rest.task(task_id)["subtasks"][number - 1]["status"])


def cancel(rest: Rest, task_id: int, number: int | None = None) -> float:
    """Cancel a task, or one subtask, which is answered at once and with success; return when it was answered."""
    began = time.monotonic()
    answer = rest.http.post(path(task_id, number, "cancel"))
    took = time.monotonic() - began
    assert answer.status_code == 200, answer.text
    assert took < AT_ONCE, f"the answer took {took:.2f} s"
    return time.monotonic()


def path(task_id: int, number: int | None, word: str) -> str:
    """Return where a command on a task, or on one of its subtasks, is sent to."""
    below = f"/subtasks/{task_id * 10_000 + number}" if number is not None else ""
    return f"/api/v2/tasks/instances/{task_id}{below}/{word}"


def ended(rest: Rest, task_id: int, since: float, *, within: float, state: str = "CANCELLED") -> Walk:
    """Wait for the end, which comes in time and in this state, after a legal walk; return what was seen on it."""
    details = rest.ended(task_id, timeout=within + 15)
    took = time.monotonic() - since
    assert details["state"] == state
    assert took < within, f"the end came after {took:.1f} s, {within:.1f} s were allowed"
    seen = walk(rest.events(task_id))
    assert (seen.problems, seen.finished) == ([], state)
    return seen


# ---- nothing runs ---------------------------------------------------------------------------------------------------


def test_queued(rest: Rest, pool: str) -> None:
    """A task that nobody has claimed is CANCELLED with the answer, and nothing of it ever starts."""
    task_id = int(rest.create(plan(wait("a", 60, pool=pool)))["id"])

    seen = ended(rest, task_id, cancel(rest, task_id), within=SOON)

    assert (seen.starts, status(rest, task_id)) == (0, "PENDING")


def test_waiting_for_its_plan(rest: Rest, up: Up) -> None:
    """A task that was not planned yet is CANCELLED, and the executor that wakes up late gives it no plan any more."""
    service = up.child("executor-1")
    service.suspend()
    try:
        task_id = int(rest.create({"type": "host.inspect", "params": {}})["id"])
        assert rest.task(task_id)["state"] == "INITIALIZING"
        ended(rest, task_id, cancel(rest, task_id), within=SOON)
    finally:
        service.resume()
    after = rest.create(plan({"key": "a", "operation": "noop"}))["id"]
    assert rest.ended(after)["state"] == "SUCCESSFUL"
    assert types(rest, task_id) == ["task.created", "task.cancel_requested", "task.finished"]


def test_between_retries(rest: Rest, up: Up) -> None:
    """What waits an hour for its next try is CANCELLED at once; a retry of the task does not wait for that hour."""
    marker = up.data_dir / mark()
    once = f"test -e {marker} || {{ touch {marker}; exit 1; }}"
    task_id = int(rest.create(plan(shell("a", once, "x", retry={"times": 1, "delay_seconds": 3600})))["id"])
    eventually_sync(lambda: "subtask.retry_scheduled" in types(rest, task_id), timeout=20)

    ended(rest, task_id, cancel(rest, task_id), within=SOON)
    assert rest.http.post(path(task_id, None, "retry")).status_code == 200

    ended(rest, task_id, time.monotonic(), within=RESCUE, state="SUCCESSFUL")


def test_subtask_between_retries(rest: Rest) -> None:
    """Cancelled alone it has FAILED with operation CANCEL, and is not tried again."""
    body = plan(shell("a", "exit 1", "x", retry={"times": 1, "delay_seconds": 3600}))
    task_id = int(rest.create(body)["id"])
    eventually_sync(lambda: "subtask.retry_scheduled" in types(rest, task_id), timeout=20)

    ended(rest, task_id, cancel(rest, task_id, 1), within=SOON, state="FAILED")

    assert rest.task(task_id)["subtasks"][0]["operation"] == "CANCEL"


def types(rest: Rest, task_id: int) -> list[str]:
    """Return the types of a task's events in order."""
    return [event["type"] for decision in rest.events(task_id) for event in decision["events"]]


# ---- something runs -------------------------------------------------------------------------------------------------


def test_running_in_the_executor(rest: Rest) -> None:
    """An operation that waits for the event ends at once, and what was to follow never starts."""
    task_id = running(rest, plan(wait("a", 60), wait("b", 60, upstreams=["a"])))

    seen = ended(rest, task_id, cancel(rest, task_id), within=SOON)

    assert (seen.starts, dict(seen.cancels)) == (1, {"subtask.cancelled": 1})
    assert [s["status"] for s in rest.task(task_id)["subtasks"]] == ["FAILED", "PENDING"]


def test_waiting_for_a_web_server(rest: Rest) -> None:
    """A request that is never answered is dropped at once, without waiting for the grace."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        task_id = running(rest, plan({"key": "a", "operation": "http.request", "params": {"url": url, "timeout": 60}}))
        heard, _ = deaf.accept()
        with heard:
            ended(rest, task_id, cancel(rest, task_id), within=SOON)


def test_running_a_tree_of_processes(rest: Rest) -> None:
    """Children, grandchildren, daemons by setsid and nohup, and one that is deaf: all are gone when it has ended."""
    name = mark()
    task_id = running(rest, plan(shell("a", DAEMONS, name)))
    eventually_sync(lambda: len(alive(name)) >= 4, timeout=10, what="the tree stands")

    ended(rest, task_id, cancel(rest, task_id), within=GRACE + 2)

    assert alive(name) == []


def test_running_what_ignores_it(rest: Rest) -> None:
    """A child that ignores TERM is killed after the grace and not before."""
    name = mark()
    task_id = running(rest, plan(shell("a", DEAF + "sleep 300; sleep 300", name)))
    eventually_sync(lambda: alive(name), timeout=10)

    since = cancel(rest, task_id)
    ended(rest, task_id, since, within=GRACE + 2)

    assert time.monotonic() - since >= GRACE
    assert alive(name) == []


def test_many_at_once(rest: Rest) -> None:
    """Every one of the subtasks that run is stopped, and none of those that wait begins."""
    name = mark()
    body = plan(*(shell(f"s{n}", "sleep 300; sleep 300", name) for n in range(20)), concurrency=12)
    task_id = int(rest.create(body)["id"])
    eventually_sync(lambda: rest.task(task_id)["subtasks"][11]["status"] == "RUNNING", timeout=20)
    eventually_sync(lambda: len(alive(name)) >= 12, timeout=20)

    seen = ended(rest, task_id, cancel(rest, task_id), within=GRACE + 3)

    assert (seen.starts, sum(seen.cancels.values())) == (12, 12)
    assert alive(name) == []


def test_one_subtask(rest: Rest) -> None:
    """It has FAILED with operation CANCEL, followers stay PENDING, siblings end well, the task has FAILED (R7)."""
    task_id = running(rest, plan(wait("a", 60), wait("b", 60, upstreams=["a"]), wait("c", 1)))

    ended(rest, task_id, cancel(rest, task_id, 1), within=4, state="FAILED")

    first, second, third = rest.task(task_id)["subtasks"]
    assert (first["status"], first["operation"]) == ("FAILED", "CANCEL")
    assert (second["status"], third["status"]) == ("PENDING", "SUCCESSFUL")
    again = rest.http.post(path(task_id, 1, "cancel"))
    assert (again.status_code, again.json()["error"]["code"]) == (400, 4007)
    assert again.json()["error"]["target"] == {
        "kind": "illegal_state",
        "state": "FAILED",
        "operation": "CANCEL",
        "allowed": ["retry", "skip"],
    }


def test_rolling_back(rest: Rest) -> None:
    """A cancelled rollback keeps its direction: no way forward again, but it resumes."""
    body = plan(
        {"key": "a", "operation": "noop", "undo": {"operation": "wait", "params": {"seconds": 1.5}}},
        shell("b", "exit 1", "x", upstreams=["a"]),
    )
    task_id = int(rest.create(body)["id"])
    assert rest.ended(task_id)["state"] == "FAILED"
    assert rest.http.post(path(task_id, None, "rollback")).status_code == 200
    eventually_sync(lambda: status(rest, task_id) == "RUNNING", timeout=10)

    ended(rest, task_id, cancel(rest, task_id), within=SOON)

    for word, number in (("retry", None), ("retry", 1)):
        refused = rest.http.post(path(task_id, number, word)).json()["error"]
        assert refused["code"] == 4007
        assert "retry" not in refused["target"]["allowed"]
    assert rest.http.post(path(task_id, None, "rollback")).status_code == 200
    seen = ended(rest, task_id, time.monotonic(), within=4, state="SUCCESSFUL")
    assert (seen.backward, dict(seen.cancels)) == (True, {"subtask.cancelled": 1})


# ---- races ----------------------------------------------------------------------------------------------------------


RACE = ("refused", "subtask.cancelled", "subtask.succeeded")
"""What can become of a cancel that meets the end."""


def test_racing_with_the_end(rest: Rest) -> None:
    """Again and again a cancel meets the end: refused afterwards, else exactly one of cancelled and completed.

    Each round aims a little later when it came too early and earlier when it came too late, so that they do meet.
    """
    outcomes: Counter[str] = Counter()
    log: dict[int, list[dict[str, Any]]] = {}
    calls: list[Call] = []
    aim, rounds = 0.1, 0
    while rounds < 200 and min(outcomes[word] for word in RACE) < 3:
        rounds += 1
        task_id = int(rest.create(plan(wait("a", 0.15)))["id"])
        begun = ("RUNNING", "SUCCESSFUL")  # on a busy machine it may be over when it is seen to run
        eventually_sync(lambda: status(rest, task_id, 1) in begun, timeout=20, what="the subtask runs")  # noqa: B023
        threading.Event().wait(max(0.0, aim))
        label = f"race-{rounds}"
        asked = time.monotonic()
        answer = rest.http.post(path(task_id, None, "cancel"), json={"reason": label})
        told: Told = "ok" if answer.status_code == 200 else "refused"
        seq = int(answer.headers["X-Log-Seq"]) if told == "ok" else None
        calls.append(Call(label, task_id, told, asked, time.monotonic(), seq))
        details = rest.ended(task_id, timeout=10)
        log[task_id] = rest.events(task_id)
        cancels = walk(log[task_id]).cancels
        if told == "refused":
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, 4007)
            assert (details["state"], cancels) == ("SUCCESSFUL", Counter())
            outcomes["refused"] += 1
        else:
            assert sum(cancels.values()) == 1, "exactly one outcome"
            assert details["state"] == ("SUCCESSFUL" if cancels["subtask.succeeded"] else "CANCELLED")
            outcomes.update(cancels)
        aim += 0.004 if cancels["subtask.cancelled"] else -0.004
    assert check(log, calls) == []
    assert min(outcomes[word] for word in RACE) >= 1, outcomes


def test_racing_through_a_chain(rest: Rest) -> None:
    """Cancels in the middle of chains that run as fast as they can: what ran completes or stops, nothing follows it."""
    outcomes: Counter[str] = Counter()
    nodes = [{"key": f"s{n}", "operation": "noop", "upstreams": [f"s{n - 1}"] if n else []} for n in range(400)]
    for _ in range(15):
        task_id = int(rest.create(plan(*nodes))["id"])
        eventually_sync(lambda: status(rest, task_id, 20) == "SUCCESSFUL", timeout=20)  # noqa: B023
        answer = rest.http.post(path(task_id, None, "cancel"))
        details = rest.ended(task_id, timeout=10)
        seen = walk(rest.events(task_id))
        assert seen.problems == []
        assert answer.status_code == 200 or details["state"] == "SUCCESSFUL"
        outcomes.update(seen.cancels)
        outcomes[details["state"]] += 1
    assert outcomes["CANCELLED"] > 5, outcomes
    assert outcomes["subtask.succeeded"] >= 1, outcomes


# ---- executors in trouble -------------------------------------------------------------------------------------------


def executor(up: Up, pool: str, stack: ExitStack) -> int:
    """Join an executor of this pool; return the process id of the service."""
    return int(stack.enter_context(up.joined("executor", OPSLEDGER_POOL=pool)).pid)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends what a test joined."""
    with ExitStack() as opened:
        yield opened


def test_lost_nudge(up: Up, rest: Rest) -> None:
    """Nobody tells the executor: its next heartbeat finds out."""
    task_id = running(rest, plan(wait("a", 60)))

    asyncio.run(cancelled_in_silence(up.nats_url, task_id))

    ended(rest, task_id, time.monotonic(), within=ACK_WAIT / 3 + 1.5)


async def cancelled_in_silence(url: str, task_id: int) -> None:
    """Store the cancel as an API does that dies before its nudge."""
    client = await connect(url, name="test")
    try:
        note = Note(commit_id(), now(), By(kind="user", name="test", via="rest"))
        log = TaskLog(JetStreamStorage(client))
        await log.transact(task_id, lambda task: decide(task, cmd.CancelTask(note.at)), note)
    finally:
        await client.close()


def test_dead_executor(up: Up, rest: Rest, pool: str, stack: ExitStack) -> None:
    """Killed with -9 before the cancel: another one ends it once AckWait is over; the tree died with its executor."""
    name = mark()
    first = executor(up, pool, stack)
    task_id = running(rest, plan(shell("a", DAEMONS, name, pool=pool)))
    eventually_sync(lambda: len(alive(name)) >= 4, timeout=10)
    os.kill(first, signal.SIGKILL)

    since = cancel(rest, task_id)
    executor(up, pool, stack)
    eventually_sync(lambda: not alive(name), timeout=2)

    ended(rest, task_id, since, within=ACK_WAIT + 4)


@pytest.mark.long
def test_dead_executor_whose_item_is_lost(up: Up, rest: Rest, pool: str, stack: ExitStack) -> None:
    """The queue is gone as well: a rescue scan queues it anew, and the claim is taken over after its margin."""
    first = executor(up, pool, stack)
    task_id = running(rest, plan(wait("a", 300, pool=pool)))
    os.kill(first, signal.SIGKILL)
    asyncio.run(delete_item(up.nats_url, pool))

    since = cancel(rest, task_id)
    executor(up, pool, stack)

    ended(rest, task_id, since, within=RESCUE_SCAN + 2 * TAKEOVER + 2)


async def delete_item(url: str, pool: str) -> None:
    """Lose the items of a pool."""
    client = await connect(url, name="test")
    try:
        purged = await api(client, f"STREAM.PURGE.{subjects.WORK}", {"filter": f"work.{pool}.>"})
        assert purged["purged"] == 1
    finally:
        await client.close()


@pytest.mark.parametrize("seconds", [1.0, pytest.param(ACK_WAIT + 1.5, marks=pytest.mark.long)])
def test_paused_executor(up: Up, rest: Rest, pool: str, stack: ExitStack, seconds: float) -> None:
    """Stopped while it is cancelled, shorter or longer than AckWait: it ends once the executor goes on."""
    name = mark()
    service = executor(up, pool, stack)
    task_id = running(rest, plan(shell("a", DAEMONS, name, pool=pool)))
    os.kill(service, signal.SIGSTOP)

    cancel(rest, task_id)
    threading.Event().wait(seconds)
    assert status(rest, task_id) == "CANCELING"
    os.kill(service, signal.SIGCONT)

    ended(rest, task_id, time.monotonic(), within=GRACE + 10)
    eventually_sync(lambda: not alive(name), timeout=1)


@pytest.mark.long
def test_paused_executor_with_another_one_there(up: Up, rest: Rest, pool: str, stack: ExitStack) -> None:
    """The other one ends it while the first is stopped; when that wakes up, its report changes nothing."""
    name = mark()
    service = executor(up, pool, stack)
    task_id = running(rest, plan(shell("a", DAEMONS, name, pool=pool)))
    os.kill(service, signal.SIGSTOP)
    since = cancel(rest, task_id)
    executor(up, pool, stack)

    seen = ended(rest, task_id, since, within=2 * ACK_WAIT + 5 + 3)
    os.kill(service, signal.SIGCONT)

    eventually_sync(lambda: not alive(name), timeout=5)
    assert dict(seen.cancels) == {"subtask.cancelled": 1}


@pytest.mark.long
@pytest.mark.parametrize("seconds", [1.0, ACK_WAIT + 2])
def test_broker_away_after_the_cancel(tmp_path: Path, nats_server: NatsServer, seconds: float) -> None:
    """NATS is killed right after the cancel and comes back: one outcome, no process left, no restart by hand."""
    name = mark()
    with (
        Up(tmp_path, executors=1, words=["--nats-url", nats_server.url], **SETTINGS) as up,
        Rest(up.url, up.password) as rest,
    ):
        task_id = running(rest, plan(shell("a", DEAF + "sleep 300; sleep 300", name)))
        cancel(rest, task_id)
        nats_server.kill9()
        threading.Event().wait(seconds)
        nats_server.start()

        seen = ended(rest, task_id, time.monotonic(), within=GRACE + 10)

    assert sum(seen.cancels.values()) == 1
    assert alive(name) == []
