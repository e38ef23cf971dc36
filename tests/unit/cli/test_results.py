"""`opsledger task results` and `task download`: what scripts gave, rows by the page, a zip whole or not there."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import TASKS, StandIn, step, task

RESULTS = f"{TASKS}/7/results"
COLUMNS = [{"name": "id", "type": "int8"}, {"name": "id", "type": "text"}]
SET = {
    "index": 2,
    "sql": "SELECT id, name\nFROM t",
    "columns": COLUMNS,
    "rows": 250,
    "truncated": True,
    "file": "2.jsonl",
}


def entry(number: int, *sets: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What one step tells."""
    base = {"subtask": 70_000 + number, "key": f"script-{number}", "kind": "sql", "status": "FAILED", "files": []}
    counts = {"statements": 3, "success": 2, "failure": 1, "connection": "shop", "dialect": "sqlite"}
    return {**base, **counts, "results": [*sets], "records": [], **more}


def rows(*cells: list[Any], page: int = 1, truncated: bool = False) -> dict[str, Any]:
    """A page of rows."""
    about = {"index": 2, "sql": "SELECT", "columns": COLUMNS, "totalRows": 250, "truncated": truncated}
    return {**about, "rows": [*cells], "page": page, "size": 2}


def test_a_script_is_told_in_a_few_lines(api: StandIn, cli: Cli) -> None:
    """What it did, which statements failed and why, which gave rows, and what to type next."""
    record = {"index": 3, "sql": "SELEC 1", "error": "syntax error near \x1b[31mSELEC"}
    api.answers[RESULTS] = {"results": [entry(1, SET, records=[record])]}
    ran = cli("task", "results", "7")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "script-1  sql"
    assert lines[1].split() == ["did", "3", "statements,", "2", "done,", "1", "failed"]
    assert lines[2].split() == ["on", "shop", "(sqlite)"]
    assert lines[3] == "failed   statement 3: syntax error near \\x1b[31mSELEC  SELEC 1"
    assert lines[5].split() == ["2", "250+", "id,", "id", "SELECT", "id,", "name", "FROM", "t"]
    assert ran.err == "rows: opsledger task results 7 --set N; all as CSV: opsledger task download 7\n"


def test_other_kinds_show_their_fields(api: StandIn, cli: Cli) -> None:
    """Scalars and counts as they are; files with their addresses; what could not be read on stderr."""
    file = {"name": "report.txt", "bytes": 3, "sha256": "0", "path": "/there"}
    mock = {"subtask": 70_001, "key": "fill", "kind": "mock", "status": "SUCCESSFUL", "written": 7, "files": [file]}
    sync = {"subtask": 70_002, "key": "b", "kind": "sync", "status": "SUCCESSFUL", "sync": {"synced": 3, "failed": 0}}
    unread = [{"subtask": 70_003, "key": "c", "why": "its output has 99 bytes"}]
    api.answers[RESULTS] = {"results": [mock, sync], "unread": unread}
    ran = cli("task", "results", "7")
    assert [line.split() for line in ran.out.splitlines() if line.strip()] == [
        ["fill", "mock"],
        ["written", "7"],
        ["file", "report.txt", "3", "bytes", "/there"],
        ["b", "sync"],
        ["sync", "synced", "3,", "failed", "0"],
    ]
    assert ran.err == "c: its output has 99 bytes\n"


def test_rows_are_a_table(api: StandIn, cli: Cli) -> None:
    """NULL is told from an empty text; columns of one name both show; the next page is named."""
    api.answers[RESULTS] = {"results": [entry(1, SET)]}
    api.answers[f"{TASKS}/7/subtasks/70001/results/2"] = rows([1, None], [True, "two\nlines"], page=3)
    ran = cli("task", "results", "7", "--set", "2", "--page", "3", "--size", "2")
    assert [line.split() for line in ran.out.splitlines()] == [["id", "id"], ["1", "NULL"], ["true", "two", "lines"]]
    assert ran.err == "rows 5 to 6 of 250; the next with --page 4\n"
    assert api.asked[-1][2] == {"page": ["3"], "size": ["2"]}


