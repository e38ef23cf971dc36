"""Fixtures for every test: the NATS and PostgreSQL a run shares, servers that a test may kill, a database a test.

The header of a run says what it will use. Nothing is started before a test asks for it.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support import chromium, mariadb, postgres
from tests.support import nats_server as nats
from tests.support.mariadb import MariadbServer, NoMariadb
from tests.support.nats_server import NatsCluster, NatsServer
from tests.support.postgres import NoPostgres, PostgresServer
from tests.support.proxy import Proxy


def pytest_report_header() -> list[str]:
    """Say which servers tests of this run will use, should they ask for one."""
    return [
        f"nats: {nats.chosen()}",
        f"postgresql: {postgres.chosen()}",
        f"mariadb: {mariadb.chosen()}",
        f"chromium: {chromium.chosen() or 'none: browser tests are skipped'}",
    ]


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL, with credentials, of the run's shared NATS; a test keeps to names of its own there."""
    with nats.shared(tmp_path_factory.mktemp("nats")) as url:
        yield url


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """An empty, running local NATS that this test may kill, pause and restart."""
    folder = tmp_path / "nats"
    folder.mkdir()
    with NatsServer(folder) as server:
        yield server


@pytest.fixture
def nats_cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    """Three empty, running local NATS servers in one cluster, which this test may kill."""
    cluster = NatsCluster(tmp_path / "cluster")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
async def nats_proxy(nats_server: NatsServer) -> AsyncIterator[Proxy]:
    """A proxy before `nats_server`; connect to `nats_proxy.url(nats_server.url)`."""
    async with Proxy(nats_server.port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[URL]:
    """The run's shared PostgreSQL, as the URL of its maintenance database; skips, saying why, where there is none."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(postgres.shared())
        except NoPostgres as error:
            _no_postgres(error)
        yield url


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A running local PostgreSQL that this test may kill, pause and restart; skips where there are no binaries."""
    try:
        server = PostgresServer()
    except NoPostgres as error:
        _no_postgres(error)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def mariadb_place() -> Iterator[mariadb.Place]:
    """The run's shared MariaDB; skips, saying why, where there is none."""
    with contextlib.ExitStack() as stack:
        try:
            place = stack.enter_context(mariadb.shared())
        except NoMariadb as error:
            _no_mariadb(error)
        yield place


@pytest.fixture
def mariadb_server() -> Iterator[MariadbServer]:
    """A running local MariaDB that this test may kill, pause and restart; skips where there are no binaries."""
    try:
        server = MariadbServer()
    except NoMariadb as error:
        _no_mariadb(error)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database for this test, with its async driver: once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/view.db"
        return
    with postgres.fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url.render_as_string(hide_password=False)


def _no_postgres(error: NoPostgres) -> None:
    if os.environ.get("OPSLEDGER_TEST_REQUIRE_POSTGRESQL") == "1":
        pytest.fail(str(error))
    pytest.skip(str(error))


def _no_mariadb(error: NoMariadb) -> None:
    if os.environ.get("OPSLEDGER_TEST_REQUIRE_MARIADB") == "1":
        pytest.fail(str(error))
    pytest.skip(str(error))
