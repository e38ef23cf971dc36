"""What executors do with plans, end to end: retries, time limits, outputs, pools, drain, sizes. No faults here."""

import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.support.eventually import eventually_sync
from tests.support.history import walk
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("work")]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One running system with one executor, for all tests of this module."""
    with Up(tmp_path_factory.mktemp("work"), executors=1) as running:
        yield running


@pytest.fixture
def rest(up: Up) -> Iterator[Rest]:
    """Its REST API as admin."""
    with Rest(up.url, up.password) as client:
        yield client


def plan(*nodes: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Return the body of a create with this plan."""
    return {"plan": {"subtasks": list(nodes), **settings}}


def command(key: str, *argv: str, **more: Any) -> dict[str, Any]:
    """Return a node that runs a program."""
    return {"key": key, "operation": "command.run", "params": {"argv": list(argv)}, **more}


def types(rest: Rest, task_id: int) -> list[str]:
    """Return the types of a task's events in order."""
    return [event["type"] for decision in rest.events(task_id) for event in decision["events"]]


def test_failed_subtask_is_tried_again_by_itself_until_its_budget_ends(rest: Rest) -> None:
    """Three executions of a budget of two retries, not before their time, and the log of each."""
    body = plan(command("no", "sh", "-c", "echo trying; exit 7", retry={"times": 2, "delay_seconds": 0.3}))

    details = rest.ended(rest.create(body)["id"])

    subtask = details["subtasks"][0]
    assert (details["state"], subtask["status"], subtask["runTime"]) == ("FAILED", "FAILED", 3)
    assert types(rest, details["id"]).count("subtask.retry_scheduled") == 2
    text = rest.log(details["id"], subtask["id"])
    assert text.count("INFO trying") == 3
    assert text.count("############{") == 3
    assert "exit" in subtask["error"]["message"]


def test_retry_succeeds_once_the_world_has_recovered(rest: Rest, up: Up) -> None:
    """What fails first and works then ends SUCCESSFUL with two executions."""
    marker = up.data_dir / "recovered"
    body = plan(command("flaky", "sh", "-c", f"test -e {marker} || {{ touch {marker}; exit 1; }}", retry={"times": 1}))

    details = rest.ended(rest.create(body)["id"])

    assert (details["state"], details["subtasks"][0]["runTime"]) == ("SUCCESSFUL", 2)


def test_what_takes_too_long_is_stopped_with_its_processes(rest: Rest) -> None:
    """A timeout fails the subtask with its cause, and nothing of it is left running."""
    details = rest.ended(rest.create(plan(command("slow", "sleep", "4242", timeout=1)))["id"])

    assert details["subtasks"][0]["error"]["kind"] == "TIMEOUT"
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "4242"]]


def test_failure_stops_what_has_not_begun(rest: Rest) -> None:
    """Downstreams of a failed subtask stay PENDING and the task is FAILED with the first problem."""
    details = rest.ended(rest.create(plan(command("bad", "false"), command("after", "true", upstreams=["bad"])))["id"])

    assert [subtask["status"] for subtask in details["subtasks"]] == ["FAILED", "PENDING"]
    assert details["status"] == "FAILED"
    assert not walk(rest.events(details["id"])).problems


def test_output_travels_downstream_even_when_it_is_large(rest: Rest, up: Up) -> None:
    """An output beyond 64 KiB goes through the object store to the subtask that reads it."""
    many = "x" * 99
    script = f"for i in $(seq 1500); do echo {many}; done"
    first = command("many", "sh", "-c", script)
    first["params"]["keep_bytes"] = 200_000
    write = {
        "key": "write",
        "operation": "file.write",
        "upstreams": ["many"],
        "params": {"path": "many.txt", "content_from": {"upstream": "many", "field": "stdout"}},
    }

    details = rest.ended(rest.create(plan(first, write))["id"])

    assert details["state"] == "SUCCESSFUL", details
    assert (up.data_dir / "files" / "many.txt").stat().st_size == 150_000


def test_lines_carry_level_time_and_run(rest: Rest) -> None:
    """Standard output is INFO, standard error WARN, each line with its time, below the run's separator."""
    body = plan(command("talk", "sh", "-c", "echo one; echo two >&2"))
    details = rest.ended(rest.create(body)["id"])

    lines = rest.log(details["id"], details["subtasks"][0]["id"]).splitlines()

    assert lines[0].startswith("############{EXECUTE}{")
    assert any("INFO" in line and line.endswith("one") for line in lines)
    assert any("WARN" in line and line.endswith("two") for line in lines)
    assert lines[-1].startswith("Set state for subtask: ")


def test_pool_gets_its_work_when_an_executor_of_it_joins(rest: Rest, up: Up) -> None:
    """A subtask of another pool waits READY until an executor serves that pool."""
    task_id = rest.create(plan({"key": "far", "operation": "noop", "pool": "far"}))["id"]
    assert rest.task(task_id)["subtasks"][0]["status"] == "READY"

    with up.joined("executor", "--pool", "far"):
        assert rest.ended(task_id)["state"] == "SUCCESSFUL"


def test_drained_executor_hands_its_work_over(rest: Rest, up: Up) -> None:
    """SIGTERM during a long subtask: it is released and ends on another executor, without waiting for AckWait."""
    node = {"key": "long", "operation": "wait", "params": {"seconds": 6}, "pool": "drained"}
    with up.joined("executor", "--pool", "drained", OPSLEDGER_DRAIN_SECONDS="0.5") as first:
        task_id = rest.create(plan(node))["id"]
        eventually_sync(lambda: rest.task(task_id)["subtasks"][0]["status"] == "RUNNING", timeout=30)
        first.send_signal(signal.SIGTERM)
        with up.joined("executor", "--pool", "drained"):
            assert first.wait(15) == 0
            assert rest.ended(task_id)["state"] == "SUCCESSFUL"

    assert "subtask.released" in types(rest, task_id)


def test_task_of_five_thousand_subtasks_runs(rest: Rest) -> None:
    """The largest plan travels in parts, runs with a join at its end, and its history is a legal walk."""
    keys = [f"n{number}" for number in range(4_998)]
    nodes: list[dict[str, Any]] = [{"key": "first", "operation": "noop"}]
    nodes += [{"key": key, "operation": "noop", "upstreams": ["first"]} for key in keys]
    nodes.append({"key": "last", "operation": "noop", "upstreams": keys})

    details = rest.ended(rest.create(plan(*nodes, concurrency=0))["id"], timeout=90)

    assert details["state"] == "SUCCESSFUL"
    assert len(details["subtasks"]) == 5_000
    seen = walk(rest.events(details["id"]))
    assert (seen.problems, seen.starts) == ([], 5_000)


def test_plan_that_cannot_be_made_fails_with_the_cause(rest: Rest) -> None:
    """Parameters that pass the schema but not the type's own check never leave a task INITIALIZING."""
    answer = rest.post({"type": "host.inspect", "params": {"pool": "not a pool!"}})

    if answer.status_code == 201:
        details = rest.ended(answer.json()["data"]["id"])
        assert (details["state"], details["error"]["kind"]) == ("FAILED", "PLAN_INVALID")
    else:
        assert answer.status_code == 422, answer.text
