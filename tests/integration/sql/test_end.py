"""How statements end before their time: cancel, time limits, lost sessions. What runs on the server is looked at."""

import asyncio
import socket
import sqlite3
import threading
import time

import pytest

from opsledger.testing import Ran, RunOperation
from services.executor.fault import Cancelled, PermanentFault
from services.executor.operations.contract import Connection
from services.executor.operations.sql_script import SqlExecute
from services.executor.sql import session
from tests.integration.sql.conftest import Database, Mariadb, Postgresql, Sqlite
from tests.support.eventually import eventually
from tests.support.mariadb import MariadbServer
from tests.support.postgres import PostgresServer

SOON = 1.5
"""How soon (s) a running query must be gone: a second, and half of one for a busy machine."""


def begin(
    run: RunOperation, database: Database, sql: str, cancelled: asyncio.Event, into: Ran | None = None, **params: object
) -> asyncio.Task[Ran]:
    """Start a script."""
    asked = {"connection": "target", "sql": sql, **params}
    connections = {"target": database.connection}
    return asyncio.create_task(
        run(SqlExecute(), asked, connections=connections, cancelled=cancelled, into=into)  # type: ignore[arg-type]
    )


async def running(database: Database) -> None:
    """Wait until the server is at work for the script."""
    await eventually(lambda: asyncio.to_thread(database.running), timeout=10, what="the query runs")


