"""Secrets and connections on the command line: values never on it, options as a body, and asking before removing."""

import io
import json

import pytest

from tests.unit.cli import terminal
from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import StandIn, at

SECRETS, CONNECTIONS = "/api/v2/secrets", "/api/v2/connections"
SECRET = {"name": "crm/password", "teams": ["dba"], "changed_at": at(0), "changed_by": "task 7/1"}
CRM = {"name": "crm", "url": "postgresql://crm@db/crm", "secrets": {"password": "kv:crm/password"}, "options": {}}


def test_a_value_comes_from_stdin(api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, lines included, but one newline at the end; and no word of the command line can be it."""
    api.answers[f"PUT {SECRETS}/crm/password"] = (201, SECRET)
    monkeypatch.setattr("sys.stdin", io.StringIO("-----BEGIN-----\nabc\n"))
    ran = cli("secret", "set", "crm/password", "--team", "dba")
    assert (ran.code, ran.out) == (0, "")
    assert "operations name it as kv:crm/password" in ran.err
    assert api.sent("PUT")[0][2] == {"value": "-----BEGIN-----\nabc", "teams": ["dba"]}
    assert cli("secret", "set", "crm/password", "hunter2").code == 2
    assert len(api.sent("PUT")) == 1


def test_nothing_on_stdin_sets_nothing(api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, and how to go on."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    ran = cli("secret", "set", "crm")
    assert (ran.code, "opsledger secret set crm < FILE" in ran.err) == (2, True)
    assert not api.asked


def test_a_terminal_asks_twice_without_echo(api: StandIn) -> None:
    """What is typed is not shown; two that differ change nothing."""
    api.answers[f"PUT {SECRETS}/crm"] = (201, SECRET)
    words, first, second = ["secret", "set", "crm"], "value of crm: ", "the same again: "
    ran = terminal.run(words, answers=[(first, "horse-battery"), (second, "horse-battery")], OPSLEDGER_URL=api.url)
    assert ran.code == 0
    assert "horse" not in ran.text
    ran = terminal.run(words, answers=[(first, "horse-battery"), (second, "horse-batery")], OPSLEDGER_URL=api.url)
    assert (ran.code, "the two differ; nothing was changed" in ran.text) == (2, True)
    assert len(api.sent("PUT")) == 1


def test_secrets_are_listed_and_removed(api: StandIn, cli: Cli) -> None:
    """A table of what is known of them; removing needs a yes."""
    api.answers[SECRETS] = {"contents": [SECRET]}
    api.answers[f"DELETE {SECRETS}/crm/password"] = {}
    heading, row = cli("secret", "list").out.splitlines()
    assert heading.split() == ["name", "teams", "changed", "by"]
    assert row.split()[:2] == ["crm/password", "dba"]
    assert row.endswith("task 7/1")
    assert json.loads(cli("secret", "list", "-o", "json").out) == [SECRET]
    assert cli("secret", "remove", "crm/password").code == 2
    assert not api.sent("DELETE")
    assert "the secret crm/password is removed" in cli("secret", "remove", "crm/password", "--yes").err


def test_a_connection_is_defined_listed_and_removed(api: StandIn, cli: Cli) -> None:
    """Secrets as references, options as texts; the list shows references, which are no secrets."""
    api.answers |= {f"PUT {CONNECTIONS}/crm": (201, CRM), f"DELETE {CONNECTIONS}/crm": {}}
    api.answers[CONNECTIONS] = {"contents": [CRM]}
    words = ("connection", "add", "crm", CRM["url"], "--secret", "password=kv:crm/password")
    more = ("--option", "sslmode=require", "--option", "application_name=a=b", "--team", "dba", "--description", "CRM")
    ran = cli(*words, *more)
    assert (ran.code, "crm is a connection" in ran.err) == (0, True), ran
    assert api.sent("PUT")[0][2] == {
        "url": CRM["url"],
        "secrets": {"password": "kv:crm/password"},
        "options": {"sslmode": "require", "application_name": "a=b"},
        "teams": ["dba"],
        "description": "CRM",
    }
    assert cli("connection", "list").out.splitlines()[1].split() == [
        "crm", "postgresql://crm@db/crm", "password=kv:crm/password", "all",
    ]  # fmt: skip
    assert json.loads(cli("connection", "list", "-o", "jsonl").out) == CRM
    assert cli("connection", "remove", "crm").code == 2
    assert "the connection crm is removed" in cli("connection", "remove", "crm", "--yes").err


def test_a_pair_that_is_none_is_not_repeated(api: StandIn, cli: Cli) -> None:
    """It may be a password that somebody typed in the wrong place."""
    ran = cli("connection", "add", "crm", "file:///srv", "--secret", "hunter2")
    assert (ran.code, "--secret: give a name, = and a value" in ran.err) == (2, True)
    assert "hunter2" not in ran.err
    assert not api.asked
