"""The processes `python -m services.api …`: provisioning, serving, stopping, and refusing to run (exit codes)."""

import asyncio
import json
import os
import shutil
import signal
import stat
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer
from tests.support.process import free_port
from tests.support.signed import Signed

PASSWORD = "correct horse"


class Process:
    """The command line with the environment of one installation."""

    def __init__(self, folder: Path, nats_url: str) -> None:
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OPSLEDGER_")},
            "OPSLEDGER_NATS_URL": nats_url,
            "OPSLEDGER_DATABASE_URL": f"sqlite:///{folder}/view.db",
            "OPSLEDGER_DATA_DIR": str(folder),
            "OPSLEDGER_ADMIN_PASSWORD": PASSWORD,
            "OPSLEDGER_PORT": str(self.port),
            "OPSLEDGER_CONNECT_SECONDS": "2",
        }

    async def start(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        """Start a job."""
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "services.api", *arguments)
        environment = {**self.environment, **more}
        return await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)

    async def run(self, *arguments: str, **more: str) -> tuple[int, str, str]:
        """Run a job to its end: exit code, what it said, what it logged."""
        child = await self.start(*arguments, **more)
        said, logged = await asyncio.wait_for(child.communicate(), 60)
        return child.returncode or 0, said.decode(), logged.decode()

    def client(self, password: str = PASSWORD) -> httpx2.AsyncClient:
        """Admin's client."""
        url = f"http://127.0.0.1:{self.port}"
        return httpx2.AsyncClient(base_url=url, auth=("admin", password), timeout=10, trust_env=False)

    async def ready(self, password: str = PASSWORD) -> bool:
        """Whether it serves."""
        async with self.client(password) as client:
            return (await client.get("/health/ready")).status_code == 200


@pytest.fixture
def installation(tmp_path: Path, nats_server: NatsServer) -> tuple[Process, NatsServer]:
    """A NATS server of its own and the command line for it."""
    return Process(tmp_path, nats_server.url), nats_server


def last_line(logged: str) -> dict[str, object]:
    """The last log line, which is JSON as nobody watches."""
    found: dict[str, object] = json.loads(logged.strip().splitlines()[-1])
    return found


async def test_provisioning_twice_changes_nothing(installation: tuple[Process, NatsServer]) -> None:
    """The second run leaves everything as it is; a new password is taken over."""
    process, _ = installation
    code, _, logged = await process.run("init")
    assert code == 0, logged
    assert '"first": true' in logged
    code, _, logged = await process.run("init")
    assert code == 0
    assert "password of admin set" not in logged
    code, _, logged = await process.run("init", OPSLEDGER_ADMIN_PASSWORD="new")
    assert '"first": false' in logged