def threads() -> list[str]:
    """The threads of sessions that are still there."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sql opsledger")]


async def test_cancel_kills_the_query_on_the_server(run_operation: RunOperation, database: Database) -> None:
    """Within a second the query is gone from the server, the session too, and the outcome is Cancelled."""
    cancelled, ran = asyncio.Event(), Ran()
    script = f"CREATE TABLE t (id int); {database.sleep}; CREATE TABLE u (id int)"
    doing = begin(run_operation, database, script, cancelled, ran)
    await eventually(lambda: any(line.startswith("1/3 done") for line in ran.log), timeout=10)
    await running(database)

    began = time.monotonic()
    cancelled.set()
    with pytest.raises(Cancelled):
        await doing
    took = time.monotonic() - began

    assert threads() == []
    assert await asyncio.to_thread(database.running) == []
    assert took < SOON, took
    await eventually(lambda: database.sessions() == 0)
    assert [line.text for line in ran.lines if line.level == "WARN"] == [
        "stopped: 1 of 3 statements done, 0 failed, 2 not run; what was committed stays"
    ]


async def test_lost_lease_kills_the_query_too(run_operation: RunOperation, database: Database) -> None:
    """When the coroutine is cancelled, query and thread are gone before it ends, although it is cancelled twice."""
    doing = begin(run_operation, database, database.sleep, asyncio.Event())
    await running(database)

    doing.cancel()
    await asyncio.sleep(0)
    doing.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await doing

    assert threads() == []
    assert time.monotonic() - began < 2 * SOON
    assert await asyncio.to_thread(database.running) == []
    await eventually(lambda: database.sessions() == 0)


async def test_cancel_while_rows_come(run_operation: RunOperation, database: Database) -> None:
    """A result that is being stored stops, and there is no half of its file."""
    cancelled, ran = asyncio.Event(), Ran()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000000) SELECT i FROM n"
    big = "SELECT i FROM generate_series(1, 90000000) AS i" if database.dialect == "postgresql" else endless
    if database.dialect == "mysql":
        big = "SELECT seq FROM seq_1_to_90000000"
    doing = begin(run_operation, database, big, cancelled, ran, query_limit=100_000_000)
    await running(database)

    cancelled.set()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        await doing

    assert time.monotonic() - began < 2 * SOON
    assert ran.results == {}
    assert await asyncio.to_thread(database.running) == []


async def test_cancel_while_the_file_is_locked(run_operation: RunOperation, sqlite: Sqlite) -> None:
    """Waiting for SQLite's lock ends at once, too; without a cancel the lock is waited for."""
    sqlite.rows("CREATE TABLE t (id int)")
    other = sqlite3.connect(sqlite.connection.url.removeprefix("sqlite://"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    cancelled, ran = asyncio.Event(), Ran()
    doing = begin(run_operation, sqlite, "SELECT 1; INSERT INTO t VALUES (1)", cancelled, ran)
    await eventually(lambda: any(line.startswith("1/2 done") for line in ran.log))

    cancelled.set()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(doing, SOON)

    doing = begin(run_operation, sqlite, "SELECT 1; INSERT INTO t VALUES (2)", asyncio.Event(), ran)
    await eventually(lambda: len([line for line in ran.log if line.startswith("1/2 done")]) == 2)
    other.execute("COMMIT")
    assert (await doing).output["success"] == 2
    other.close()


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
async def test_cancel_while_connecting(
    run_operation: RunOperation, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts and says nothing does not hold up a cancel."""
    monkeypatch.setattr(session, "ABANDON", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"{dialect}://tests@127.0.0.1:{mute.getsockname()[1]}/db"
        cancelled = asyncio.Event()
        connections = {"target": Connection("target", url, options={"connect_timeout": "60"})}
        doing = asyncio.ensure_future(
            run_operation(
                SqlExecute(), {"connection": "target", "sql": "SELECT 1"}, connections=connections, cancelled=cancelled
            )
        )
        await eventually(threads)
        cancelled.set()
        with pytest.raises(Cancelled):
            await asyncio.wait_for(doing, SOON)
    await eventually(lambda: threads() == [], what="the connect has failed and its thread has ended")


async def test_cancel_between_tries(run_operation: RunOperation, database: Database) -> None:
    """Waiting for the next try ends at once."""
    cancelled, ran = asyncio.Event(), Ran()
    doing = begin(run_operation, database, "SELECT * FROM no", cancelled, ran, retry_times=1)
    await eventually(lambda: any("will be tried again in 180 s (1 of 1)" in line for line in ran.log))

    cancelled.set()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(doing, SOON)


async def test_statement_that_takes_too_long_fails(run_operation: RunOperation, database: Database) -> None:
    """Its time limit ends it on the server; CONTINUE goes on, on the same session."""
    script = f"SELECT 1; {database.sleep}; SELECT 3"
    began = time.monotonic()
    ran = await run_operation(
        SqlExecute(),
        {"connection": "target", "sql": script, "statement_timeout_seconds": 0.5, "on_error": "CONTINUE"},
        connections={"target": database.connection},
    )

    assert time.monotonic() - began < 5
    assert (ran.output["success"], ran.output["failure"]) == (2, 1)
    record = ran.output["records"][0]
    assert record["index"] == 2
    assert record["error"].startswith("It took longer than its time limit of 0.5 s and was stopped")
    assert await asyncio.to_thread(database.running) == []


async def test_client_cuts_where_the_server_does_not(
    run_operation: RunOperation, maria: Mariadb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that lifts the server's limit is ended by the client, and the session goes on after it."""
    monkeypatch.setattr(session, "MARGIN", 0.2)
    script = "SET max_statement_time = 0; SELECT SLEEP(60); SELECT 3"
    ran = await run_operation(
        SqlExecute(),
        {"connection": "target", "sql": script, "statement_timeout_seconds": 0.3, "on_error": "CONTINUE"},
        connections={"target": maria.connection},
    )

    # MariaDB's SLEEP returns 1 when it was interrupted: the statement ends, by error or by itself
    assert ran.output["success"] + ran.output["failure"] == 3
    assert ran.output["results"][-1]["index"] == 3
    assert ran.output["durationMs"] < 5_000


async def test_lost_session_is_not_made_good_by_a_new_one(run_operation: RunOperation, postgresql: Postgresql) -> None:
    """When the server ends the session in the middle, the script ends, even with CONTINUE and retries left."""
    ran = Ran()
    script = "CREATE TEMP TABLE own (id int); SELECT pg_sleep(60); SELECT 3"
    doing = begin(run_operation, postgresql, script, asyncio.Event(), ran, on_error="CONTINUE", retry_times=5)
    await eventually(lambda: any(line.startswith("1/3 done") for line in ran.log), timeout=10)
    await running(postgresql)

    postgresql.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE 'opsledger %' AND datname = current_database()"
    )

    with pytest.raises(PermanentFault, match="session was lost during statement 2 of 3") as caught:
        await doing
    assert caught.value.detail["cause"] == "SESSION_LOST"
    assert (caught.value.detail["success"], caught.value.detail["failure"]) == (1, 1)


async def test_killed_connection_of_mariadb(run_operation: RunOperation, maria: Mariadb) -> None:
    """Likewise when MariaDB's administrator kills the connection."""
    doing = begin(run_operation, maria, "SELECT SLEEP(60); SELECT 2", asyncio.Event(), on_error="CONTINUE")
    found = await eventually(
        lambda: maria.rows("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'")
    )
    maria.rows(f"KILL {found[0][0]}")

    with pytest.raises(PermanentFault, match="session was lost") as caught:
        await doing
    assert caught.value.detail["cause"] == "SESSION_LOST"


async def test_server_that_dies_under_the_script(run_operation: RunOperation, postgres_server: PostgresServer) -> None:
    """A kill -9 of PostgreSQL in the middle: a clear cause, at once."""
    url = postgres_server.url
    bare = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
    database = Postgresql(Connection("target", bare, secrets={"password": str(url.password)}))
    doing = begin(run_operation, database, "SELECT pg_sleep(60)", asyncio.Event())
    await running(database)

    postgres_server.kill9()

    with pytest.raises(PermanentFault, match="session was lost"):
        await asyncio.wait_for(doing, 10)


async def test_server_that_stands_still_does_not_hold_up_a_cancel(
    run_operation: RunOperation, mariadb_server: MariadbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped server answers neither the query nor the kill: the connection is cut and the thread is gone."""
    place = mariadb_server.place
    database = Mariadb(Connection("target", place.url + "mysql", secrets={"password": place.password}), place)
    cancelled, ran = asyncio.Event(), Ran()
    doing = begin(run_operation, database, "SELECT SLEEP(60)", cancelled, ran)
    await eventually(
        lambda: place.rows("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"),
        timeout=10,
        what="the query runs",
    )
    monkeypatch.setattr(session, "PATIENCE", 1.0)
    mariadb_server.pause()
    try:
        cancelled.set()
        with pytest.raises(Cancelled):
            await asyncio.wait_for(doing, session.PATIENCE + 4 * SOON)
        assert threads() == []
    finally:
        mariadb_server.resume()
