"""A script on a real database, through the whole system: its results read by the page, in a terminal and as a zip."""

import csv
import io
import json
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = pytest.mark.timeout(120)

SCRIPT = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, balance REAL);
INSERT INTO customer VALUES (1, 'Ann', -12.5), (2, '=HYPERLINK("http://x")', NULL), (3, '', 0);
SELECT * FROM customer ORDER BY id;
SELECT no_such_column FROM customer;
SELECT count(*) AS customers FROM customer;
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One system, whose executor knows the connection `shop`."""
    folder = tmp_path_factory.mktemp("results")
    sqlite3.connect(folder / "shop.db").close()
    known = folder / "connections.json"
    known.write_text(json.dumps([{"name": "shop", "url": f"sqlite://{folder}/shop.db"}]), encoding="utf-8")
    with Up(folder, OPSLEDGER_CONNECTIONS_FILE=str(known)) as system:
        yield system


def ended(up: Up, on_error: str, code: int) -> str:
    """The id of a task whose script has an error in its 5th of 6 statements, and which ended with this exit code."""
    params = {"connection": "shop", "sql": f"DROP TABLE IF EXISTS customer; {SCRIPT}", "on_error": on_error}
    words = ("task", "create", "sql.script", "--params", json.dumps(params), "--name", "Customers", "--wait")
    ran: subprocess.CompletedProcess[str] = up.run(*words)
    assert ran.returncode == code, ran.stderr
    return ran.stdout.strip()


def zipped(path: Path) -> dict[str, Any]:
    """The files of a zip: CSV as rows, JSON parsed."""
    found: dict[str, Any] = {}
    with ZipFile(path) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            text = archive.read(name).decode()
            table = name.endswith(".csv")
            found[name] = list(csv.reader(io.StringIO(text, newline=""))) if table else json.loads(text)
    return found


def test_a_script_gives_rows_a_page_and_a_zip(up: Up, tmp_path: Path) -> None:
    """CONTINUE goes on behind the failure; the numbers of statements are the same everywhere."""
    task = ended(up, "CONTINUE", 0)
    shown = up.run("task", "results", task)
    assert "6 statements, 5 done, 1 failed" in shown.stdout
    assert "failed   statement 5: no such column" in shown.stdout
    rows = up.run("task", "results", task, "--set", "4", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(row) for row in rows] == [
        [1, "Ann", -12.5],
        [2, '=HYPERLINK("http://x")', None],
        [3, "", 0.0],
    ]
    second = up.run("task", "results", task, "--set", "4", "--size", "2", "--page", "2", "-o", "jsonl").stdout
    assert json.loads(second) == [3, "", 0.0]
    file = tmp_path / "customers.zip"
    assert up.run("task", "download", task, "-o", str(file)).returncode == 0
    found = zipped(file)
    assert sorted(found) == ["4.csv", "6.csv", "csv_execute_result.json"]
    assert found["4.csv"] == [
        ["id", "name", "balance"],
        ["1", "Ann", "-12.5"],
        ["2", '\'=HYPERLINK("http://x")', ""],
        ["3", "", "0.0"],
    ]
    assert found["6.csv"] == [["customers"], ["3"]]
    assert [(one["sequence"], one["fileName"]) for one in found["csv_execute_result.json"]] == [
        (4, "4.csv"),
        (6, "6.csv"),
    ]


def test_what_a_failed_script_did_until_then_is_there(up: Up, tmp_path: Path) -> None:
    """ABORT stops at the failure; the rows before it can be read, in ODC's words too."""
    task = ended(up, "ABORT", 1)
    file = tmp_path / "customers.zip"
    assert up.run("task", "download", task, "-o", str(file)).returncode == 0
    assert sorted(zipped(file)) == ["4.csv", "csv_execute_result.json"]
    assert "result sets there are: 4" in up.run("task", "results", task, "--set", "6").stderr
    with Rest(up.url, up.password) as rest:
        path = f"/api/v2/tasks/instances/{task}"
        details = rest.http.get(path, params={"dialect": "odc"}).json()["data"]
        assert details["odc"]["connection"] == "shop"
        assert (details["odc"]["status"], details["odc"]["actions"]) == ("Failed", ["View", "Delete"])
        (one,) = rest.http.get(f"{path}/results", params={"dialect": "odc"}).json()["data"]["results"]
    assert (one["successCount"], one["failCount"], one["containQuery"]) == (4, 1, True)
    (record,) = one["records"]
    assert record.startswith("The execution failed on line 5.: SELECT no_such_column FROM customer no such column")


@pytest.mark.long
def test_a_million_rows_grow_neither_the_api_nor_the_executor(up: Up, tmp_path: Path) -> None:
    """From a statement to a zip on this disk, in bounded memory on the way."""
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
    sql = f"{many} SELECT i, 'customer number ' || i AS name, i / 8.0 AS balance FROM n"
    api, executor = up.child("api"), up.child("executor-1")
    before = api.memory_info().rss, executor.memory_info().rss
    params = json.dumps({"connection": "shop", "sql": sql, "query_limit": 1_000_000})
    began = time.monotonic()
    ran = up.run("task", "create", "sql.script", "--params", params, "--wait", timeout=120)
    assert ran.returncode == 0, ran.stderr
    wrote, began, file = time.monotonic() - began, time.monotonic(), tmp_path / "rows.zip"
    peaks = []
    command = threading.Thread(target=up.run, args=("task", "download", ran.stdout.strip(), "-o", str(file)))
    command.start()
    while command.is_alive():
        peaks.append(api.memory_info().rss)
        command.join(0.05)
    took = time.monotonic() - began
    with ZipFile(file) as archive, archive.open("1.csv") as rows:
        assert sum(1 for _ in rows) == 1_000_001
    grown = (max(peaks) - before[0]) / 1e6, (executor.memory_info().rss - before[1]) / 1e6
    print(f"script {wrote:.1f} s, download {took:.1f} s, API +{grown[0]:.0f} MB, executor +{grown[1]:.0f} MB")  # noqa: T201  its figures
    assert grown[0] < 60
    assert grown[1] < 200
