"""Tokens, users and whoami: secrets shown once, passwords never on the command line."""

import io
import json
from pathlib import Path

import pytest

from opsledger.cli.data_dir import DataDir
from tests.unit.cli import terminal
from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import StandIn, at

TOKENS, USERS = "/api/v2/tokens", "/api/v2/users"
TOKEN = {"id": "48a7", "name": "ci", "role": "TASK_VIEWER", "created_at": at(0), "created_by": "admin"}


def test_a_token_is_alone_on_stdout(api: StandIn, cli: Cli) -> None:
    """So that a shell can keep it; stderr says that it is shown once and how to revoke it."""
    api.answers[f"POST {TOKENS}"] = (201, {**TOKEN, "token": "ol_48a7_secret"})
    ran = cli("token", "create", "ci")
    assert (ran.code, ran.out) == (0, "ol_48a7_secret\n")
    assert "shown once" in ran.err
    assert "opsledger token revoke 48a7" in ran.err
    assert "secret" not in ran.err
    assert api.sent("POST")[0][2] == {"name": "ci", "role": "TASK_VIEWER", "key_pair": False}


def test_a_token_with_everything(api: StandIn, cli: Cli) -> None:
    """Role, expiry, teams and a key pair; json has all of the answer."""
    made = {**TOKEN, "token": "t", "access_key": "a", "secret_key": "s"}
    api.answers[f"POST {TOKENS}"] = (201, made)
    words = ("token", "create", "ci", "--role", "task_manager", "--days", "30", "--team", "dba", "--key-pair")
    assert cli(*words).out.splitlines() == ["t", "access_key a", "secret_key s"]
    assert json.loads(cli(*words, "-o", "json").out) == made
    body = api.sent("POST")[0][2]
    assert (body["role"], body["teams"], body["key_pair"]) == ("TASK_MANAGER", ["dba"], True)
    assert body["expires_at"].endswith("+00:00")
    assert cli("token", "create", "ci", "--days", "0").code == 2


def test_a_token_is_not_made_twice_by_accident(api: StandIn, cli: Cli) -> None:
    """A create carries no key, so it is sent once even when the answer is lost."""
    api.failures = [(503, {"code": 1006, "message": "No answer.", "target": {"effect": "unknown"}})]
    assert cli("token", "create", "ci").code == 1
    assert len(api.sent("POST")) == 1


def test_tokens_are_listed_and_revoked(api: StandIn, cli: Cli) -> None:
    """A table with what has expired marked; revoking says what was revoked."""
    old = {**TOKEN, "id": "9", "expires_at": at(-10_000_000), "teams": ["dba", "web"]}
    api.answers[TOKENS] = {"contents": [TOKEN, old]}
    heading, first, second = cli("token", "list").out.splitlines()
    assert heading.split() == ["id", "name", "role", "teams", "expires", "made", "by"]
    assert "never" in first
    assert "dba, web" in second
    assert "expired" in second
    assert len(json.loads(cli("token", "list", "-o", "json").out)) == 2
    api.answers[f"DELETE {TOKENS}/48a7"] = {}
    assert "token 48a7 is revoked" in cli("token", "revoke", "48a7").err


def test_a_narrow_terminal_cuts_no_token_id(api: StandIn) -> None:
    """An id that is cut could not be revoked."""
    long = {**TOKEN, "id": "48a70546c790", "role": "TASK_OPERATOR", "teams": ["dba"], "expires_at": at(9e8)}
    api.answers[TOKENS] = {"contents": [long]}
    shown = terminal.run(["token", "list"], columns=80, OPSLEDGER_URL=api.url)
    assert "48a70546c790   ci     TASK_OPERATOR" in shown.text
    assert "…" not in shown.text


