"""Three real databases to fill, each with a small shop in its own dialect, and a look at them from beside."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from services.executor.operations.contract import Connection
from tests.support import mariadb, postgres

SERIAL = {
    "sqlite": "INTEGER PRIMARY KEY",
    "postgresql": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "mysql": "bigint PRIMARY KEY AUTO_INCREMENT",
}
ENUM = {
    "sqlite": "varchar(10) NOT NULL CHECK (status IN ('new', 'paid', 'sent'))",
    "postgresql": "varchar(10) NOT NULL CHECK (status IN ('new', 'paid', 'sent'))",
    "mysql": "enum('new', 'paid', 'sent') NOT NULL",
}
MOMENT = {"sqlite": "datetime", "postgresql": "timestamptz", "mysql": "datetime"}


@dataclass(frozen=True)
class Database:
    """A fresh database; `rows` runs a statement on a connection of the test's own."""

    dialect: str
    connection: Connection
    rows: Callable[[str], list[tuple[Any, ...]]]

    @property
    def connections(self) -> dict[str, Connection]:
        """What an attempt may ask for."""
        return {"shop": self.connection}

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])

    def make_shop(self) -> None:
        """Customers with unique addresses, their orders, and the items of these by a composite key."""
        moment = MOMENT[self.dialect]
        self.rows(
            f"CREATE TABLE customers (id {SERIAL[self.dialect]}, email varchar(60) NOT NULL UNIQUE,"
            f" name varchar(80) NOT NULL, city varchar(40), age int CHECK (age >= 18 AND age <= 99),"
            f" created_at {moment} NOT NULL)"
        )
        self.rows(
            f"CREATE TABLE orders (id int PRIMARY KEY, customer_id bigint NOT NULL, status {ENUM[self.dialect]},"
            " amount numeric(8,2) NOT NULL, placed_on date NOT NULL, note text,"
            " FOREIGN KEY (customer_id) REFERENCES customers (id))"
        )
        self.rows(
            "CREATE TABLE items (order_id int NOT NULL, line int NOT NULL, product varchar(30) NOT NULL,"
            " quantity int NOT NULL, PRIMARY KEY (order_id, line), FOREIGN KEY (order_id) REFERENCES orders (id))"
        )


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    """A fresh file."""
    path = tmp_path / "shop.db"
    sqlite3.connect(path).close()

    def rows(sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            return list(connection.execute(sql).fetchall())
        finally:
            connection.close()

    return Database("sqlite", Connection("shop", f"sqlite://{path}"), rows)


@pytest.fixture
def postgresql(postgres_url: URL) -> Iterator[Database]:
    """A fresh database on PostgreSQL."""
    with postgres.fresh_database(postgres_url) as url:
        bare = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
        whole = url.set(drivername="postgresql").render_as_string(hide_password=False)

        def rows(sql: str) -> list[tuple[Any, ...]]:
            with psycopg.connect(whole, autocommit=True) as connection:
                cursor = connection.execute(sql.encode())
                return cursor.fetchall() if cursor.description else []

        yield Database("postgresql", Connection("shop", bare, secrets={"password": str(url.password)}), rows)


@pytest.fixture
def maria(mariadb_place: mariadb.Place) -> Iterator[Database]:
    """A fresh database on MariaDB."""
    with mariadb.fresh_database(mariadb_place) as place:
        yield Database("mysql", Connection("shop", place.url, secrets={"password": place.password}), place.rows)


@pytest.fixture(params=["sqlite", "postgresql", "maria"])
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh database, once on each of the three."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Database)
    return made


@pytest.fixture
def shop(database: Database) -> Database:
    """A database with the tables of the shop, all empty."""
    database.make_shop()
    return database