def test_rows_for_programs(api: StandIn, cli: Cli) -> None:
    """One row a line with jsonl, the whole answer with json."""
    api.answers[RESULTS] = {"results": [entry(1, SET)]}
    api.answers[f"{TASKS}/7/subtasks/70001/results/2"] = rows([1, None], [2, "é"])
    assert cli("task", "results", "7", "--set", "2", "-o", "jsonl").out == '[1,null]\n[2,"é"]\n'
    assert '"totalRows": 250' in cli("task", "results", "7", "--set", "2", "-o", "json").out
    assert cli("task", "results", "7", "-o", "jsonl").out.startswith('{"subtask":70001,"key":"script-1"')


def test_the_end_and_a_limit_are_said(api: StandIn, cli: Cli) -> None:
    """A page behind the last row, and a statement that had more than was kept."""
    api.answers[RESULTS] = {"results": [entry(1, SET)]}
    api.answers[f"{TASKS}/7/subtasks/70001/results/2"] = rows(page=200, truncated=True)
    ran = cli("task", "results", "7", "--set", "2", "--page", "200")
    assert ran.err == "no rows here, of 250; the statement had more than the script was to keep\n"


def test_a_result_set_that_is_not_there(api: StandIn, cli: Cli) -> None:
    """The ones there are; of several steps with that number one has to be named; nothing at all is no failure."""
    api.answers[RESULTS] = {"results": [entry(1, SET)]}
    ran = cli("task", "results", "7", "--set", "9")
    assert (ran.code, ran.err) == (1, "error  task 7 has no result set 9\nnext   result sets there are: 2\n")
    api.answers[RESULTS] = {"results": [entry(1, SET), entry(2, SET)]}
    ran = cli("task", "results", "7", "--set", "2")
    assert ran.code == 2
    assert "--subtask script-1, script-2" in ran.err
    api.answers[RESULTS] = {"results": []}
    ran = cli("task", "results", "7")
    assert (ran.code, ran.out, ran.err) == (0, "", "no step of task 7 tells of results\n")


def test_one_step_is_named_by_its_key(api: StandIn, cli: Cli) -> None:
    """--subtask takes a key, and the API is asked for that step alone."""
    api.pictures = [task("FAILED", step(1, "a", "SUCCESSFUL"), step(2, "b", "FAILED"))]
    api.answers[RESULTS] = {"results": []}
    cli("task", "results", "7", "--subtask", "b")
    assert api.asked[-1][2] == {"subtask": ["70002"]}
    ran = cli("task", "results", "7", "--subtask", "nope")
    assert (ran.code, "its steps are: a, b" in ran.err) == (2, True)


def test_nothing_is_written_when_there_is_nothing(api: StandIn, cli: Cli, tmp_path: Path) -> None:
    """The API's own words, and no file."""
    message = "No statement of task 7 has given rows, so there is nothing to download."
    api.answers[f"GET {RESULTS}/download"] = (404, {"code": 4001, "message": message})
    file = tmp_path / "rows.zip"
    ran = cli("task", "download", "7", "-o", str(file))
    assert (ran.code, ran.err) == (1, f"error  {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_a_file(api: StandIn, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by the task unless it is said; only whole ones are there."""
    monkeypatch.chdir(tmp_path)
    api.answers[f"{RESULTS}/download"] = b"PK"
    ran = cli("task", "download", "7")
    assert (ran.code, ran.err) == (0, "task-7-results.zip: 2 bytes, the results of task 7\n")
    assert cli("task", "download", "7", "-o", "mine.zip").code == 0
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        "task-7-results.zip": b"PK",
        "mine.zip": b"PK",
    }