def test_a_password_comes_from_stdin(api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of it, never an argument; what is missing is said."""
    api.answers[f"POST {USERS}"] = (201, {"name": "ann", "role": "TASK_OPERATOR"})
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    words = ("user", "add", "ann", "--role", "task_operator", "--team", "dba", "--password-stdin")
    ran = cli(*words)
    assert (ran.code, ran.out) == (0, "")
    assert "ann is a user with the role TASK_OPERATOR" in ran.err
    sent = {"name": "ann", "password": "correct horse battery", "role": "TASK_OPERATOR", "teams": ["dba"]}
    assert api.sent("POST")[0][2] == sent
    assert cli(*words).code == 2


def test_a_password_is_not_taken_from_a_pipe_by_accident(api: StandIn, cli: Cli) -> None:
    """Without a terminal and without --password-stdin: exit code 2, and how."""
    ran = cli("user", "add", "ann", "--role", "ADMIN")
    assert ran.code == 2
    assert "--password-stdin" in ran.err
    assert not api.asked


def test_a_password_is_asked_for_twice_without_echo(api: StandIn) -> None:
    """What is typed is not shown; two that differ change nothing."""
    api.answers[f"POST {USERS}"] = (201, {"name": "ann"})
    words = ["user", "add", "ann", "--role", "ADMIN"]
    same = [("new password of ann: ", "horse-battery"), ("the same again: ", "horse-battery")]
    ran = terminal.run(words, answers=same, OPSLEDGER_URL=api.url)
    assert ran.code == 0
    assert "horse" not in ran.text
    differ = [("new password of ann: ", "horse-battery"), ("the same again: ", "horse-batery")]
    ran = terminal.run(words, answers=differ, OPSLEDGER_URL=api.url)
    assert (ran.code, "the two differ; nothing was changed" in ran.text) == (2, True)
    assert len(api.sent("POST")) == 1


def test_ones_own_password_takes_the_present_one(api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The present one first, then the new one; somebody else's needs the new one alone."""
    api.answers |= {"/api/v2/me": {"name": "ann"}, f"POST {USERS}/ann/password": {}, f"POST {USERS}/bob/password": {}}
    monkeypatch.setattr("sys.stdin", io.StringIO("before before\nafter after after\n"))
    assert cli("user", "password", "--password-stdin").code == 0
    assert api.sent("POST")[0][2] == {"password": "after after after", "old": "before before"}
    monkeypatch.setattr("sys.stdin", io.StringIO("new for bob now\n"))
    assert cli("user", "password", "bob", "--password-stdin").code == 0
    assert api.sent("POST")[1][2] == {"password": "new for bob now"}


def test_the_kept_password_follows_a_change(
    api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Admin of this machine's own system: the old one is known, and the next start must know the new one."""
    home = DataDir(tmp_path / "dir")
    home.prepare()
    home.write_runtime({"api_url": api.url})
    home.keep_password("the kept one")
    monkeypatch.delenv("OPSLEDGER_URL")
    api.answers |= {"/api/v2/me": {"name": "admin"}, f"POST {USERS}/admin/password": {}}
    monkeypatch.setattr("sys.stdin", io.StringIO("a new long one\n"))
    assert cli("user", "password", "--password-stdin", "--data-dir", str(home.root)).code == 0
    assert api.sent("POST")[0][2] == {"password": "a new long one", "old": "the kept one"}
    assert home.password() == "a new long one"


def test_users_are_listed_changed_and_removed(api: StandIn, cli: Cli) -> None:
    """A table; a role in capitals whatever was typed; removing needs a yes."""
    api.answers[USERS] = {"contents": [{"name": "ann", "role": "TASK_VIEWER", "teams": ["dba"], "created_at": at(0)}]}
    api.answers |= {f"PATCH {USERS}/ann": {}, f"DELETE {USERS}/ann": {}}
    assert cli("user", "list").out.splitlines()[1].split()[:3] == ["ann", "TASK_VIEWER", "dba"]
    assert json.loads(cli("user", "list", "-o", "jsonl").out)["name"] == "ann"
    assert "ann has the role TASK_MANAGER" in cli("user", "set-role", "ann", "task_manager").err
    assert api.sent("PATCH")[0][2] == {"role": "TASK_MANAGER"}
    assert cli("user", "remove", "ann").code == 2
    assert cli("user", "remove", "ann", "--yes").code == 0
    assert len(api.sent("DELETE")) == 1


def test_whoami(api: StandIn, cli: Cli) -> None:
    """Name, role, what the role may, whose tasks, and where."""
    api.answers["/api/v2/me"] = {"name": "ann", "role": "TASK_OPERATOR", "permissions": ["read", "operate"]}
    ran = cli("whoami")
    assert [line.split(maxsplit=1) for line in ran.out.splitlines()] == [
        ["name", "ann"],
        ["role", "TASK_OPERATOR"],
        ["may", "read, operate"],
        ["teams", "all"],
        ["at", api.url],
    ]
    assert json.loads(cli("whoami", "-o", "json").out)["name"] == "ann"
