"""Outputs that tell of results, rows read from pieces, and CSV that a spreadsheet program only shows."""

import csv
import io
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api import results_rows
from services.api.results import Carried, carried, files_of, safe_name
from services.api.results_csv import Table, header
from services.api.results_rows import PageTooLarge, page_of
from shared.store.objects import ResultDamaged
from shared.task.events import Problem
from shared.task.plan import PlannedSubtask
from shared.task.state import Subtask

TEXT = [{"name": "a", "type": "text"}]


def reference(name: str, digest: str = "0" * 64) -> dict[str, Any]:
    """A reference as the store gives it."""
    return {"object": name, "bytes": 3, "sha256": digest}


def subtask(problem: Problem | None = None) -> Subtask:
    """A subtask that ended, well or with this problem."""
    plan = PlannedSubtask(
        key="script", name="script", operation="sql.execute", timeout_s=1, pool="default", delivery="at_least_once"
    )
    found = Subtask(number=1, plan=plan, downstreams=())
    found.problem = problem
    return found


def told(output: Any = None, problem: Problem | None = None) -> Carried:
    """What it tells; it must tell something."""
    found = carried(subtask(problem), problem.detail if problem is not None else output)
    assert found is not None
    return found


def cells(*values: Any, type_: str = "text") -> list[str]:
    """One row of these values, as a CSV reader gives it back."""
    line = Table([{"name": "c", "type": type_}] * len(values)).lines(json.dumps(list(values)).encode())
    (row,) = csv.reader(io.StringIO(line.decode(), newline=""))
    return row


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\tx", "\rx", '=HYPERLINK("http://x","y")'),
        *(
            "  =1",
            '"=1',
            "'=1",
            "\n=1",
            "\u00a0=1",
            "\ufeff=1",
            "\u200b=1",
            " '\"@x",
            "\uff1d1",
            "\uff0d1",
            "\uff20x",
            "\uff0b1",
        ),
    ],
)
def test_what_could_be_a_formula_is_defused_and_can_be_had_back(text: str) -> None:
    """A `'` goes before it, and taking it away again gives the text (S12)."""
    assert cells(text) == [f"'{text}"]


