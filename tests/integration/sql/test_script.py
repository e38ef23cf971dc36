"""`sql.execute` on SQLite, PostgreSQL and MariaDB: what a script does, what is kept of it, and how it fails."""

import asyncio
import json
from typing import Any

import pytest

from opsledger.testing import Ran, RunOperation
from services.executor.operations.contract import PermanentFault
from services.executor.operations.sql_script import SqlExecute
from tests.integration.sql.conftest import Database, Mariadb, Postgresql, Sqlite, rows_of
from tests.support.eventually import eventually

FIVE = """
CREATE TABLE t (id int PRIMARY KEY, name varchar(50));
INSERT INTO t VALUES (1, 'one; two'), (2, 'zwei');
INSERT INTO missing VALUES (1);
UPDATE t SET name = 'three' WHERE id = 2;
SELECT id, name FROM t ORDER BY id;
"""


async def execute(run: RunOperation, database: Database, sql: str, into: Ran | None = None, **params: Any) -> Ran:
    """Run a script on the database."""
    asked = {"connection": "target", "sql": sql, **params}
    return await run(SqlExecute(), asked, connections={"target": database.connection}, into=into)


async def test_error_in_the_third_of_five_stops_there(run_operation: RunOperation, database: Database) -> None:
    """ABORT: FAILED with number, SQL and the server's words; two done, two not run, and what was done stays."""
    ran = Ran()
    with pytest.raises(PermanentFault) as caught:
        await execute(run_operation, database, FIVE, ran)

    detail = caught.value.detail
    assert (detail["kind"], detail["cause"], detail["dialect"]) == ("SQL_FAILED", "STATEMENT_FAILED", database.dialect)
    assert (detail["statements"], detail["success"], detail["failure"]) == (5, 2, 1)
    record = detail["records"][0]
    assert (record["index"], record["sql"]) == (3, "INSERT INTO missing VALUES (1)")
    assert "missing" in record["error"]
    assert "Statement 3 of 5 failed" in caught.value.message
    assert record["error"] in caught.value.message
    assert [row[1] for row in database.rows("SELECT * FROM t ORDER BY id")] == ["one; two", "zwei"]
    levels = [(line.level, line.text.split(" ")[0]) for line in ran.lines[1:]]
    assert levels == [("INFO", "1/5"), ("INFO", "2/5"), ("ERROR", "3/5")]


async def test_continue_goes_on_and_succeeds(run_operation: RunOperation, database: Database) -> None:
    """CONTINUE: the rest runs, the failure is on record, the result set is kept."""
    ran = await execute(run_operation, database, FIVE, on_error="CONTINUE")

    assert (ran.output["kind"], ran.output["success"], ran.output["failure"]) == ("sql", 4, 1)
    assert [record["index"] for record in ran.output["records"]] == [3]
    assert [column["name"] for column in ran.output["results"][0]["columns"]] == ["id", "name"]
    assert rows_of(ran, 5) == [[1, "one; two"], [2, "three"]]
    assert ran.output["results"][0]["rows"] == 2
    assert ran.progress[-1] == (1.0, "5 of 5 statements, 1 failed")
    assert [fraction for fraction, _ in ran.progress] == sorted(fraction for fraction, _ in ran.progress)


async def test_continue_can_still_fail_at_the_end(run_operation: RunOperation, database: Database) -> None:
    """With mark_as_failed_when_any_error everything runs, and then the subtask fails with the same records."""
    with pytest.raises(PermanentFault, match="1 statement of the script failed") as caught:
        await execute(run_operation, database, FIVE, on_error="CONTINUE", mark_as_failed_when_any_error=True)

    assert (caught.value.detail["success"], caught.value.detail["failure"]) == (4, 1)
    assert caught.value.detail["results"][0]["rows"] == 2


async def test_syntax_error_says_where(run_operation: RunOperation, database: Database) -> None:
    """A statement the server cannot read fails with its words and its text."""
    with pytest.raises(PermanentFault) as caught:
        await execute(run_operation, database, "SELECT 1; SELEC 2; SELECT 3")

    assert (caught.value.detail["success"], caught.value.detail["records"][0]["sql"]) == (1, "SELEC 2")
    assert "syntax" in caught.value.message.lower()


async def test_limit_cuts_the_result_and_not_the_statement(run_operation: RunOperation, database: Database) -> None:
    """Rows beyond the limit are counted out, the next statement runs on the same session."""
    await execute(run_operation, database, "CREATE TABLE t (id int)")
    numbers = ",".join(f"({number})" for number in range(2_500))
    script = f"INSERT INTO t VALUES {numbers}; SELECT id FROM t ORDER BY id; SELECT count(*) FROM t"

    ran = await execute(run_operation, database, script, query_limit=10)

    entry = ran.output["results"][0]
    assert (entry["rows"], entry["truncated"], len(rows_of(ran, 2))) == (10, True, 10)
    assert rows_of(ran, 3) == [[2_500]]
    assert any("there were more" in line for line in ran.log)


