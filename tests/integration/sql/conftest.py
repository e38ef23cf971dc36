"""Three real databases for scripts to run on: each test that asks for `database` runs on all of them."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from opsledger.testing import Ran
from services.executor.operations.contract import Connection
from tests.support import mariadb, postgres


class Database:
    """A fresh database: the connection that scripts use, and a look at it from beside."""

    dialect = ""
    sleep = ""
    """A statement that takes a minute."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement on a connection of the test's own."""
        raise NotImplementedError

    def running(self) -> list[str]:
        """What the server is busy with for sessions of scripts."""
        raise NotImplementedError

    def sessions(self) -> int:
        """How many sessions of scripts the server knows."""
        raise NotImplementedError


class Sqlite(Database):
    """A file. Its queries run in this process, so threads tell whether any does."""

    dialect = "sqlite"
    sleep = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement on a connection of the test's own."""
        connection = sqlite3.connect(self.connection.url.removeprefix("sqlite://"), isolation_level=None)
        try:
            return list(connection.execute(sql).fetchall())
        finally:
            connection.close()

    def running(self) -> list[str]:
        """The threads of sessions."""
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("sql opsledger")]

    def sessions(self) -> int:
        """How many threads of sessions there are."""
        return len(self.running())


class Postgresql(Database):
    """A fresh database on the run's PostgreSQL."""

    dialect = "postgresql"
    sleep = "SELECT pg_sleep(60)"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement on a connection of the test's own."""
        url = self.connection.url.replace("@", f":{self.connection.secrets['password']}@", 1)
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def running(self) -> list[str]:
        """What pg_stat_activity has."""
        return [row[0] for row in self.rows(f"SELECT query {self._of_scripts} AND state = 'active'")]

    def sessions(self) -> int:
        """How many sessions of scripts there are."""
        return int(self.rows(f"SELECT count(*) {self._of_scripts}")[0][0])

    _of_scripts = "FROM pg_stat_activity WHERE application_name LIKE 'opsledger %' AND datname = current_database()"


class Mariadb(Database):
    """A fresh database on the run's MariaDB."""

    dialect = "mysql"
    sleep = "SELECT SLEEP(60)"

    def __init__(self, connection: Connection, place: mariadb.Place) -> None:
        super().__init__(connection)
        self._place = place

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement on a connection of the test's own."""
        return self._place.rows(sql)

    def running(self) -> list[str]:
        """What the process list has."""
        return [str(row[0]) for row in self.rows(f"SELECT info {self._of_others} AND command = 'Query'")]

    def sessions(self) -> int:
        """How many sessions of others there are in this database."""
        return int(self.rows(f"SELECT count(*) {self._of_others}")[0][0])

    _of_others = "FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"


@pytest.fixture
def sqlite(tmp_path: Path) -> Sqlite:
    """A fresh file."""
    path = tmp_path / "target.db"
    sqlite3.connect(path).close()
    return Sqlite(Connection("target", f"sqlite://{path}"))


@pytest.fixture(scope="module")
def postgresql_database(postgres_url: URL) -> Iterator[URL]:
    """A database on PostgreSQL for the tests of a module: to make one for each takes longer than most tests."""
    with postgres.fresh_database(postgres_url) as url:
        yield url


@pytest.fixture
def postgresql(postgresql_database: URL) -> Postgresql:
    """An empty database on PostgreSQL."""
    url = postgresql_database
    bare = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
    database = Postgresql(Connection("target", bare, secrets={"password": str(url.password)}))
    database.rows("DROP SCHEMA public CASCADE")
    database.rows("CREATE SCHEMA public")
    return database


@pytest.fixture
def maria(mariadb_place: mariadb.Place) -> Iterator[Mariadb]:
    """A fresh database on MariaDB."""
    with mariadb.fresh_database(mariadb_place) as place:
        yield Mariadb(Connection("target", place.url, secrets={"password": place.password}), place)


@pytest.fixture(params=["sqlite", "postgresql", "maria"])
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh database, once on each of the three."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Database)
    return made


def rows_of(ran: Ran, index: int) -> list[list[Any]]:
    """The rows of a statement's result file."""
    entry = next(entry for entry in ran.output["results"] if entry["index"] == index)
    return [json.loads(line) for line in ran.results[entry["file"]["object"]].splitlines()]


def changed(connection: Connection, **changes: Any) -> Connection:
    """The connection with something of it changed."""
    return replace(connection, **changes)
