"""`opsledger task logs`: lines that are asked for, lines as they come, and a log as a file."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from opsledger.cli.rest import tasks
from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import TASKS, StandIn, step, task

LOG = f"{TASKS}/7/subtasks"


def line(number: int, text: str, *, run: str = "1-1", level: str = "INFO") -> dict[str, Any]:
    """A line as the API shows it."""
    return {"cursor": f"9.{number}", "at": "t", "level": level, "text": text, "run": run, "phase": "execute"}


def page(*lines: dict[str, Any], more: bool = False) -> dict[str, Any]:
    """A page of lines."""
    return {"lines": [*lines], "cursor": lines[-1]["cursor"] if lines else "9.9", "more": more}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Following looks again at once."""
    monkeypatch.setattr(tasks, "POLL_SECONDS", 0.01)


def test_filters_become_query_parameters(api: StandIn, cli: Cli) -> None:
    """Level, text, run and tail of one step; another run of it is headed."""
    api.pictures = [task("FAILED", step(1, "a", "FAILED"))]
    api.answers[f"{LOG}/70001/log"] = page(line(1, "disk full", level="WARN"), line(2, "still full", run="2-2"))
    ran = cli("task", "logs", "7", "a", "--level", "alert", "--find", "full", "--tail", "5", "--attempt", "2")
    assert ran.out == "t WARN disk full\n#### run 2-2 ####\nt INFO still full\n"
    assert api.asked[-1][2] == {"level": ["alert"], "find": ["full"], "attempt": ["2"], "tail": ["5"]}


def test_following_goes_on_from_the_cursor(api: StandIn, cli: Cli) -> None:
    """Every line once, also of a log of several pages, until the task has ended."""
    running, ended = task("RUNNING", step(1, "a", "RUNNING")), task("SUCCESSFUL", step(1, "a", "SUCCESSFUL"))
    api.pictures = [running, running, ended]
    pages = {None: page(line(1, "one"), more=True), "9.1": page(line(2, "two")), "9.2": page(line(3, "three"))}
    api.answers[f"{LOG}/70001/log"] = lambda query: pages.get(query.get("after", [None])[0], page())
    ran = cli("task", "logs", "7", "--follow")
    assert (ran.code, ran.out) == (0, "t INFO one\nt INFO two\nt INFO three\n")


def test_the_log_after_a_command_begins_with_it(api: StandIn, cli: Cli) -> None:
    """--log leaves out what earlier runs wrote."""
    before = step(1, "a", "READY", "RETRY", generation=2, attempt=1)
    api.answers[f"POST {TASKS}/7/retry"] = task("RUNNING", before)
    api.pictures = [task("SUCCESSFUL", step(1, "a", "SUCCESSFUL", generation=2, attempt=2))]
    api.answers[f"{LOG}/70001/log"] = page(line(1, "old"), line(2, "new", run="2-2"))
    ran = cli("task", "retry", "7", "--log")
    assert ran.code == 0
    assert "new" in ran.out
    assert "old" not in ran.out


def test_a_whole_log_becomes_a_file(api: StandIn, cli: Cli, tmp_path: Path) -> None:
    """The only step needs no name; a name that ends in .gz is asked for packed; stderr says what was written."""
    api.pictures = [task("FAILED", step(1, "a", "FAILED"))]
    api.answers[f"GET {LOG}/70001/log/download"] = (200, b"all of it\n")
    ran = cli("task", "logs", "7", "--download", str(tmp_path / "a.log"))
    assert (ran.code, ran.out) == (0, "")
    assert (tmp_path / "a.log").read_text() == "all of it\n"
    assert "10 bytes, what a of task 7 printed" in ran.err
    api.answers[f"GET {LOG}/70001/log/download"] = (200, gzip.compress(b"all of it\n"))
    assert cli("task", "logs", "7", "a", "--download", str(tmp_path / "a.log.gz")).code == 0
    assert gzip.decompress((tmp_path / "a.log.gz").read_bytes()) == b"all of it\n"
    assert api.asked[-1][2] == {"gzip": ["true"]}
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.log", "a.log.gz"]


def test_a_log_that_cannot_be_had_leaves_no_file(api: StandIn, cli: Cli, tmp_path: Path) -> None:
    """Nor does a folder that is not there."""
    api.pictures = [task("FAILED", step(1, "a", "FAILED"))]
    assert cli("task", "logs", "7", "--download", str(tmp_path / "a.log")).code == 1
    ran = cli("task", "logs", "7", "--download", str(tmp_path / "none" / "a.log"))
    assert (ran.code, "cannot write" in ran.err) == (1, True)
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--download", "x", "-f"), "without --follow"),
        (("--download", "x"), "name a, b"),
        (("c",), "its steps are: a, b"),
    ],
)
def test_a_wrong_command_line_ends_with_2(api: StandIn, cli: Cli, words: tuple[str, ...], complaint: str) -> None:
    """The error says what there is."""
    api.pictures = [task("FAILED", step(1, "a", "SUCCESSFUL"), step(2, "b", "FAILED"))]
    ran = cli("task", "logs", "7", *words)
    assert ran.code == 2
    assert complaint in ran.err
