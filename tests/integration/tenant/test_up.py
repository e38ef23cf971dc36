"""Tenants on the whole system: killed executors, a rollback by command, and a password that nobody sees."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.tenant.conftest import own_server
from tests.integration.tenant.digest import connect, digest
from tests.support.postgres import PostgresServer
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("tenant-up")]

PASSWORD = re.compile(rb"\b\d+\.\d+\.\d+\.[A-Za-z0-9_-]{32}|SCRAM-SHA-256\$\d+:")
"""What a generated password, or the server's hash of one, looks like."""


@pytest.fixture(scope="module")
def target() -> Iterator[PostgresServer]:
    """A PostgreSQL server for these tests alone."""
    yield from own_server()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, target: PostgresServer) -> Iterator[Up]:
    """A system without executors that knows the server as `main`."""
    folder = tmp_path_factory.mktemp("tenant")
    with Up(folder, executors=0, OPSLEDGER_FILE_ROOTS=str(target.data_dir)) as system:
        assert system.run("secret", "set", "pg-admin", stdin=target.password).returncode == 0
        url = f"postgresql://tests@127.0.0.1:{target.port}/postgres"
        option = f"hba_file={target.data_dir}/pg_hba.conf"
        words = ["connection", "add", "main", url, "--secret", "password=kv:pg-admin", "--option", option]
        assert system.run(*words).returncode == 0
        yield system


@pytest.fixture
def rest(up: Up) -> Iterator[Rest]:
    """Its REST API as admin."""
    with Rest(up.url, up.password) as client:
        yield client


def tenant(kind: str, name: str, **params: Any) -> dict[str, Any]:
    """Return the body of a create of `tenant.create` or `tenant.drop`."""
    return {"type": f"tenant.{kind}", "params": {"connection": "main", "name": name, **params}}


def goes_on_after_deaths(up: Up, rest: Rest, task_id: int, deaths: int, marker: Path) -> dict[str, Any]:
    """Let so many executors die, each after the effect of the step it first runs, then one that lives."""
    for death in range(deaths):
        once = {"OPSLEDGER_FAILPOINT": "executor.after_effect", "OPSLEDGER_FAILPOINT_ONCE": f"{marker}-{death}"}
        with up.joined("executor", **once) as doomed:
            doomed.wait(60)
    with up.joined("executor"):
        return rest.ended(task_id)


def test_executors_die_and_the_tenant_is_made_failed_and_rolled_back(
    up: Up, rest: Rest, target: PostgresServer, tmp_path: Path
) -> None:
    """The first step's work is found by the next executor; the last one fails on purpose; the server is as before."""
    before = digest(target)
    body = tenant("create", "acme", connections=0, allow=["127.0.0.0/8"])

    task_id = rest.create(body)["id"]
    details = goes_on_after_deaths(up, rest, task_id, 1, tmp_path / "died")

    assert details["state"] == "FAILED"
    assert [subtask["status"] for subtask in details["subtasks"]] == ["SUCCESSFUL"] * 5 + ["FAILED"]
    assert details["subtasks"][0]["runTime"] == 2
    assert details["subtasks"][5]["error"]["kind"] == "NO_ROOM"
    assert digest(target) != before
    with up.joined("executor"):
        assert up.run("task", "rollback", str(task_id), "--yes", "--wait").returncode == 4
    assert digest(target) == before
    assert "tenant-acme" not in up.run("secret", "list").stdout


@pytest.mark.long
def test_every_step_dies_once_and_the_tenant_comes_and_goes(
    up: Up, rest: Rest, target: PostgresServer, tmp_path: Path
) -> None:
    """An executor dies after the effect of each step of both tasks; the password is in no file."""
    before = digest(target)

    made = rest.create(tenant("create", "globex", schema="app", allow=["127.0.0.0/8"]))["id"]
    details = goes_on_after_deaths(up, rest, made, 6, tmp_path / "made")
    assert details["state"] == "SUCCESSFUL", details
    with connect(target) as admin:
        assert admin.execute("SELECT count(*) FROM pg_database WHERE datname = 'globex'").fetchone() == (1,)

    gone = rest.create(tenant("drop", "globex", access=True))["id"]
    details = goes_on_after_deaths(up, rest, gone, 6, tmp_path / "gone")

    assert details["state"] == "SUCCESSFUL", details
    assert digest(target) == before
    said = "".join(rest.log(made, s["id"]) for s in rest.task(made)["subtasks"])
    assert "Role globex is there already, made by an earlier attempt at this step" in said
    for path in up.data_dir.rglob("*"):
        assert not path.is_file() or not PASSWORD.search(path.read_bytes()), path