async def test_it_serves_and_stops_within_three_seconds(installation: tuple[Process, NatsServer]) -> None:
    """Built-in operations are on offer, a token opens it, TERM ends it with code 0, also with a connection open."""
    process, _ = installation
    assert (await process.run("init"))[0] == 0
    child = await process.start("serve")
    try:
        await eventually(process.ready, timeout=30, ignoring=(httpx2.HTTPError,))
        code, token, _ = await process.run("token", "ci", "--role", "TASK_MANAGER")
        assert code == 0
        async with process.client() as client:
            names = [card["name"] for card in (await client.get("/api/v2/operations")).json()["data"]["contents"]]
            assert "noop" in names

            async def opens() -> bool:
                answer = await client.get(
                    "/api/v2/operations", headers={"Authorization": f"Bearer {token.strip()}"}, auth=None
                )
                return answer.status_code == 200

            await eventually(opens)
            began = time.monotonic()
            child.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(child.wait(), 10) == 0
            assert time.monotonic() - began < 3
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def test_a_key_pair_from_the_shell_signs(installation: tuple[Process, NatsServer], tmp_path: Path) -> None:
    """`init` makes the key of secrets for its owner alone; the job seals with it and the server opens with it."""
    process, _ = installation
    assert (await process.run("init"))[0] == 0
    key = tmp_path / "secrets.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    code, said, _ = await process.run("token", "ci", "--role", "TASK_MANAGER", "--team", "db", "--key-pair")
    assert code == 0
    made = json.loads(said)
    assert (await process.run("init"))[0] == 0
    assert key.read_bytes() == before
    child = await process.start("serve")
    try:
        await eventually(process.ready, timeout=30, ignoring=(httpx2.HTTPError,))
        async with process.client() as client:
            me = await client.get("/api/v2/me", auth=Signed(made["access_key"], made["secret_key"]))
            assert me.json()["data"]["teams"] == ["db"]
    finally:
        child.kill()
        await child.communicate()
    empty = {"OPSLEDGER_DATA_DIR": str(tmp_path / "empty")}
    code, _, logged = await process.run("token", "ci", "--key-pair", **empty)
    assert code == 1
    assert "OPSLEDGER_SECRETS_KEY" in str(last_line(logged)["why"])
    for wrong in ({"OPSLEDGER_SECRETS_KEY": "short"}, {"OPSLEDGER_SECRETS_KEY_FILE": str(tmp_path / "none")}):
        code, _, logged = await process.run("serve", **wrong)
        assert code == 1
        assert "key of secrets" in str(last_line(logged)["why"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"OPSLEDGER_OIDC_ISSUER": "https://idp.example"},
        {"OPSLEDGER_OIDC_JWKS_URL": "http://idp.example/keys"},
        {"OPSLEDGER_OIDC_JWKS_URL": "file:///etc/passwd"},
        {"OPSLEDGER_OIDC_ROLES": '{"ops": "KING"}'},
        {"OPSLEDGER_RATE_PER_SECOND": "-1"},
    ],
)
async def test_settings_of_access_that_make_no_sense_are_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    """Exit code 2 and a line that says which, before anything is reached."""
    code, _, said = await Process(tmp_path, "nats://127.0.0.1:9").run("serve", **wrong)
    assert code == 2
    assert "OIDC" in said or "RATE" in said


async def test_a_log_that_has_forgotten_stops_it_with_its_own_code(installation: tuple[Process, NatsServer]) -> None:
    """Wipe the log under the view: exit code 3 at the start, and while it runs (P12)."""
    process, server = installation
    assert (await process.run("init"))[0] == 0
    child = await process.start("serve")
    try:
        await eventually(process.ready, timeout=30, ignoring=(httpx2.HTTPError,))
        async with process.client() as client:
            body = {"plan": {"subtasks": [{"key": "a", "operation": "noop"}]}}
            task = (await client.post("/api/v2/tasks/instances", json=body)).json()["data"]
            await client.get("/api/v2/tasks/instances", params={"min_seq": task["logSeq"]})
        server.stop()
        shutil.rmtree(server.store_dir)
        server.start()
        assert await asyncio.wait_for(child.wait(), 30) == 3
        assert b"LOG_REGRESSION" in (await child.communicate())[1]

        assert (await process.run("init"))[0] == 0
        code, _, logged = await process.run("serve")
        assert code == 3
        assert last_line(logged)["event"] == "LOG_REGRESSION"
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()


async def test_it_says_what_is_missing(installation: tuple[Process, NatsServer]) -> None:
    """No provisioning, no NATS, no sense in the settings: a clear last line and the exit code."""
    process, server = installation
    code, _, logged = await process.run("serve")
    assert code == 1
    assert "init" in str(last_line(logged)["why"])
    server.stop()
    code, _, logged = await process.run("serve")
    assert code == 1
    assert "does not answer within 2 s" in str(last_line(logged)["why"])
    assert server.password not in logged
    code, _, logged = await process.run("serve", OPSLEDGER_PORT="eighty")
    assert (code, "OPSLEDGER_PORT" in logged) == (2, True)
    assert (await process.run("dance"))[0] == 2


async def test_the_view_can_be_verified_and_rebuilt(installation: tuple[Process, NatsServer]) -> None:
    """Both jobs say what they did in one line of JSON."""
    process, _ = installation
    assert (await process.run("init"))[0] == 0
    code, said, _ = await process.run("rebuild")
    assert (code, json.loads(said)["commits"]) == (0, 0)
    code, said, _ = await process.run("verify")
    assert (code, json.loads(said)["differences"]) == (0, 0)
