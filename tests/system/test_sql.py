"""`sql.script` with real executors: a person's cancel and kill -9 in the middle, seen from the database."""

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from tests.support.eventually import eventually_sync
from tests.support.history import walk
from tests.support.postgres import fresh_database
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("sql")]


class World:
    """A running system without executors of its own, and a database it knows as `shop`."""

    def __init__(self, up: Up, url: URL) -> None:
        self.up = up
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        kept = up.run("secret", "set", "shop", stdin=str(url.password))
        assert kept.returncode == 0, kept.stderr
        address = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
        known = up.run("connection", "add", "shop", address, "--secret", "password=kv:shop")
        assert known.returncode == 0, known.stderr

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement on a connection of the test's own."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def busy(self) -> int:
        """How many queries of scripts sleep on the server."""
        counted = self.rows(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'opsledger %' "
            "AND datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep%'"
        )
        return int(counted[0][0])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, postgres_url: URL) -> Iterator[World]:
    """One system and one database for all tests of this module; AckWait 3 s."""
    with fresh_database(postgres_url) as url, Up(tmp_path_factory.mktemp("sql"), executors=0) as up:
        yield World(up, url)


@pytest.fixture
def rest(world: World) -> Iterator[Rest]:
    """Its REST API as admin."""
    with Rest(world.up.url, world.up.password) as client:
        yield client


def script(rest: Rest, sql: str, **params: Any) -> int:
    """Create a task that runs this script; its id."""
    return int(rest.create({"type": "sql.script", "params": {"connection": "shop", "sql": sql, **params}})["id"])


def wait_for_work(world: World) -> None:
    """Wait until the server is at work for a script."""
    eventually_sync(lambda: world.busy() == 1, timeout=30, what="the query runs")


def test_script_runs_and_tells(world: World, rest: Rest) -> None:
    """One subtask, a line of the log for each statement, and counts in its output."""
    with world.up.joined("executor"):
        task_id = script(rest, "CREATE TABLE a (id int); INSERT INTO a VALUES (1), (2); SELECT * FROM a")
        details = rest.ended(task_id)

    assert details["state"] == "SUCCESSFUL", details
    subtask = details["subtasks"][0]
    lines = rest.log(task_id, subtask["id"]).splitlines()
    assert any("INFO 2/3 done in" in line and "2 rows changed: INSERT INTO a" in line for line in lines), lines
    assert any("INFO 3/3 done in" in line and "2 rows kept: SELECT * FROM a" in line for line in lines), lines


def test_cancel_ends_the_query_on_the_server(world: World, rest: Rest) -> None:
    """A second after the command the server is idle, and the task is CANCELLED; what was committed stays."""
    with world.up.joined("executor"):
        task_id = script(rest, "CREATE TABLE b (id int); SELECT pg_sleep(300)")
        wait_for_work(world)
        began = time.monotonic()
        assert rest.http.post(f"/api/v2/tasks/instances/{task_id}/cancel").status_code == 200
        eventually_sync(lambda: world.busy() == 0, timeout=10, what="the query is gone")
        took = time.monotonic() - began
        details = rest.ended(task_id)

    assert took < 2, took
    assert details["state"] == "CANCELLED"
    assert "1 of 2 statements done" in rest.log(task_id, details["subtasks"][0]["id"])
    assert world.rows("SELECT count(*) FROM b") == [(0,)]


def test_killed_executor_leaves_the_script_to_a_person(world: World, rest: Rest) -> None:
    """After kill -9 the outcome is unknown, nothing runs again by itself, and the server ends the orphan's query.

    A person's retry runs the whole script again.
    """
    sql = (
        "CREATE TABLE IF NOT EXISTS c (id serial); INSERT INTO c DEFAULT VALUES; "
        "SELECT CASE WHEN count(*) = 1 THEN pg_sleep(300)::text END FROM c"
    )
    with world.up.joined("executor") as first:
        task_id = script(rest, sql)
        wait_for_work(world)
        first.kill()
        first.wait()
    eventually_sync(lambda: world.busy() == 0, timeout=10, what="the orphan's query is gone")
    with world.up.joined("executor"):
        details = rest.ended(task_id)
        assert (details["state"], details["subtasks"][0]["error"]["kind"]) == ("FAILED", "UNKNOWN_OUTCOME")
        assert world.rows("SELECT count(*) FROM c") == [(1,)]

        assert rest.http.post(f"/api/v2/tasks/instances/{task_id}/retry", json={}).status_code == 200
        eventually_sync(lambda: rest.task(task_id)["state"] == "SUCCESSFUL", timeout=30, what="the retry succeeds")

    assert world.rows("SELECT count(*) FROM c") == [(2,)]
    assert not walk(rest.events(task_id)).problems


def test_error_in_the_middle_is_told_to_people(world: World, rest: Rest) -> None:
    """FAILED, with what, where and how far, in the task itself and as an ERROR line of its log."""
    with world.up.joined("executor"):
        details = rest.ended(script(rest, "SELECT 1; SELECT 2; SELEC 3; SELECT 4; SELECT 5"))

    error = details["subtasks"][0]["error"]
    assert (details["state"], error["kind"]) == ("FAILED", "SQL_FAILED")
    assert 'Statement 3 of 5 failed: syntax error at or near "SELEC" (line 1) [42601]' in error["message"]
    assert "2 of 5 statements done, 1 failed, 2 not run" in error["message"]
    assert "ERROR 3/5 failed" in rest.log(details["id"], details["subtasks"][0]["id"])