async def test_default_limit_is_a_thousand(run_operation: RunOperation, database: Database) -> None:
    """Who says nothing gets a thousand rows, as in ODC."""
    script = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT i FROM n"

    ran = await execute(run_operation, database, script)

    assert (ran.output["results"][0]["rows"], ran.output["results"][0]["truncated"]) == (1_000, True)


async def test_all_statements_share_one_session(run_operation: RunOperation, database: Database) -> None:
    """A temporary table of the first statement is there for the others."""
    script = "CREATE TEMPORARY TABLE own (id int); INSERT INTO own VALUES (7); SELECT id FROM own"

    assert rows_of(await execute(run_operation, database, script), 3) == [[7]]


async def test_transaction_of_the_script_is_its_own(run_operation: RunOperation, database: Database) -> None:
    """BEGIN to COMMIT is one transaction; a failure inside of it takes all of it back and says so."""
    await execute(run_operation, database, "CREATE TABLE t (id int); BEGIN; INSERT INTO t VALUES (1); COMMIT")
    with pytest.raises(PermanentFault, match="transaction is rolled back") as caught:
        await execute(run_operation, database, "BEGIN; INSERT INTO t VALUES (2); INSERT INTO no VALUES (1); COMMIT")

    assert caught.value.detail["rolledBack"] is True
    assert database.rows("SELECT id FROM t") == [(1,)]


async def test_transaction_left_open_fails(run_operation: RunOperation, database: Database) -> None:
    """A script that forgets its COMMIT is not called successful: what it did is not there."""
    await execute(run_operation, database, "CREATE TABLE t (id int)")
    with pytest.raises(PermanentFault, match="COMMIT") as caught:
        await execute(run_operation, database, "BEGIN; INSERT INTO t VALUES (1); SELECT id FROM t")

    assert caught.value.detail["cause"] == "TRANSACTION_LEFT_OPEN"
    assert database.rows("SELECT id FROM t") == []


async def test_failed_statement_is_tried_again(run_operation: RunOperation, database: Database) -> None:
    """A statement that fails until its table is there succeeds at a later try."""
    ran = Ran()
    doing = asyncio.create_task(
        execute(
            run_operation,
            database,
            "SELECT 1; INSERT INTO late VALUES (1)",
            ran,
            retry_times=100,
            retry_interval_seconds=0.05,
        )
    )
    await eventually(lambda: doing.done() or any("will be tried again" in line for line in ran.log))
    await asyncio.to_thread(database.rows, "CREATE TABLE late (id int)")

    await doing

    assert (ran.output["success"], ran.output["failure"], ran.output["records"]) == (2, 0, [])
    assert database.rows("SELECT * FROM late") == [(1,)]
    assert any(line.level == "WARN" and "(1 of 100)" in line.text for line in ran.lines)


async def test_retries_end(run_operation: RunOperation, database: Database) -> None:
    """After its retries a failure is recorded once."""
    ran = Ran()
    with pytest.raises(PermanentFault) as caught:
        await execute(
            run_operation, database, "INSERT INTO no VALUES (1)", ran, retry_times=2, retry_interval_seconds=0
        )

    assert caught.value.detail["failure"] == len(caught.value.detail["records"]) == 1
    assert [line.level for line in ran.lines].count("ERROR") == 3


async def test_empty_script_is_refused(run_operation: RunOperation, database: Database) -> None:
    """A script of comments alone does not pass for a success."""
    with pytest.raises(PermanentFault, match="empty"):
        await execute(run_operation, database, "-- nothing\n;;\n/* here */")


async def test_result_without_rows_keeps_its_columns(run_operation: RunOperation, database: Database) -> None:
    """An empty result set is a result set: columns, no rows, an empty file."""
    ran = await execute(run_operation, database, "SELECT 1 AS a, 2 AS b WHERE 1 = 0")

    entry = ran.output["results"][0]
    assert [column["name"] for column in entry["columns"]] == ["a", "b"]
    assert (entry["rows"], entry["file"]["bytes"], rows_of(ran, 1)) == (0, 0, [])


async def test_hundreds_of_failures_stay_within_a_commit(run_operation: RunOperation, database: Database) -> None:
    """The detail of a failure stays small; the whole list lies in a result file."""
    script = ";".join(f"INSERT INTO no VALUES ({number}, '{'x' * 200}')" for number in range(300))
    ran = Ran()
    with pytest.raises(PermanentFault) as caught:
        await execute(run_operation, database, script, ran, on_error="CONTINUE", mark_as_failed_when_any_error=True)

    detail = caught.value.detail
    assert len(json.dumps(detail)) < 60_000
    assert (detail["failure"], detail["recordsTruncated"]) == (300, True)
    whole = json.loads(ran.results[detail["whole"]["object"]])
    assert (len(whole["records"]), whole["recordsTruncated"]) == (200, True)


async def test_routine_bodies_are_one_statement(run_operation: RunOperation, maria: Mariadb) -> None:
    """DELIMITER changes what ends a statement, and a procedure's further result sets are named in the log."""
    script = """
DELIMITER //
CREATE PROCEDURE two() BEGIN SELECT 1 AS a; SELECT 2 AS b; END//
DELIMITER ;
CALL two(); SELECT 3;
"""
    ran = await execute(run_operation, maria, script)

    assert (rows_of(ran, 2), rows_of(ran, 3)) == ([[1]], [[3]])
    assert any(line.level == "WARN" and "further result set" in line.text for line in ran.lines)


