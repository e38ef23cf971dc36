"""Types, keys and references as the three databases have them: whatever a table is, its rows are accepted."""

from typing import Any

import pytest

from opsledger.kit import PermanentFault
from services.executor.operations.data_mock import MockTable

POSTGRESQL = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN percent AS int CHECK (VALUE >= 0 AND VALUE <= 100);
CREATE TABLE everything (
  id bigserial PRIMARY KEY, twice int GENERATED ALWAYS AS (small * 2) STORED,
  small smallint NOT NULL CHECK (small < 1000), big bigint NOT NULL, share percent NOT NULL,
  price numeric(5,2) NOT NULL,
  any_number numeric NOT NULL, real_one real NOT NULL, cash money NOT NULL, flag boolean NOT NULL,
  feeling mood NOT NULL,
  letter char NOT NULL, code char(3) NOT NULL UNIQUE, word varchar(12) NOT NULL, free text NOT NULL,
  day date NOT NULL, moment timestamp NOT NULL, zoned timestamptz NOT NULL, clock time NOT NULL,
  zoned_clock timetz NOT NULL, span interval NOT NULL, token uuid NOT NULL DEFAULT gen_random_uuid(),
  doc jsonb NOT NULL, raw bytea NOT NULL,
  ip inet NOT NULL, net cidr NOT NULL, mac macaddr NOT NULL, tags text[] NOT NULL, bits bit(3), vector tsvector,
  "Odd ""Name" varchar(5) NOT NULL, lower_only text NOT NULL CHECK (lower_only IN ('a', 'b')))"""
MARIADB = """
CREATE TABLE everything (
  id int unsigned PRIMARY KEY AUTO_INCREMENT, twice int AS (small * 2) STORED,
  small smallint NOT NULL CHECK (small < 1000), tiny tinyint unsigned NOT NULL, flag tinyint(1) NOT NULL,
  big bigint NOT NULL,
  price decimal(5,2) NOT NULL, f float NOT NULL, d double NOT NULL, letter char NOT NULL, code char(3) NOT NULL UNIQUE,
  word varchar(12) NOT NULL, free longtext NOT NULL, day date NOT NULL, moment datetime NOT NULL,
  stamp timestamp NOT NULL DEFAULT current_timestamp, clock time NOT NULL, y year NOT NULL, doc json NOT NULL,
  raw varbinary(8) NOT NULL, b blob NOT NULL, feeling enum('sad', 'it''s ok') NOT NULL, marks set('x', 'y') NOT NULL,
  `odd ``name` varchar(5) NOT NULL, chosen varchar(5) NOT NULL CHECK (chosen IN ('a', 'b')))"""
SQLITE = """
CREATE TABLE everything (
  id INTEGER PRIMARY KEY, untyped, small INT NOT NULL CHECK (small BETWEEN 1 AND 9), price DECIMAL(5,2) NOT NULL,
  real_one REAL NOT NULL, flag BOOLEAN NOT NULL, code CHAR(3) NOT NULL UNIQUE, free TEXT NOT NULL, day DATE NOT NULL,
  moment TIMESTAMP NOT NULL, raw BLOB NOT NULL, twice INT GENERATED ALWAYS AS (small * 2) STORED,
  "odd ""name" VARCHAR(5) NOT NULL, chosen TEXT NOT NULL CHECK (chosen IN ('a', 'it''s')))"""
TABLES = {"postgresql": POSTGRESQL, "mysql": MARIADB, "sqlite": SQLITE}


async def fill(run_operation: Any, database: Any, table: str, total: int, **more: Any) -> Any:
    """Fill a table and return what came of it."""
    params = {"connection": "shop", "seed": 4, "table": {"table": table, "total": total, **more}}
    return await run_operation(MockTable(), params, connections=database.connections)


async def test_every_type_is_accepted(run_operation: Any, database: Any) -> None:
    """Without a single rule, in each of the strategies, with lengths, ranges, lists and generated columns."""
    for statement in TABLES[database.dialect].split(";"):
        database.rows(statement)

    await fill(run_operation, database, "everything", 300)
    await fill(run_operation, database, "everything", 300, strategy="IGNORE")
    await fill(run_operation, database, "everything", 300, strategy="OVERWRITE")

    assert database.count("everything") == 300
    assert database.rows("SELECT count(*) FROM everything WHERE twice <> small * 2") == [(0,)]


async def test_a_table_that_refers_to_itself(run_operation: Any, database: Any) -> None:
    """Empty, it begins with roots; later rows hang below those that are there."""
    key = {
        "sqlite": "INTEGER PRIMARY KEY",
        "postgresql": "serial PRIMARY KEY",
        "mysql": "int PRIMARY KEY AUTO_INCREMENT",
    }
    serial = key.get(database.dialect, "INTEGER PRIMARY KEY")
    database.rows(
        f"CREATE TABLE nodes (id {serial}, parent_id int, title varchar(40) NOT NULL,"
        " FOREIGN KEY (parent_id) REFERENCES nodes (id))"
    )

    first = await fill(run_operation, database, "nodes", 10)
    assert database.rows("SELECT count(*) FROM nodes WHERE parent_id IS NULL") == [(10,)]
    assert "no rows to refer to" in first.log[0]

    await fill(run_operation, database, "nodes", 50)
    assert database.rows("SELECT count(*) FROM nodes WHERE parent_id IS NOT NULL") == [(50,)]


async def test_one_row_for_each_parent(run_operation: Any, shop: Any) -> None:
    """A unique reference takes each parent once, only such as are free, and says when there are too few."""
    shop.rows(
        "CREATE TABLE profiles (customer_id bigint PRIMARY KEY, bio varchar(200),"
        " FOREIGN KEY (customer_id) REFERENCES customers (id))"
    )
    await fill(run_operation, shop, "customers", 100)

    await fill(run_operation, shop, "profiles", 60)
    await fill(run_operation, shop, "profiles", 40)

    assert shop.count("profiles") == 100
    with pytest.raises(PermanentFault) as caught:
        await fill(run_operation, shop, "profiles", 1)
    assert caught.value.detail["kind"] == "NO_PARENT_ROWS"


async def test_a_reference_of_two_columns(run_operation: Any, database: Any) -> None:
    """Both halves come from one row of the parent."""
    database.rows("CREATE TABLE parents (a int NOT NULL, b int NOT NULL, PRIMARY KEY (a, b))")
    database.rows(
        "CREATE TABLE children (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL,"
        " FOREIGN KEY (a, b) REFERENCES parents (a, b))"
    )

    await fill(run_operation, database, "parents", 40)
    await fill(run_operation, database, "children", 200)

    joined = "SELECT count(*) FROM children c JOIN parents p ON p.a = c.a AND p.b = c.b"
    assert database.rows(joined) == [(200,)]


async def test_counting_goes_on_behind_what_is_there(run_operation: Any, database: Any) -> None:
    """An integer key without a default continues; `start` says otherwise."""
    database.rows("CREATE TABLE numbers (n int PRIMARY KEY, word varchar(20))")

    await fill(run_operation, database, "numbers", 10)
    await fill(run_operation, database, "numbers", 10)
    await fill(run_operation, database, "numbers", 5, columns={"n": {"generator": "sequence", "start": 1000}})

    assert [row[0] for row in database.rows("SELECT n FROM numbers ORDER BY n")] == [*range(1, 21), *range(1000, 1005)]


async def test_partitions_and_named_identities(run_operation: Any, postgresql: Any) -> None:
    """PostgreSQL: partitioned tables in every strategy, and numbers for an identity column when a rule gives them."""
    postgresql.rows("CREATE TABLE events (id int, day date NOT NULL, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)")
    postgresql.rows("CREATE TABLE events_all PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2027-01-01')")
    postgresql.rows("CREATE TABLE named (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, word text)")
    one = {"id": {"generator": "sequence", "start": 1}}

    for table in ("events", "named"):
        await fill(run_operation, postgresql, table, 100, columns=one)
        ran = await fill(run_operation, postgresql, table, 150, columns=one, strategy="OVERWRITE")
        assert (ran.output["written"], ran.output["conflicting"]) == (150, 100)
        ran = await fill(run_operation, postgresql, table, 150, columns=one, strategy="IGNORE")
        assert (ran.output["written"], ran.output["ignored"]) == (0, 150)
        assert postgresql.count(table) == 150


async def test_locale(run_operation: Any, shop: Any) -> None:
    """Chinese names in Chinese, their addresses still in Latin letters."""
    params = {"connection": "shop", "locale": "zh", "table": {"table": "customers", "total": 100}}

    await run_operation(MockTable(), params, connections=shop.connections)

    rows = shop.rows("SELECT name, email FROM customers")
    assert all(not name.isascii() and email.isascii() for name, email in rows)
