"""compose.yaml as users start it: a task outlives a NATS node and an executor that are killed while it runs.

Environment: OPSLEDGER_TEST_BUILD_NETWORK names the network that image builds use (`host` where the default has no way
out); OPSLEDGER_TEST_COMPOSE the program, default `docker compose`, else `docker-compose`.
"""

import base64
import json
import os
import secrets
import shlex
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.docker import ROOT, compose_image, engine_version, image_at_hand
from tests.support.eventually import eventually_sync
from tests.support.process import free_port

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.timeout(900)]

TASKS = "/api/v2/tasks/instances"


def _program() -> list[str] | None:
    """The compose that is installed: the one named, the engine's plugin, or the older program of its own."""
    if named := os.environ.get("OPSLEDGER_TEST_COMPOSE"):
        return shlex.split(named)
    for words in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(words[0])
            and not subprocess.run([*words, "version"], capture_output=True, check=False).returncode
        ):
            return words
    return None


class Stack:
    """One project of compose.yaml with passwords, a port and volumes of its own."""

    def __init__(self, program: list[str], folder: Path) -> None:
        self.port = free_port()
        self.password = secrets.token_hex(12)
        self.project = f"opsledger-test-{secrets.token_hex(4)}"
        files = ["-f", str(ROOT / "compose.yaml")]
        if network := os.environ.get("OPSLEDGER_TEST_BUILD_NETWORK"):
            built = {name: {"build": {"network": network}} for name in ("init", "api", "executor")}
            (folder / "network.json").write_text(json.dumps({"services": built}), encoding="utf-8")
            files += ["-f", str(folder / "network.json")]
        self._command = [*program, *files, "--project-directory", str(ROOT), "--project-name", self.project]
        self._environment = os.environ | {
            "OPSLEDGER_ADMIN_PASSWORD": self.password,
            **{
                f"OPSLEDGER_NATS_{who}_PASSWORD": secrets.token_hex(12)
                for who in ("ADMIN", "API", "EXECUTOR", "PRODUCER")
            },
            "OPSLEDGER_NATS_ROUTE_PASSWORD": secrets.token_hex(12),
            "OPSLEDGER_POSTGRES_PASSWORD": secrets.token_hex(12),
            "OPSLEDGER_PORT": str(self.port),
        }

    def compose(self, *words: str, timeout: float = 600) -> str:
        """Run a compose command; AssertionError with everything it printed when it fails."""
        done = subprocess.run(
            [*self._command, *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self.compose("ps", "-q", service).split()

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Ask the API as admin; the answer's `data`."""
        token = base64.b64encode(f"admin:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Basic {token}",
                "Content-Type": "application/json",
                "Idempotency-Key": secrets.token_hex(8),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return json.load(answer).get("data")
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def ready(self) -> bool:
        """Whether the API answers that it is ready."""
        try:
            self.request("GET", "/health/ready")
        except AssertionError:
            return False
        return True


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """The whole of compose.yaml, built from this checkout and up; removed with its volumes afterwards."""
    program = _program()
    if engine_version() is None or program is None:
        pytest.skip("no Docker engine with compose: install docker and docker compose, and start the engine")
    for repository in ("nats", "postgres"):
        if not image_at_hand(compose_image(repository)):
            pytest.skip(f"the image {compose_image(repository)} is neither here nor in a registry that answers")
    stack = Stack(program, tmp_path)
    try:
        stack.compose("up", "-d", "--build")
        yield stack
    finally:
        print(stack.compose("logs", "--no-color", "--tail", "40"))  # noqa: T201  (shown when the test fails)
        stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


def test_a_task_outlives_a_nats_node_and_an_executor(stack: Stack) -> None:
    """With one node of three and one executor of two killed mid-task, the task still ends SUCCESSFUL."""
    eventually_sync(stack.ready, timeout=120, interval=0.5, ignoring=(OSError,))
    assert len(stack.containers("executor")) == 2

    waits = [
        {"key": f"wait-{number}", "operation": "wait", "params": {"seconds": 6}, "delivery": "at_least_once"}
        for number in range(4)
    ]
    last = {"key": "last", "operation": "noop", "params": {}, "upstreams": [each["key"] for each in waits]}
    task = stack.request("POST", TASKS, {"name": "outlive", "plan": {"subtasks": [*waits, last]}})
    path = f"{TASKS}/{task['id']}"

    def running() -> bool:
        return any(subtask["status"] == "RUNNING" for subtask in stack.request("GET", path)["subtasks"])

    eventually_sync(running, timeout=30, interval=0.2)
    [node] = stack.containers("nats-2")
    subprocess.run(["docker", "kill", node, stack.containers("executor")[0]], check=True, capture_output=True)

    def ended() -> bool:
        return stack.request("GET", path)["state"] in {"SUCCESSFUL", "FAILED", "CANCELLED"}

    eventually_sync(ended, timeout=180, interval=0.5, ignoring=(OSError,))
    assert stack.request("GET", path)["state"] == "SUCCESSFUL"
    assert len(stack.containers("executor")) >= 1


def test_compose_refuses_to_start_without_a_password(tmp_path: Path) -> None:
    """A missing password is named before anything is started."""
    program = _program()
    if program is None:
        pytest.skip("no docker compose installed")
    stack = Stack(program, tmp_path)
    stack._environment["OPSLEDGER_ADMIN_PASSWORD"] = ""
    with pytest.raises(AssertionError, match=r"is not set, see \.env\.example"):
        stack.compose("config", "--quiet")
