"""`opsledger type …`: the command line hands an order to another process, whose answers and exit codes are its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from opsledger.cli.app import run
from opsledger.cli.look import console
from opsledger.cli.type import bench
from opsledger.workbench.__main__ import main
from tests.support.up import environment, program


@pytest.fixture(autouse=True)
def fresh_consoles() -> None:
    """Each test's streams are its own."""
    console.out.cache_clear()
    console.err.cache_clear()


def order(word: str, **settings: Any) -> int:
    """Carry out what the command line would order, in this process."""
    return main(*bench.command(word, **settings)[-2:])


def shell(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one command line in a folder of its own, both processes of it."""
    return subprocess.run(
        [program(), "type", *words],
        cwd=cwd,
        env=environment(XDG_DATA_HOME=str(cwd)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_list_tells_what_is_here_and_that_no_server_was_asked(tmp_path: Path) -> None:
    """Without a server the list is still useful."""
    ran = shell("list", "-o", "json", cwd=tmp_path)
    found = json.loads(ran.stdout)

    rows = {row["name"]: row for row in found["contents"]}
    assert (rows["noop"]["installed"], rows["noop"]["offered"], rows["noop"]["package"]) == (1, None, "opsledger")
    assert rows["host.inspect"]["kind"] == "task type"
    assert not found["server"]
    assert "no server was asked" in ran.stderr


def test_run_tells_a_task_as_it_goes_and_takes_it_back(tmp_path: Path) -> None:
    """The file is written, a failure is made, the undo removes it: in one command, without a server."""
    params = tmp_path / "params.json"
    params.write_text(json.dumps({"path": "note", "content": "hello"}))
    files = tmp_path / "files"

    ran = shell("run", "file.write", "--local", "-f", str(params), "--rollback", "--files", str(files), cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    told = ran.stdout.splitlines()
    assert [line for line in told if line.startswith("write ")][:2] == [
        "write started",
        f"write | Wrote {files}/note, 5 bytes",
    ]
    assert "the task is rolled back" in told
    assert f"files in {files} are as they were before" in told
    assert not (files / "note").exists()


def test_plan_shows_the_graph(capsys: pytest.CaptureFixture[str]) -> None:
    """As a table for people; parameters are typed by the schema."""
    assert order("plan", name="host.inspect", param=["report=x.md"]) == 0

    told = capsys.readouterr().out
    assert "findings" in told
    assert "10 steps, at most 10 at a time" in told


def test_plan_as_json_is_what_would_be_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    """With every default filled in."""
    assert order("plan", name="wait", param=["seconds=5"], json_output=True) == 0

    [step] = json.loads(capsys.readouterr().out)["subtasks"]
    assert (step["key"], step["params"], step["wave"], step["pool"]) == ("wait", {"seconds": 5}, 1, "default")


def test_run_as_json_keeps_stdout_for_the_answer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Programs read stdout, people stderr; a crash is taken over."""
    params = {"value": 5}
    assert order("run", name="noop", params=params, crash_at=["noop:after"], files=tmp_path, json_output=True) == 0

    streams = capsys.readouterr()
    found = json.loads(streams.out)
    assert (found["state"], found["subtasks"][0]["runTime"]) == ("SUCCESSFUL", 2)
    assert "noop lost" in streams.err


def test_a_failed_task_is_a_failed_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit code 1, and the cause is told."""
    assert order("run", name="command.run", params={"argv": ["false"]}, files=tmp_path) == 1

    told = capsys.readouterr().out
    assert "the task is failed" in told
    assert "exit" in told


@pytest.mark.parametrize(
    ("word", "settings", "code", "told"),
    [
        ("plan", {"name": "wait"}, 1, "parameters of wait do not fit: seconds"),
        ("plan", {"name": "acme.nothing"}, 2, "nothing installed here is called acme.nothing"),
        ("plan", {"name": "wait", "param": ["seconds=soon"]}, 2, "soon is not JSON"),
        ("lint", {"name": "acme.nothing"}, 2, "no entry point and no module"),
        ("run", {"name": "noop", "fail_at": ["nope"]}, 2, "the plan has no step 'nope'"),
        ("run", {"name": "noop", "secrets": "/nowhere"}, 2, "--secrets: /nowhere cannot be used"),
    ],
)
def test_a_wrong_word_is_answered_in_one_sentence(
    capsys: pytest.CaptureFixture[str], word: str, settings: dict[str, Any], code: int, told: str
) -> None:
    """On stderr, with the exit codes of every other command."""
    assert order(word, **settings) == code
    assert told in capsys.readouterr().err


def test_lint_tells_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """Errors fail; warnings fail when asked to be strict; a rule can be left out."""
    assert order("lint", name="noop") == 0
    assert order("lint", name="noop", strict=True) == 1
    assert order("lint", name="noop", strict=True, ignore=["no-undo", "runs-twice", "name-form"]) == 0
    assert order("lint", name="tests.unit.kit.wares") == 1

    told = capsys.readouterr().out
    assert "blocks: all other attempts stand still meanwhile: await ctx.run([…])" in told


def test_nothing_runs_without_saying_local(capsys: pytest.CaptureFixture[str]) -> None:
    """The word says that the effects happen here."""
    assert run(["type", "run", "noop"]) == 2
    assert "opsledger task create noop" in capsys.readouterr().err
