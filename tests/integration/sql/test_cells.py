"""What values become in result files, odd ones above all: nothing is rounded, lost or changed into something else."""

from typing import Any

import pytest

from opsledger.testing import RunOperation
from services.executor.operations.sql_script import SqlExecute
from tests.integration.sql.conftest import Database, Mariadb, Postgresql, Sqlite, rows_of

FORMULAS = ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a\nb", 'a"b', "a,b", "", "NULL", "ünïcödé", "漢字", "🦔"]


async def rows(run: RunOperation, database: Database, sql: str) -> list[list[Any]]:
    """The rows of the script's last statement."""
    ran = await run(SqlExecute(), {"connection": "target", "sql": sql}, connections={"target": database.connection})
    return rows_of(ran, ran.output["statements"])


def literal(text: str) -> str:
    """The text as SQL."""
    return "'" + text.replace("'", "''") + "'"


async def test_texts_stay_what_they_are(run_operation: RunOperation, database: Database) -> None:
    """Formulas are data here (who writes CSV quotes them); so are line breaks and the empty text; NULL is null."""
    columns = ", ".join(f"{literal(text)} AS c{number}" for number, text in enumerate(FORMULAS))

    assert await rows(run_operation, database, f"SELECT {columns}, NULL AS empty_one") == [[*FORMULAS, None]]


async def test_cell_of_a_megabyte(run_operation: RunOperation, database: Database) -> None:
    """A large text arrives whole, and small ones around it."""
    large = {
        "sqlite": "replace(hex(zeroblob(524288)), '0', 'é')",
        "postgresql": "repeat('é', 1048576)",
        "mysql": "repeat('é', 1048576)",
    }[database.dialect]

    assert await rows(run_operation, database, f"SELECT 1, {large}, 2") == [[1, "é" * 1_048_576, 2]]


async def test_many_large_cells(run_operation: RunOperation, database: Database) -> None:
    """Forty rows of a megabyte are forty rows."""
    one = {"sqlite": "hex(zeroblob(524288))", "postgresql": "repeat('0', 1048576)", "mysql": "repeat('0', 1048576)"}
    series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"

    found = await rows(run_operation, database, f"{series} SELECT i, {one[database.dialect]} FROM n")

    assert [row[0] for row in found] == list(range(1, 41))
    assert {len(row[1]) for row in found} == {1_048_576}


async def test_whole_numbers_beyond_what_floats_hold(run_operation: RunOperation, database: Database) -> None:
    """64-bit integers are exact."""
    assert await rows(run_operation, database, "SELECT 9223372036854775807, -9223372036854775807") == [
        [9223372036854775807, -9223372036854775807]
    ]


async def test_values_of_postgresql(run_operation: RunOperation, postgresql: Postgresql) -> None:
    """Decimals, dates, times, infinities, bytes, arrays and JSON are the server's own text; booleans are booleans."""
    sql = r"""SELECT true, 1.10::numeric(10,2), 'NaN'::numeric, 1.5::float8, 'Infinity'::float8, 'NaN'::float4,
        DATE '2024-02-29', DATE 'infinity', DATE '0044-03-15 BC', TIMESTAMP '99999-12-31 23:59:59.999999',
        INTERVAL '1 month 2 days', '\x00ff'::bytea, ARRAY[1, NULL, 3], '{"a": [1, null]}'::jsonb,
        '550e8400-e29b-41d4-a716-446655440000'::uuid, '10.0.0.0/8'::cidr, ROW(1, 'a'), ARRAY[true], NULL::int,
        32767::int2, 'x'::char(3), (1, 2)::text"""

    assert await rows(run_operation, postgresql, sql) == [
        [
            True, "1.10", "NaN", 1.5, "Infinity", "NaN",
            "2024-02-29", "infinity", "0044-03-15 BC", "99999-12-31 23:59:59.999999",
            "1 mon 2 days", "\\x00ff", "{1,NULL,3}", '{"a": [1, null]}',
            "550e8400-e29b-41d4-a716-446655440000", "10.0.0.0/8", "(1,a)", "{t}", None,
            32767, "x  ", "(1,2)",
        ]
    ]  # fmt: skip


async def test_types_of_columns_are_named(run_operation: RunOperation, postgresql: Postgresql, maria: Mariadb) -> None:
    """Columns carry the server's word for their type."""
    for database, expected in (
        (postgresql, ["int4", "numeric", "text", "date"]),
        (maria, ["long", "newdecimal", "var_string", "date"]),
    ):
        sql = "SELECT 1 AS a, 1.5 AS b, CAST('x' AS char(9)) AS c, DATE '2024-01-01' AS d"
        sql = sql.replace("CAST('x' AS char(9))", "'x'::text") if database is postgresql else sql
        ran = await run_operation(
            SqlExecute(), {"connection": "target", "sql": sql}, connections={"target": database.connection}
        )
        assert [column["type"] for column in ran.output["results"][0]["columns"]] == expected


async def test_values_of_mariadb(run_operation: RunOperation, maria: Mariadb) -> None:
    """Dates that do not exist, long times, unsigned and bit fields, decimals, bytes."""
    sql = r"""SET sql_mode = '';
        CREATE TABLE odd (d date, t time, u bigint unsigned, b bit(9), n decimal(65,30), x varbinary(9), f double,
                          e enum('a','b'), y year, j json, s timestamp(6) NULL);
        INSERT INTO odd VALUES ('0000-00-00', '-838:59:59', 18446744073709551615, b'100000001',
                                1.000000000000000000000000000001, x'00ff', 1e300, 'b', 2024, '{"a": 1}', NULL);
        SELECT * FROM odd"""

    assert await rows(run_operation, maria, sql) == [
        [
            "0000-00-00", "-838:59:59", 18446744073709551615, "\\x0101", "1.000000000000000000000000000001", "\\x00ff",
            1e300, "b", 2024, '{"a": 1}', None,
        ]
    ]  # fmt: skip


async def test_values_of_sqlite(run_operation: RunOperation, sqlite: Sqlite) -> None:
    """Blobs, infinities, and text that is no UTF-8, which is kept as bytes."""
    sql = "SELECT x'00ff', 9e999, -9e999, CAST(x'ff61' AS TEXT), 1.5, 'a' || char(0) || 'b'"

    assert await rows(run_operation, sqlite, sql) == [["\\x00ff", "Infinity", "-Infinity", "\\xff61", 1.5, "a\x00b"]]


@pytest.mark.parametrize("name", ["same", "ünï; '--"])
async def test_columns_may_have_odd_names(run_operation: RunOperation, database: Database, name: str) -> None:
    """Two columns of one name are two columns."""
    sign = "`" if database.dialect == "mysql" else '"'
    quoted = f"{sign}{name}{sign}"
    ran = await run_operation(
        SqlExecute(),
        {"connection": "target", "sql": f"SELECT 1 AS {quoted}, 2 AS {quoted}"},
        connections={"target": database.connection},
    )

    assert [column["name"] for column in ran.output["results"][0]["columns"]] == [name, name]
    assert rows_of(ran, 1) == [[1, 2]]
