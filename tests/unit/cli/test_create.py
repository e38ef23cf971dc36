"""`opsledger task create`: what is sent, what is printed, and which exit code tells the outcome."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import StandIn, step, task

SCHEMA = {
    "properties": {
        "host": {"type": "string"},
        "version": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "depth": {"type": "integer"},
        "mode": {"$ref": "#/$defs/Mode"},
    },
    "$defs": {"Mode": {"enum": ["fast", "deep"], "type": "string"}},
}


def sent(api: StandIn) -> Any:
    """The body of the one POST."""
    [body] = [body for method, _, _, body, _ in api.asked if method == "POST"]
    return body


def test_prints_only_the_id(api: StandIn, cli: Cli) -> None:
    """Stdout is the id and nothing else, so that it can be piped on."""
    api.pictures = [task("RUNNING")]
    ran = cli("task", "create", "host.inspect")
    assert (ran.code, ran.out, ran.err) == (0, "7\n", "")
    assert sent(api) == {"type": "host.inspect", "params": {}}


def test_parameters_have_the_types_of_the_schema(api: StandIn, cli: Cli) -> None:
    """A word stays a word where the type takes strings; elsewhere, and after :=, it is JSON."""
    api.pictures = [task("RUNNING")]
    api.answers["/api/v2/task-types/host.inspect"] = {"name": "host.inspect", "params_schema": SCHEMA}
    words = ["host=db-17", "version=1.10", "depth=3", "mode=deep", "other=5", "tags:=[1,2]"]
    ran = cli("task", "create", "host.inspect", *(part for word in words for part in ("--param", word)))
    assert ran.code == 0, ran.err
    assert sent(api)["params"] == {
        "host": "db-17",
        "version": "1.10",
        "depth": 3,
        "mode": "deep",
        "other": "5",
        "tags": [1, 2],
    }


def test_a_request_names_its_standing_task(api: StandIn, cli: Cli) -> None:
    """`--parent` says whose request it is."""
    api.pictures = [task("RUNNING")]
    ran = cli("task", "create", "object.sync.sweep", "--parent", "4")
    assert ran.code == 0, ran.err
    assert sent(api) == {"type": "object.sync.sweep", "params": {}, "parent": 4}


def test_everything_about_the_task_is_sent(api: StandIn, cli: Cli, tmp_path: Path) -> None:
    """Name, object, labels, parameters from a file, and the idempotency key."""
    api.pictures = [task("RUNNING")]
    (tmp_path / "p.json").write_text('{"a": 1, "b": 2}')
    ran = cli(
        *("task", "create", "t", "--params", f"@{tmp_path / 'p.json'}", "-p", "b=3", "--name", "N"),
        *("--object", "table/9/shop/orders", "--label", "team=dba", "--label", "x=y=z", "--key", "once"),
    )
    assert ran.code == 0, ran.err
    assert sent(api) == {
        "type": "t",
        "params": {"a": 1, "b": "3"},
        "name": "N",
        "object": {"kind": "table", "id": "9", "name": "shop/orders"},
        "labels": {"team": "dba", "x": "y=z"},
    }
    assert api.asked[-1][4]["Idempotency-Key"] == "once"


def test_a_plan_comes_from_a_file_or_stdin(
    api: StandIn, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--plan FILE` and `--plan -` send the same."""
    plan = {"subtasks": [{"key": "a", "operation": "noop", "params": {}}]}
    api.pictures = [task("RUNNING")]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert cli("task", "create", "--plan", str(tmp_path / "plan.json")).code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(plan)))
    assert cli("task", "create", "--plan", "-").code == 0
    assert [body for *_, body, _ in api.asked] == [{"plan": plan}, {"plan": plan}]


def test_an_id_comes_with_json_too(api: StandIn, cli: Cli) -> None:
    """-o json prints the task instead of the id."""
    api.pictures = [task("RUNNING")]
    assert json.loads(cli("task", "create", "t", "-o", "json").out)["id"] == 7


@pytest.mark.parametrize(
    ("ended", "code", "word"),
    [
        (task("SUCCESSFUL", step(1, "a", "SUCCESSFUL")), 0, "successful"),
        (task("FAILED", step(1, "a", "FAILED", error={"kind": "EXIT", "message": "code 3"})), 1, "failed"),
        (task("CANCELLED", step(1, "a", "FAILED", "CANCEL")), 3, "cancelled"),
        (task("SUCCESSFUL", step(1, "a", "PENDING", "ROLLBACK"), direction="BACKWARD"), 4, "rolled back"),
    ],
    ids=["done", "failed", "cancelled", "rolled back"],
)
def test_the_exit_code_tells_the_outcome(api: StandIn, cli: Cli, ended: dict[str, Any], code: int, word: str) -> None:
    """--wait watches on stderr, keeps stdout to the id, and ends as the task ended, in words too."""
    api.pictures = [task("READY"), task("RUNNING", step(1, "a", "RUNNING")), ended]
    ran = cli("task", "create", "t", "--wait")
    assert (ran.code, ran.out) == (code, "7\n")
    assert word in ran.err.splitlines()[-1]
    if code == 1:
        assert "a  failed  2.5 s  EXIT: code 3" in ran.err


def test_a_wait_that_is_too_long_ends_with_124(api: StandIn, cli: Cli) -> None:
    """The task goes on, and the way back to it is told."""
    api.pictures = [task("RUNNING", step(1, "a", "RUNNING"))]
    ran = cli("task", "create", "t", "--wait", "--timeout", "0.1")
    assert (ran.code, ran.out) == (124, "7\n")
    assert "task 7 has not ended after 0.1 s; it goes on" in ran.err
    assert "opsledger task watch 7" in ran.err


def test_a_lost_answer_is_asked_for_again_under_the_same_key(api: StandIn, cli: Cli) -> None:
    """503 leaves open whether the task exists; the same key cannot make a second one."""
    api.pictures = [task("RUNNING")]
    api.failures = [(503, {"code": 1, "message": "the log cannot be reached"})]
    assert cli("task", "create", "t").out == "7\n"
    first, second = (headers["Idempotency-Key"] for *_, headers in api.asked)
    assert first == second


def test_a_refusal_is_told_in_the_servers_words(api: StandIn, cli: Cli) -> None:
    """The message, the fields complained about, what is allowed, and exit code 1."""
    faults = [{"field": "params.depth", "message": "3.5 is not an integer"}]
    api.failures = [(422, {"code": 1001, "message": "The parameters are wrong.", "subErrors": faults})]
    ran = cli("task", "create", "t")
    assert (ran.code, ran.out) == (1, "")
    assert "The parameters are wrong." in ran.err
    assert "params.depth: 3.5 is not an integer" in ran.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "either a task type or --plan"),
        (("t", "--plan", "x"), "either a task type or --plan"),
        (("t", "--timeout", "3"), "--timeout limits --wait"),
        (("t", "--label", "x"), "--label x: not of the form key=value"),
        (("t", "--object", "host"), "not of the form kind/id/name"),
        (("t", "--params", "{"), "--params: the text given is not JSON"),
        (("t", "--params", "[1]"), "is not a JSON object"),
        (("--plan", "missing.json"), "cannot read missing.json"),
        (("t", "--param", "a:=x"), "x is not JSON"),
        (("t", "--nonsense"), "--nonsense"),
    ],
)
def test_a_wrong_command_line_ends_with_2(api: StandIn, cli: Cli, words: tuple[str, ...], complaint: str) -> None:
    """Nothing is created, and the error names the flag."""
    ran = cli("task", "create", *words)
    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err
    assert not [method for method, *_ in api.asked if method == "POST"]