@pytest.mark.parametrize("text", ["", "a=1", "plain", "it's", " a", "'", '"', "1-2", "é", "a\tb", "10%", "'a", "#=1"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    """Also those with formula characters further inside."""
    assert cells(text) == [text]


def test_numbers_are_no_formulas() -> None:
    """Negative ones neither, as numbers or as texts of a numeric column; anything else there is defused as ever."""
    assert cells(-1, -2.5, 0, 10**30) == ["-1", "-2.5", "0", str(10**30)]
    assert cells("-12.50", "-1e-7", "-1+1", type_="numeric") == ["-12.50", "-1e-7", "'-1+1"]
    assert cells("-12.50") == ["'-12.50"]


def test_everything_is_quoted_and_null_is_nothing() -> None:
    """NULL, an empty text, booleans and quotes can be told apart (RFC 4180, PostgreSQL's NULL)."""
    row = json.dumps([None, "", True, False, 'say "x"', "two\nlines, and a comma", 7]).encode()
    assert Table(TEXT * 7).lines(row) == b',"","true","false","say ""x""","two\nlines, and a comma","7"\r\n'
    assert header([{"name": "=cmd", "type": ""}, {"name": 'a"b', "type": ""}]) == b'"\'=cmd","a""b"\r\n'


def test_a_row_with_a_surrogate_or_too_many_cells_is_written() -> None:
    """Nothing that JSON can say stops a download."""
    assert Table(TEXT).lines(rb'["\ud800", [1], {"a": null}]') == b'"?","[1]","{""a"": null}"\r\n'


@given(st.lists(st.lists(st.one_of(st.none(), st.text()), min_size=2, max_size=2), min_size=1, max_size=5))
def test_any_text_comes_back(rows: list[list[str | None]]) -> None:
    """Whatever a database holds: read as CSV and with the guards taken away, it is the same."""
    block = "\n".join(json.dumps(row) for row in rows).encode()
    read = csv.reader(io.StringIO(Table(TEXT * 2).lines(block).decode(), newline=""), strict=True)
    for row, found in zip(rows, read, strict=True):
        for cell, text in zip(row, found, strict=True):
            plain = (cell or "").encode(errors="replace").decode()
            assert text in {plain, f"'{plain}"}
            assert not text.lstrip(' "').startswith(("=", "+", "-", "@", "\t", "\r")) or text.startswith("'")


async def pieces(data: bytes, size: int) -> AsyncGenerator[bytes]:
    """The data, so many bytes at a time."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize(("start", "count"), [(0, 3), (2, 2), (9, 5), (10, 1), (50, 1), (0, 100)])
async def test_a_page_is_the_same_however_the_file_comes(size: int, end: bytes, start: int, count: int) -> None:
    """Lines are cut anywhere; the last one may have no end."""
    rows = [[number, f"row {number}"] for number in range(10)]
    data = b"\n".join(json.dumps(row).encode() for row in rows) + end
    assert await page_of(pieces(data, size), start, count) == rows[start : start + count]


async def test_a_page_stops_reading_behind_its_last_row() -> None:
    """What follows is never asked for."""
    asked = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"[1]\n[2]\n"

    assert await page_of(endless(), 3, 2) == [[2], [1]]
    assert asked == 3


async def test_a_page_and_a_line_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of long rows is refused, a line without an end is damage, as is one that is no row."""
    monkeypatch.setattr(results_rows, "PAGE_BYTES", 100)
    monkeypatch.setattr(results_rows, "ROW_BYTES", 100)
    with pytest.raises(PageTooLarge):
        await page_of(pieces(b'["' + b"x" * 60 + b'"]\n["' + b"x" * 60 + b'"]\n', 64), 0, 2)
    with pytest.raises(ResultDamaged):
        await page_of(pieces(b"x" * 1000, 64), 0, 2)
    for line in (b"{}", b"[1", b"[" * 5000):
        monkeypatch.undo()
        with pytest.raises(ResultDamaged):
            await page_of(pieces(line, 64), 0, 1)


def test_a_failure_tells_the_same_as_an_output() -> None:
    """`SQL_FAILED` and `sql` are one kind; a failure that is only a word tells of no results."""
    value = {
        "kind": "sql",
        "records": [],
        "results": [{"index": 2, "rows": 1, "columns": [], "file": reference("a/2")}],
    }
    problem = Problem(kind="SQL_FAILED", message="no", detail={**value, "kind": "SQL_FAILED"})
    for found in (told(value), told(None, problem), told(None, problem.model_copy(update={"detail": value}))):
        assert found.kind == "sql"
        assert [one.index for one in found.sets()] == [2]
    assert told(None, Problem(kind="X", message="x", detail={"kind": "X", "sync": {"failed": 1}})).kind == "sync"
    own = {"kind": "OWN_FAILED", "report": reference("report.html")}
    assert told(None, Problem(kind="OWN_FAILED", message="x", detail=own)).kind == "own"
    assert told({"sync": {"synced": 1}}).kind == "sync"
    assert told({"kind": "mock", "written": 3}).summary() == {"written": 3}
    nothing: Any
    for nothing in (None, 5, [], {"n": 1}, {"kind": 7}, {"kind": ""}):
        assert carried(subtask(), nothing) is None
    assert (
        carried(subtask(Problem(kind="EXIT_CODE", message="3", detail=None)), {"kind": "X_FAILED", "code": 3}) is None
    )


def test_files_are_found_anywhere_and_named_apart() -> None:
    """Every reference is a file; where one stood, the summary has its name."""
    value = {
        "kind": "own",
        "report": reference("1-1-1-1/report.html", "a" * 64),
        "parts": [{"file": reference("1-1-1-1/x/report.html", "b" * 64)}, {"n": 1}],
        "half": {"object": "x", "bytes": 3},
    }
    found = told(value)
    assert [file.name for file in found.files] == ["report.html", "2-report.html"]
    assert found.summary() == {
        "report": "report.html",
        "parts": [{"file": "2-report.html"}, {"n": 1}],
        "half": {"object": "x", "bytes": 3},
    }
    assert files_of(None) == files_of("x") == []


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        *(("1-2-3-4/1.jsonl", "1.jsonl"), ("a/../..", "file"), ("../../etc/passwd", "passwd"), (".ssh", "ssh")),
        *(('x";\r\nSet-Cookie: a', "x_Set-Cookie_a"), ("日本.csv", "_.csv"), ("", "file"), ("x" * 300, "x" * 120)),
    ],
)
def test_names_are_safe(name: str, safe: str) -> None:
    """In a header, in a zip and on a disk (B22)."""
    assert safe_name(name) == safe


def test_result_sets_that_do_not_fit_are_left_out() -> None:
    """What an operation of somebody's own writes under the same names does no harm."""
    fits = {"index": 1, "file": reference("1")}
    wrong: list[Any] = [None, 5, {}, {"index": "1"}, {"index": True, "file": reference("2")}, {"index": 2, "file": "x"}]
    (one,) = told({"kind": "sql", "results": [*wrong, fits]}).sets()
    assert (one.index, one.rows, one.columns, one.truncated) == (1, 0, [], False)
    assert told({"kind": "sql", "results": "none"}).sets() == []
