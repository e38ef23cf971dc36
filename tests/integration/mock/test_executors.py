"""`data.mock` through the whole system on PostgreSQL: three tables in order, a killed executor, a cancelled task."""

from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.support.eventually import eventually_sync
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("mock")]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One running system without executors of its own."""
    with Up(tmp_path_factory.mktemp("mock"), executors=0) as running:
        yield running


@pytest.fixture
def rest(up: Up, postgresql: Any) -> Iterator[Rest]:
    """Its REST API as admin, with a connection to an empty shop."""
    postgresql.make_shop()
    with Rest(up.url, up.password) as client:
        secret = {"value": postgresql.connection.secrets["password"]}
        assert client.http.put("/api/v2/secrets/shop-password", json=secret).status_code in {200, 201}
        target = {"url": postgresql.connection.url, "secrets": {"password": "kv:shop-password"}}
        assert client.http.put("/api/v2/connections/shop", json=target).status_code in {200, 201}
        yield client


def task(*tables: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the body of a create."""
    return {"name": "Fill", "type": "data.mock", "params": {"connection": "shop", "tables": list(tables), **more}}


def progressing(shop: Any) -> bool:
    """Whether a session of the executor is in the middle of its rows."""
    sql = "SELECT count(*) FROM pg_stat_progress_copy p JOIN pg_database d ON d.oid = p.datid"
    return int(shop.rows(f"{sql} WHERE d.datname = current_database() AND tuples_processed > 1000")[0][0]) > 0


def test_a_shop_is_filled_in_order(up: Up, rest: Rest, postgresql: Any) -> None:
    """Parents before children, outputs with counts, every line in its subtask's log."""
    with up.joined("executor"):
        tables = [{"table": name, "total": 500, "truncate": True} for name in ("customers", "orders", "items")]
        details = rest.ended(rest.create(task(*tables, seed=11))["id"])

    assert details["state"] == "SUCCESSFUL", details
    assert [postgresql.count(name) for name in ("customers", "orders", "items")] == [500, 500, 500]
    names = [subtask["name"] for subtask in details["subtasks"]]
    assert names == ["Look at the tables", "Fill customers", "Fill orders", "Fill items"]
    log = rest.log(details["id"], details["subtasks"][1]["id"])
    assert "500 written, 0 conflicting, 0 ignored, 0 cleared; seed 11" in log
    assert postgresql.connection.secrets["password"] not in log


def test_a_killed_executor_leaves_nothing_and_the_next_one_fills_the_table(up: Up, rest: Rest, postgresql: Any) -> None:
    """Kill -9 in the middle of a COPY: the server takes it back, another executor writes every row once."""
    total = 300_000
    with up.joined("executor") as executor:
        created = rest.create(task({"table": "customers", "total": total}, seed=1))
        eventually_sync(lambda: progressing(postgresql), timeout=20, interval=0.02, what="rows arrive")
        for process in [*psutil.Process(executor.pid).children(recursive=True), psutil.Process(executor.pid)]:
            process.kill()
    assert postgresql.count("customers") == 0

    with up.joined("executor"):
        details = rest.ended(created["id"], timeout=60)

    assert details["state"] == "SUCCESSFUL", details
    assert postgresql.count("customers") == total


def test_an_executor_that_dies_right_after_the_commit_doubles_nothing(up: Up, rest: Rest, postgresql: Any) -> None:
    """The rows are in, nobody was told: the next executor finds the mark and reports what the first one would have."""
    with up.joined("executor", OPSLEDGER_FAILPOINT="executor.after_effect:2") as doomed:  # 1 is the look
        created = rest.create(task({"table": "customers", "total": 700}, seed=1))
        doomed.wait(30)
    assert postgresql.count("customers") == 700

    with up.joined("executor"):
        details = rest.ended(created["id"], timeout=60)

    assert details["state"] == "SUCCESSFUL", details
    assert postgresql.count("customers") == 700
    log = rest.log(details["id"], details["subtasks"][1]["id"])
    assert "filled by an earlier attempt, whose end nobody heard of" in log


def test_a_cancelled_task_takes_back_what_it_began(up: Up, rest: Rest, postgresql: Any) -> None:
    """The task is CANCELLED, the table as it was, and the server has no session of ours left."""
    with up.joined("executor"):
        created = rest.create(task({"table": "customers", "total": 1_000_000}))
        eventually_sync(lambda: progressing(postgresql), timeout=20, interval=0.02, what="rows arrive")
        answer = rest.http.post(f"/api/v2/tasks/instances/{created['id']}/cancel")
        assert answer.status_code == 200, answer.text
        details = rest.ended(created["id"], timeout=10)

    assert details["state"] == "CANCELLED"
    assert postgresql.count("customers") == 0
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'opsledger mock%'"
    mine = f"{sessions} AND datname = current_database()"
    eventually_sync(lambda: postgresql.rows(mine) == [(0,)], timeout=5, what="the server has let go")
