"""Which API a command talks to, and which credential it shows to whom."""

import base64
from pathlib import Path

import pytest

from opsledger.cli.data_dir import DataDir
from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import TASKS, StandIn


def authorization(api: StandIn) -> str | None:
    """The header of the last request, Basic opened."""
    header = api.asked[-1][4].get("Authorization")
    if header and header.startswith("Basic "):
        return base64.b64decode(header.removeprefix("Basic ")).decode()
    return header


@pytest.fixture
def home(api: StandIn, tmp_path: Path) -> DataDir:
    """A data directory whose system is that API."""
    api.answers[TASKS] = {"contents": []}
    home = DataDir(tmp_path / "dir")
    home.prepare()
    home.write_runtime({"api_url": api.url})
    home.keep_password("kept")
    return home


def test_the_system_of_this_machine_is_found(
    api: StandIn, cli: Cli, home: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any option, address and password come from the default data directory."""
    monkeypatch.delenv("OPSLEDGER_URL")
    monkeypatch.setenv("OPSLEDGER_DATA_DIR", str(home.root))
    assert cli("task", "list").code == 0
    assert authorization(api) == "admin:kept"


def test_a_data_directory_outweighs_the_environment(
    api: StandIn, cli: Cli, home: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--data-dir means that system, whatever OPSLEDGER_URL says."""
    monkeypatch.setenv("OPSLEDGER_URL", "http://127.0.0.1:9")
    assert cli("task", "list", "--data-dir", str(home.root)).code == 0
    assert authorization(api) == "admin:kept"


def test_the_kept_password_goes_to_its_own_system_only(
    api: StandIn, cli: Cli, home: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another address never sees the local admin password."""
    monkeypatch.setenv("OPSLEDGER_DATA_DIR", str(home.root))
    home.write_runtime({"api_url": "http://127.0.0.1:9"})
    assert cli("task", "list", "--url", api.url).code == 0
    assert authorization(api) is None


def test_given_credentials_come_first(api: StandIn, cli: Cli, home: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token before user and password, those before the kept one."""
    monkeypatch.setenv("OPSLEDGER_DATA_DIR", str(home.root))
    monkeypatch.setenv("OPSLEDGER_USER", "ann")
    monkeypatch.setenv("OPSLEDGER_PASSWORD", "hers")
    cli("task", "list")
    assert authorization(api) == "ann:hers"
    monkeypatch.setenv("OPSLEDGER_TOKEN", "t0ken")
    cli("task", "list")
    assert authorization(api) == "Bearer t0ken"


def test_no_address_at_all(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2 and how to get one."""
    monkeypatch.delenv("OPSLEDGER_URL")
    ran = cli("task", "list")
    assert ran.code == 2
    assert "opsledger up" in ran.err


def test_nobody_answers(cli: Cli) -> None:
    """Exit code 1, the address, and what to do."""
    ran = cli("task", "list", "--url", "http://127.0.0.1:9")
    assert ran.code == 1
    assert "nothing answers at http://127.0.0.1:9" in ran.err
    assert "opsledger up" in ran.err


def test_somebody_else_answers(api: StandIn, cli: Cli) -> None:
    """401 says which settings open the door."""
    api.failures = [(401, {"code": 3000, "message": "Please log in."})]
    ran = cli("task", "list")
    assert ran.code == 1
    assert "Please log in." in ran.err
    assert "OPSLEDGER_TOKEN" in ran.err
