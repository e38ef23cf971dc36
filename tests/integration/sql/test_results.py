"""Result sets on their way to the real object store: bounded memory, whole files, and a store that fails."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from opsledger.testing import Ran, RunOperation
from services.executor.fault import PermanentFault
from services.executor.operations.sql_script import SqlExecute
from shared.messages import subjects
from shared.runtime.nats import api, connect
from shared.store.objects import Results
from shared.store.streams import provision
from tests.integration.sql.conftest import Mariadb, Postgresql
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer

ROOT = Path(__file__).parents[3]
LIMIT_MB = 200
"""What a result of five million rows may make of an executor."""


@pytest.fixture
async def client(nats_server: NatsServer) -> AsyncIterator[Client]:
    """A connection to a server of this test's own, with everything provisioned."""
    connected = await connect(nats_server.url, name="sql tests")
    await provision(connected, replicas=1, lease=timedelta(seconds=45))
    yield connected
    await connected.close()


async def measured(server: NatsServer, database: Postgresql | Mariadb, sql: str, limit: int) -> dict[str, Any]:
    """Run the script in a process of its own and return what it says of itself."""
    connection = {key: value for key, value in asdict(database.connection).items() if key in {"name", "url"}}
    asked = {
        "nats": server.url,
        "connection": {**connection, "password": database.connection.secrets["password"]},
        "params": {"connection": "target", "sql": sql, "query_limit": limit},
    }
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.integration.sql.run_large"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


async def stored(client: Client, entry: dict[str, Any]) -> tuple[int, bytes, bytes]:
    """How many lines a result file has, its first, and its last; the store checks its hash."""
    count, first, rest = 0, b"", b""
    async for piece in Results(client).read(entry["file"]):
        first = first or piece.partition(b"\n")[0]
        count += piece.count(b"\n")
        rest = (rest + piece)[-200:]
    return count, first, rest.rstrip(b"\n").rpartition(b"\n")[2]


SERIES = "SELECT i, i::text || ' is a number', now() FROM generate_series(1, {}) AS i"


async def test_two_hundred_thousand_rows(nats_server: NatsServer, client: Client, postgresql: Postgresql) -> None:
    """All of them are there, in order, and the process hardly grew."""
    ran = await measured(nats_server, postgresql, SERIES.format(200_000), 1_000_000)

    entry = ran["output"]["results"][0]
    count, first, last = await stored(client, entry)
    assert (entry["rows"], entry["truncated"], count) == (200_000, False, 200_000)
    assert (json.loads(first)[0], json.loads(last)[0]) == (1, 200_000)
    assert ran["peak_mb"] < LIMIT_MB, ran["peak_mb"]
    assert ran["peak_mb"] - ran["before_mb"] < 60, ran


async def test_two_hundred_thousand_rows_of_mariadb(nats_server: NatsServer, client: Client, maria: Mariadb) -> None:
    """Likewise from MariaDB, which sends without a cursor."""
    sql = "SELECT seq, concat(seq, ' is a number'), now() FROM seq_1_to_200000"
    ran = await measured(nats_server, maria, sql, 1_000_000)

    entry = ran["output"]["results"][0]
    count, first, last = await stored(client, entry)
    assert (entry["rows"], count) == (200_000, 200_000)
    assert (json.loads(first)[0], json.loads(last)[0]) == (1, 200_000)
    assert ran["peak_mb"] - ran["before_mb"] < 60, ran


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_five_million_rows(nats_server: NatsServer, client: Client, postgresql: Postgresql) -> None:
    """Five million rows, and the process stays below 200 MB."""
    ran = await measured(nats_server, postgresql, SERIES.format(5_000_000), 10_000_000)

    entry = ran["output"]["results"][0]
    count, first, last = await stored(client, entry)
    print({key: ran[key] for key in ("before_mb", "peak_mb", "seconds")}, entry["file"]["bytes"])  # noqa: T201
    assert (entry["rows"], count) == (5_000_000, 5_000_000)
    assert (json.loads(first)[0], json.loads(last)[0]) == (1, 5_000_000)
    assert ran["peak_mb"] < LIMIT_MB, ran["peak_mb"]


async def script(run: RunOperation, database: Postgresql, into: Ran, sql: str, **params: Any) -> dict[str, Any]:
    """The detail of a script that fails on what is stored."""
    asked = {"connection": "target", "sql": sql, "on_error": "CONTINUE", "query_limit": 10_000_000, **params}
    with pytest.raises(PermanentFault) as caught:
        await run(SqlExecute(), asked, connections={"target": database.connection}, into=into)
    return {**caught.value.detail, "message": caught.value.message}


class RealStore(Ran):
    """What an attempt gave, with result files in the real store."""

    def __init__(self, results: Results) -> None:
        super().__init__()
        self.writer = results.writer  # type: ignore[assignment]


async def test_full_store_ends_the_script(
    run_operation: RunOperation, nats_server: NatsServer, client: Client, postgresql: Postgresql
) -> None:
    """When no more fits, the script fails with the cause, nothing half-written is named, and nothing runs on."""
    stream = f"OBJ_{subjects.RESULTS}"
    config = (await api(client, f"STREAM.INFO.{stream}"))["config"]
    await api(client, f"STREAM.UPDATE.{stream}", {**config, "max_bytes": 1_000_000})

    sql = f"SELECT 1; {SERIES.format(1_000_000)}; CREATE TABLE after (id int)"
    detail = await script(run_operation, postgresql, RealStore(Results(client)), sql)

    assert (detail["kind"], detail["cause"]) == ("SQL_FAILED", "RESULT_NOT_STORED")
    assert "rows of statement 2 of 3 could not be stored" in detail["message"]
    assert [entry["index"] for entry in detail["results"]] == [1]
    assert (await stored(client, detail["results"][0]))[0] == 1
    assert await Results(client).find("1-1-1-1/2.jsonl") is None
    await eventually(lambda: postgresql.running() == [])
    assert postgresql.rows("SELECT to_regclass('after')") == [(None,)]


async def test_store_that_cannot_be_reached_ends_the_script(
    run_operation: RunOperation, nats_server: NatsServer, client: Client, postgresql: Postgresql
) -> None:
    """Likewise when the store does not answer."""
    results = Results(client, timeout=0.5)
    nats_server.pause()
    try:
        detail = await script(run_operation, postgresql, RealStore(results), SERIES.format(1_000_000))
    finally:
        nats_server.resume()

    assert detail["cause"] == "RESULT_NOT_STORED"
    await eventually(lambda: postgresql.running() == [])
