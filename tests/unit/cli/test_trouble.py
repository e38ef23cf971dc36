"""Errors say what is wrong and what to do; help tells the exit codes; nothing drawn reaches a pipe."""

from typing import Any

import pytest

from tests.unit.cli import terminal
from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import TASKS, StandIn, step, task

Error = tuple[int, dict[str, Any]]


@pytest.mark.parametrize(
    ("error", "said", "next_step"),
    [
        ((401, {"code": 3000, "message": "Log in."}), "Log in.", "OPSLEDGER_TOKEN"),
        ((403, {"code": 3100, "message": "No permission to audit."}), "No permission to audit.", "opsledger whoami"),
        ((429, {"code": 0, "message": "Too many at once."}), "Too many at once.", "wait 1 s"),
        ((503, {"code": 1006, "message": "No view.", "target": {"effect": "none"}}), "No view.", "/health/ready"),
        ((404, {"code": 1002, "message": "Nothing here."}), "Nothing here.", "older than this command line"),
    ],
)
def test_each_trouble_has_a_next_step(
    api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch, error: Error, said: str, next_step: str
) -> None:
    """The API's own sentence, then what to do; exit code 1."""
    monkeypatch.setattr("opsledger.cli.rest.client.TRIES", 1)
    api.failures, api.headers = [error], {"Retry-After": "1"}
    ran = cli("task", "list")
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert next_step in ran.err


def test_a_credential_that_is_refused_is_not_asked_for_again(
    api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who showed one is told that it is the wrong one."""
    monkeypatch.setenv("OPSLEDGER_TOKEN", "t0ken")
    api.failures = [(401, {"code": 3000, "message": "Log in."})]
    assert "refused the credential: it is wrong, expired or revoked" in cli("task", "list").err


@pytest.mark.parametrize("words", [(), ("task", "retry"), ("task", "create")])
def test_help_tells_the_exit_codes(cli: Cli, words: tuple[str, ...]) -> None:
    """On every page."""
    assert "124 wait timed out" in " ".join(cli(*words, "--help").out.split())


@pytest.mark.parametrize("columns", [80, 120])
def test_a_narrow_terminal_cuts_and_does_not_break(api: StandIn, columns: int) -> None:
    """No line is wider than the terminal, and the state is always whole."""
    rows = [task("FAILED", step(1, "a", "FAILED"), id=n, name="A rather long name of a task " * 3) for n in range(3)]
    api.answers[TASKS] = {"contents": rows}
    shown = terminal.run(["task", "list"], columns=columns, OPSLEDGER_URL=api.url)
    assert shown.code == 0
    assert "\x1b[" in shown.raw
    assert all(len(line) <= columns for line in shown.text.splitlines())
    assert shown.text.count("✖ failed") == 3


def test_no_color_is_obeyed(api: StandIn) -> None:
    """Words and marks stay, colours go."""
    api.answers[TASKS] = {"contents": [task("FAILED")]}
    shown = terminal.run(["task", "list"], OPSLEDGER_URL=api.url, NO_COLOR="1")
    assert "✖ failed" in shown.text
    assert not [code for code in ("\x1b[31m", "\x1b[32m", "\x1b[36m") if code in shown.raw]
