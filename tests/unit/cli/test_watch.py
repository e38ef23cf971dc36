"""`opsledger task watch`: from before the task is seen to after it has ended."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from opsledger.cli.rest import tasks
from tests.support.eventually import eventually_sync
from tests.support.up import environment, program
from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import StandIn, step, task


def test_each_change_is_one_line(api: StandIn, cli: Cli) -> None:
    """Without a terminal: the task, then every change of a step or of the task, once."""
    api.pictures = [
        task("INITIALIZING"),
        task("RUNNING", step(1, "a", "RUNNING"), step(2, "b", "PENDING")),
        task("RUNNING", step(1, "a", "SUCCESSFUL"), step(2, "b", "RUNNING")),
        task("RUNNING", step(1, "a", "SUCCESSFUL"), step(2, "b", "RUNNING")),
        task("SUCCESSFUL", step(1, "a", "SUCCESSFUL"), step(2, "b", "SUCCESSFUL")),
    ]
    ran = cli("task", "watch", "7")
    assert ran.code == 0
    assert [line.rsplit("  ", 1)[0] for line in ran.out.splitlines()] == [
        "task 7",
        "task 7  initializing",
        "  a  running",
        "task 7  running",
        "  a  successful",
        "  b  running",
        "  b  successful",
        "task 7  successful",
    ]


def test_a_task_that_ended_long_ago(api: StandIn, cli: Cli) -> None:
    """The outcome is told at once, by exit code too; -o json prints the task."""
    api.pictures = [task("CANCELLED", step(1, "a", "FAILED", "CANCEL"))]
    assert cli("task", "watch", "7").code == 3
    ran = cli("task", "watch", "7", "-o", "json")
    assert (ran.code, json.loads(ran.out)["state"]) == (3, "CANCELLED")


def test_a_task_younger_than_the_view(api: StandIn, cli: Cli) -> None:
    """A 404 right after the create is the view that lags, not an error."""
    api.pictures = [task("SUCCESSFUL")]
    api.failures = [(404, {"code": 4001, "message": "The task 7 does not exist."})] * 2
    assert cli("task", "watch", "7").code == 0


def test_an_outage_is_said_once_and_survived(api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the API is in trouble watching goes on, and sees the end."""
    monkeypatch.setattr("opsledger.cli.rest.client.TRIES", 1)
    monkeypatch.setattr(tasks, "POLL_SECONDS", 0.01)
    api.failures = [(503, {"code": 1, "message": "no log"})] * 3
    api.pictures = [task("RUNNING", step(1, "a", "RUNNING")), task("FAILED", step(1, "a", "FAILED"))]
    ran = cli("task", "watch", "7")
    assert ran.code == 1
    assert ran.out.count("cannot be reached") == 1


def test_a_large_task_is_not_a_flood(api: StandIn, cli: Cli) -> None:
    """Of two thousand steps only failures get a line; the rest are counts."""
    ended = [step(n, f"host-{n}", "FAILED" if n == 5 else "SUCCESSFUL") for n in range(1, 2001)]
    api.pictures = [task("FAILED", *ended)]
    ran = cli("task", "watch", "7")
    assert len(ran.out.splitlines()) < 6
    assert "host-5  failed" in ran.out
    assert "1,999 successful" in ran.out


def _interruptible() -> None:
    """Take SIGINT as a terminal's programs do: who was started in the background inherits to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_leaves_the_task_running(api: StandIn, tmp_path: Path) -> None:
    """An interrupt ends the watch with 130 and says how to come back."""
    api.pictures = [task("RUNNING", step(1, "a", "RUNNING"))]
    out = tmp_path / "out"
    with out.open("wb") as sink:
        watcher = subprocess.Popen(
            [program(), "task", "watch", "7"],
            env=environment(OPSLEDGER_URL=api.url),
            stdout=sink,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_interruptible,  # noqa: PLW1509  no threads yet
        )
    try:
        eventually_sync(lambda: "running" in out.read_text(), timeout=20, what="it watches")
        watcher.send_signal(signal.SIGINT)
        _, err = watcher.communicate(timeout=20)
    finally:
        watcher.kill()
        watcher.wait()
    assert watcher.returncode == 130
    assert "task 7 goes on" in err
    assert "opsledger task watch 7" in err
