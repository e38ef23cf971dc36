"""Filling that is killed, cancelled, repeated or run twice at once: all rows or none, and never doubles."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from opsledger.kit import Cancelled, TransientFault
from opsledger.testing import Ran
from services.executor.mock.fill import Job, Tell, fill
from services.executor.mock.params import TableRule
from services.executor.mock.sessions import session_on
from services.executor.operations.contract import Connection
from services.executor.operations.data_mock import MockTable
from services.executor.sql.target import Target
from tests.support.eventually import eventually

MANY = {"connection": "shop", "seed": 1, "table": {"table": "customers", "total": 1_000_000}}
SOME = {"connection": "shop", "seed": 1, "table": {"table": "orders", "total": 200}}


@pytest.fixture
async def with_customers(run_operation: Any, shop: Any) -> Any:
    """The shop with some customers to refer to."""
    params = {"connection": "shop", "seed": 2, "table": {"table": "customers", "total": 50}}
    await run_operation(MockTable(), params, connections=shop.connections)
    return shop


async def test_kill_leaves_nothing_and_the_next_attempt_writes_once(run_operation: Any, shop: Any) -> None:
    """Kill -9 in the middle of the rows; the table is as it was, and attempt 2 fills it."""
    told = {
        "url": shop.connection.url,
        "password": shop.connection.secrets.get("password", ""),
        "table": {"table": "customers", "total": 400_000, "truncate": True},
    }
    command = [sys.executable, str(Path(__file__).with_name("filler.py")), json.dumps(told)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as child:
        assert child.stdout is not None
        seen = [child.stdout.readline(), child.stdout.readline()]
        child.kill()
    assert "of 400,000 rows" in seen[1]
    assert shop.count("customers") == 0

    params = {"connection": "shop", "seed": 1, "table": {"table": "customers", "total": 300, "truncate": True}}
    ran = await run_operation(MockTable(), params, connections=shop.connections, attempt=2)

    assert (ran.output["written"], shop.count("customers")) == (300, 300)


async def test_a_commit_that_nobody_heard_of_is_found_again(run_operation: Any, with_customers: Any) -> None:
    """Attempt 2 of a subtask that had committed reports what attempt 1 would have, and writes nothing."""
    shop = with_customers
    first = await run_operation(MockTable(), SOME, connections=shop.connections)

    again = await run_operation(MockTable(), SOME, connections=shop.connections, attempt=2)
    by_hand = await run_operation(MockTable(), SOME, connections=shop.connections, attempt=3, generation=2)

    assert again.output == by_hand.output == first.output
    assert shop.count("orders") == 200
    assert "filled by an earlier attempt" in again.log[0]


async def test_a_first_attempt_is_never_mistaken_for_a_repetition(run_operation: Any, with_customers: Any) -> None:
    """Numbers of tasks begin anew in a new installation: the mark of an older one does not count."""
    shop = with_customers
    await run_operation(MockTable(), SOME, connections=shop.connections)

    await run_operation(MockTable(), SOME, connections=shop.connections, attempt=1)

    assert shop.count("orders") == 400


async def test_two_attempts_at_once_write_once(run_operation: Any, with_customers: Any) -> None:
    """An attempt that was given up but still writes is waited for; when it commits, its work counts."""
    shop = with_customers
    halfway, go_on = Event(), Event()

    def progress(fraction: float, note: str) -> None:
        if fraction == 0.99:
            halfway.set()
            assert go_on.wait(20)

    def zombie() -> None:
        session = session_on(Target.of(shop.connection), "opsledger mock zombie")
        rule = TableRule.model_validate(SOME["table"])
        fill(session, Job(rule, 1, "en", "1/1", first=True), Tell(progress, lambda _: None, Event()))
        session.close()

    writing = Thread(target=zombie)
    writing.start()
    await asyncio.to_thread(halfway.wait, 20)
    second = asyncio.create_task(run_operation(MockTable(), SOME, connections=shop.connections, attempt=2))
    if shop.dialect == "postgresql":
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        await eventually(lambda: shop.rows(waiting)[0][0] > 0, timeout=10)
    go_on.set()
    ran = await second
    await asyncio.to_thread(writing.join, 20)

    assert (ran.output["written"], shop.count("orders")) == (200, 200)


@pytest.mark.parametrize("name", ["postgresql", "maria"])
async def test_tables_are_filled_side_by_side(run_operation: Any, request: Any, name: str) -> None:
    """A subtask that has not committed yet holds up nobody but itself."""
    shop = request.getfixturevalue(name)
    shop.rows("CREATE TABLE one (n int PRIMARY KEY)")
    shop.rows("CREATE TABLE other (n int PRIMARY KEY)")
    first, second = (session_on(Target.of(shop.connection), "opsledger mock beside") for _ in range(2))
    halfway, go_on = Event(), Event()

    def progress(fraction: float, note: str) -> None:
        if fraction == 0.99:
            halfway.set()
            assert go_on.wait(20)

    one, other = (TableRule(table=table, total=50) for table in ("one", "other"))
    slow = Tell(progress, lambda _: None, Event())
    quick = Tell(lambda _fraction, _note: None, lambda _: None, Event())
    slower = asyncio.create_task(asyncio.to_thread(fill, first, Job(one, 1, "en", "7/1", first=True), slow))
    await asyncio.to_thread(halfway.wait, 20)

    try:
        async with asyncio.timeout(15):
            output = await asyncio.to_thread(fill, second, Job(other, 1, "en", "7/2", first=True), quick)
        assert output["written"] == shop.count("other") == 50
        assert shop.count("one") == 0
    finally:
        go_on.set()
    assert (await slower)["written"] == shop.count("one") == 50
    first.close()
    second.close()


@pytest.mark.parametrize("how", ["cancelled", "lost"])
async def test_the_end_comes_soon_and_takes_everything_back(run_operation: Any, shop: Any, how: str) -> None:
    """A cancel, or the loss of the lease, in the middle of a million rows: within two seconds, nothing is left."""
    cancelled, ran = asyncio.Event(), Ran()
    attempt = run_operation(MockTable(), MANY, connections=shop.connections, cancelled=cancelled, into=ran)
    running = asyncio.create_task(attempt)
    await eventually(lambda: bool(ran.progress), timeout=10)

    asked = time.monotonic()
    if how == "cancelled":
        cancelled.set()
    else:
        running.cancel()
    with pytest.raises(Cancelled if how == "cancelled" else asyncio.CancelledError):
        await running

    assert time.monotonic() - asked < 2
    assert shop.count("customers") == 0


async def test_a_wait_for_a_lock_can_be_cancelled(run_operation: Any, shop: Any) -> None:
    """The statement is ended on the server, not only forgotten here."""
    holder = session_on(Target.of(shop.connection), "holder")
    holder.begin()
    holder.run("INSERT INTO customers (email, name, created_at) VALUES ('x', 'x', '2024-01-01 00:00:00')")
    if shop.dialect == "postgresql":
        holder.run("LOCK TABLE customers")
    cancelled = asyncio.Event()
    params = {"connection": "shop", "table": {"table": "customers", "total": 5, "truncate": True}}
    running = asyncio.create_task(run_operation(MockTable(), params, connections=shop.connections, cancelled=cancelled))
    waiting = {
        "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
        "mysql": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
    }.get(shop.dialect)
    try:
        if waiting:  # MariaDB looks anew only when nobody asked for 0.1 s
            await eventually(lambda: shop.rows(waiting)[0][0] > 0, timeout=10, interval=0.3)
        asked = time.monotonic()
        cancelled.set()
        with pytest.raises(Cancelled):
            await running
        assert time.monotonic() - asked < 3
    finally:
        cancelled.set()
        await asyncio.wait({running})
        holder.rollback()
        holder.close()


@pytest.mark.parametrize("name", ["postgresql", "maria"])
async def test_a_session_that_is_cut_is_worth_another_try(run_operation: Any, request: Any, name: str) -> None:
    """The server ends our session in the middle: a transient fault, and nothing of the table is there."""
    shop, ran = request.getfixturevalue(name), Ran()
    shop.make_shop()
    running = asyncio.create_task(run_operation(MockTable(), MANY, connections=shop.connections, into=ran))
    await eventually(lambda: bool(ran.progress), timeout=10)

    if name == "postgresql":
        shop.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'opsledger mock%' AND datname = current_database()"
        )
    else:
        others = "FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        shop.rows(f"KILL {shop.rows(f'SELECT id {others}')[0][0]}")
    with pytest.raises(TransientFault, match="could not go on with customers"):
        await running

    assert shop.count("customers") == 0


async def test_a_server_that_never_answers_does_not_hold_up_a_cancel(run_operation: Any) -> None:
    """While it connects there is nothing to take back: the attempt ends at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"postgresql://tests@127.0.0.1:{server.getsockname()[1]}/x"
        mute = Connection("shop", place, {"connect_timeout": "30"})
        cancelled = asyncio.Event()
        running = asyncio.create_task(run_operation(MockTable(), MANY, connections={"shop": mute}, cancelled=cancelled))
        heard, _ = await asyncio.to_thread(server.accept)

        asked = time.monotonic()
        cancelled.set()
        with pytest.raises(Cancelled):
            await running

        assert time.monotonic() - asked < 1
        heard.close()


async def test_a_database_that_is_busy_is_worth_another_try(run_operation: Any, sqlite: Any) -> None:
    """Another writer's lock is a transient fault that names the database."""
    sqlite.make_shop()
    holder = session_on(Target.of(sqlite.connection), "holder")
    holder.begin()
    short = {"shop": type(sqlite.connection)("shop", sqlite.connection.url, {"connect_timeout": "1"})}

    with pytest.raises(TransientFault, match="database is locked"):
        await run_operation(MockTable(), {**MANY, "table": {"table": "customers"}}, connections=short)

    holder.rollback()
    holder.close()


async def test_heartbeats_go_on_beside_the_work(run_operation: Any, postgresql: Any) -> None:
    """The loop is never held for long while a thread makes 200,000 rows."""
    postgresql.make_shop()
    params = {"connection": "shop", "seed": 1, "table": {"table": "customers", "total": 200_000}}
    running = asyncio.create_task(run_operation(MockTable(), params, connections=postgresql.connections))
    late = 0.0
    while not running.done():
        asked = time.monotonic()
        await asyncio.sleep(0.01)
        late = max(late, time.monotonic() - asked - 0.01)

    assert (await running).output["written"] == 200_000
    assert late < 1.0
