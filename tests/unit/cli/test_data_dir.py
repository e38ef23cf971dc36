"""The data directory: who may hold it, what may be read from it, and who may read it."""

import os
import stat
from pathlib import Path

import pytest

from opsledger.cli.data_dir import DataDir, default_root
from opsledger.cli.failure import CliError, UsageError
from opsledger.cli.local import admin
from opsledger.cli.local.environment import find_servers


@pytest.fixture
def home(tmp_path: Path) -> DataDir:
    """A prepared data directory."""
    home = DataDir(tmp_path / "dir")
    home.prepare()
    return home


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_the_owners_alone(home: DataDir) -> None:
    """Folders 0700, secrets 0600."""
    home.write_runtime({"a": 1})
    home.keep_password("x")
    assert {mode(path) for path in (home.root, home.logs, home.nats)} == {0o700}
    assert {mode(path) for path in (home.runtime_file, home.password_file)} == {0o600}
    assert not list(home.root.glob(".*"))


def test_only_one_may_hold_it(home: DataDir) -> None:
    """The second is told where the first is; after the first, the next may."""
    home.write_runtime({"api_url": "http://127.0.0.1:1"})
    with home.lock(), pytest.raises(UsageError, match=r"already runs on .* at http://127\.0\.0\.1:1"), home.lock():
        pass
    with home.lock():
        pass


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    """The path and the system's reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CliError, match=r"cannot write the data directory .*file/dir"):
        DataDir(tmp_path / "file" / "dir").prepare()


@pytest.mark.parametrize("content", ["", "{", "[1]", "null"])
def test_a_torn_runtime_file_counts_as_none(home: DataDir, content: str) -> None:
    """Whatever stands there, nothing breaks."""
    home.runtime_file.write_text(content)
    assert home.runtime() == {}


def test_the_default_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """OPSLEDGER_DATA_DIR, else XDG, else the home's share."""
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_root() == Path("~/.local/share/opsledger").expanduser()
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    assert default_root() == Path("/xdg/opsledger")
    monkeypatch.setenv("OPSLEDGER_DATA_DIR", "/mine")
    assert default_root() == Path("/mine")


def test_joining_needs_something_that_runs(home: DataDir) -> None:
    """A runtime file of the dead is no invitation; that of the living is."""
    home.write_runtime({"nats_url": "nats://x:y@127.0.0.1:1", "pids": {}})
    with pytest.raises(UsageError, match="no opsledger runs on"):
        find_servers(home.root, None, None)
    home.write_runtime({"nats_url": "nats://x:y@127.0.0.1:1", "pids": {"up": os.getpid()}})
    servers = find_servers(home.root, None, None)
    assert (servers.nats_url, servers.database_url) == ("nats://x:y@127.0.0.1:1", home.view_url)


def test_joining_by_address(home: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags outweigh everything; an explicit directory outweighs the environment."""
    monkeypatch.setenv("OPSLEDGER_NATS_URL", "nats://env")
    monkeypatch.setenv("OPSLEDGER_DATA_DIR", str(home.root))
    assert find_servers(None, None, None).nats_url == "nats://env"
    assert find_servers(None, "nats://flag", "postgresql://db").nats_url == "nats://flag"
    with pytest.raises(UsageError):
        find_servers(home.root, None, None)


def test_services_do_not_inherit_the_callers_secrets(home: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords and tokens of this shell stay here; the contract's names are set."""
    monkeypatch.setenv("OPSLEDGER_TOKEN", "secret")
    monkeypatch.setenv("OPSLEDGER_ADMIN_PASSWORD", "secret")
    monkeypatch.setenv("OPSLEDGER_ACK_WAIT_SECONDS", "3")
    found = find_servers(home.root, "nats://n", None).environment(port=5, pool=None)
    ours = {key: value for key, value in found.items() if key.startswith("OPSLEDGER_")}
    assert ours == {
        "OPSLEDGER_NATS_URL": "nats://n",
        "OPSLEDGER_DATABASE_URL": home.view_url,
        "OPSLEDGER_DATA_DIR": str(home.root),
        "OPSLEDGER_PORT": "5",
        "OPSLEDGER_ACK_WAIT_SECONDS": "3",
    }


def test_a_password_is_made_once(home: DataDir) -> None:
    """Generated and kept before it is used, and not shown again."""
    first = admin.choose(home)
    again = admin.choose(home)
    assert (first.generated, again.generated) == (True, False)
    assert first.password == again.password == home.password()
    assert len(first.password) >= 20


def test_a_given_password_comes_first(home: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """OPSLEDGER_ADMIN_PASSWORD outweighs the kept one; the file changes only once the new one is in force."""
    home.keep_password("old")
    monkeypatch.setenv("OPSLEDGER_ADMIN_PASSWORD", "new")
    assert admin.choose(home) == admin.Admin("new", generated=False)
    assert home.password() == "old"
