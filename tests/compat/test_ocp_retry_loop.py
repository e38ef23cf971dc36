"""A script that knows OCP's documents alone, against a system that really runs work."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.eventually import eventually_sync
from tests.support.up import Up

SCRIPT = Path(__file__).parents[2] / "examples" / "ocp_retry.py"
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A system of its own with one executor, ready."""
    with Up(tmp_path) as system:
        yield system


def script(up: Up, name: str) -> subprocess.CompletedProcess[str]:
    """Run the script over the tasks of this name."""
    login = {"OCP_USER": "admin", "OCP_PASSWORD": up.password, "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), up.url, "--name", name, "--wait", "60"],
        env={**os.environ, **login},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def create(up: Up, name: str, needed: Path) -> str:
    """A task whose second step fails until a file is there."""
    steps = [
        {"key": "check", "operation": "command.run", "params": {"argv": ["cat", str(needed)]}, "upstreams": ["before"]},
        {"key": "before", "operation": "noop"},
        {"key": "after", "operation": "noop", "upstreams": ["check"]},
    ]
    created = up.run("task", "create", "--name", name, "--plan", "-", stdin=json.dumps({"subtasks": steps}))
    assert created.returncode == 0, created.stderr
    return created.stdout.strip()


def test_what_failed_succeeds_once_its_cause_is_removed(up: Up, tmp_path: Path) -> None:
    """It finds the failed task, names the step and its last lines, retries, waits, and says how it ended."""
    needed = tmp_path / "needed.txt"
    task, other = create(up, "Nightly check", needed), create(up, "Something else", needed)

    def status(number: str) -> str:
        answer = httpx2.get(
            f"{up.url}/api/v2/tasks/instances/{number}", auth=("admin", up.password), trust_env=False
        ).json()
        return str(answer["data"]["status"])

    for number in (task, other):
        eventually_sync(lambda: status(number) == "FAILED", timeout=30, what="the step fails")  # noqa: B023  now

    first = script(up, "nightly")
    assert first.returncode == 1, first.stderr
    assert f"{task} Nightly check: FAILED" in first.stdout
    assert "check failed in run 1 (EXECUTE)" in first.stdout
    assert "No such file" in first.stdout
    assert f"{task} Nightly check: FAILED after a retry" in first.stdout

    needed.write_text("here", encoding="utf-8")
    second = script(up, "nightly")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "check failed in run 2 (RETRY)" in second.stdout
    assert f"{task} Nightly check: SUCCESSFUL after a retry" in second.stdout
    assert status(other) == "FAILED"

    third = script(up, "nightly")
    assert (third.returncode, third.stdout) == (0, "")