async def test_dollar_quotes_are_respected(run_operation: RunOperation, postgresql: Postgresql) -> None:
    """A function body with semicolons is one statement."""
    body = "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$ BEGIN PERFORM 1; RETURN 42; END; $body$;"

    assert rows_of(await execute(run_operation, postgresql, f"{body} SELECT f()"), 2) == [[42]]


async def test_copy_from_stdin_is_refused_before_anything_runs(
    run_operation: RunOperation, postgresql: Postgresql
) -> None:
    """Statement 2 is the problem, and statement 1 was not executed."""
    with pytest.raises(PermanentFault, match=r"Statement 2 .*STDIN.*Nothing was executed"):
        await execute(run_operation, postgresql, "CREATE TABLE t (id int); COPY t FROM STDIN;\n1\n\\.\n")

    assert postgresql.rows("SELECT to_regclass('t')") == [(None,)]


async def test_local_files_of_the_executor_are_not_sent(run_operation: RunOperation, maria: Mariadb) -> None:
    """LOAD DATA LOCAL would read a file of the executor's host."""
    with pytest.raises(PermanentFault, match="LOAD DATA LOCAL"):
        await execute(run_operation, maria, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t")


@pytest.mark.parametrize("sql", ["ATTACH '{}' AS other", "VACUUM INTO '{}'"])
async def test_sqlite_script_stays_in_its_file(run_operation: RunOperation, sqlite: Sqlite, sql: str) -> None:
    """No other file of the executor's host is read or written; a plain VACUUM works."""
    other = sqlite.connection.url.removeprefix("sqlite://") + ".other"
    with pytest.raises(PermanentFault, match="authoriz"):
        await execute(run_operation, sqlite, sql.format(other))

    assert (await execute(run_operation, sqlite, "VACUUM")).output["success"] == 1


async def test_notices_of_postgresql_are_lines(run_operation: RunOperation, postgresql: Postgresql) -> None:
    """What RAISE says is in the log, warnings as warnings."""
    ran = await execute(
        run_operation, postgresql, "DO $$ BEGIN RAISE NOTICE 'half way'; RAISE WARNING 'careful'; END $$; SELECT 1"
    )

    assert [(line.level, line.text) for line in ran.lines if "the server says" in line.text] == [
        ("INFO", "1/2 the server says: half way"),
        ("WARN", "1/2 the server says: careful"),
    ]


async def test_warnings_of_mariadb_are_lines(run_operation: RunOperation, maria: Mariadb) -> None:
    """A value that was cut is a warning, and the next statement runs."""
    script = "SET sql_mode = ''; CREATE TABLE t (name char(2)); INSERT INTO t VALUES ('long'); SELECT name FROM t"
    ran = await execute(run_operation, maria, script)

    (line,) = [line for line in ran.lines if "the server says" in line.text]
    assert line.level == "WARN"
    assert "3/4 the server says: Data truncated for column 'name'" in line.text
    assert any("3/4 done" in text and "1 row changed" in text for text in ran.log)
    assert rows_of(ran, 4) == [["lo"]]


async def test_retry_does_not_tear_a_transaction(run_operation: RunOperation, postgresql: Postgresql) -> None:
    """In a transaction that has failed nothing is tried again; CONTINUE goes on to its end, which is a rollback."""
    await execute(run_operation, postgresql, "CREATE TABLE t (id int)")
    ran = await execute(
        run_operation,
        postgresql,
        "BEGIN; INSERT INTO t VALUES (1); INSERT INTO no VALUES (1); INSERT INTO t VALUES (2); COMMIT; SELECT 1",
        on_error="CONTINUE",
        retry_times=3,
        retry_interval_seconds=0,
    )

    assert [record["index"] for record in ran.output["records"]] == [3, 4]
    assert postgresql.rows("SELECT * FROM t") == []
    warnings = [line.text for line in ran.lines if line.level == "WARN"]
    assert "3/6 is not tried again: its transaction is gone" in warnings
    assert "5/6 ended a transaction that had failed: it is rolled back" in warnings


@pytest.mark.parametrize(
    "params",
    [
        {"sql": "SELECT 1\0; DROP TABLE t"},
        {"sql": "x" * 160_001},
        {"sql": "\n" * 90_000},
        {"sql": ""},
        {"delimiter": "GO"},
        {"query_limit": 0},
        {"on_error": "IGNORE"},
        {"statement_timeout_seconds": 480 * 3600 + 1},
        {"retry_times": -1},
        {"password": "secret"},
    ],
    ids=lambda params: next(iter(params)),
)
def test_parameters_that_do_not_fit(params: dict[str, Any]) -> None:
    """They are refused by name, before anything is looked up."""
    with pytest.raises(PermanentFault, match=next(iter(params))):
        SqlExecute().parse({"connection": "target", "sql": "SELECT 1", **params})
