"""The embedded nats-server: its settings, the versions it may have, and its port over restarts."""

import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from opsledger.cli.data_dir import DataDir
from opsledger.cli.failure import CliError
from opsledger.cli.local import nats
from opsledger.cli.local.crew import Crew


def fake_binary(folder: Path, version: str) -> Path:
    """A program that claims to be a nats-server of this version."""
    path = folder / "nats-server"
    path.write_text(f"#!/bin/sh\necho 'nats-server: v{version}'\n")
    path.chmod(0o755)
    return path


def test_the_settings_that_durability_needs(tmp_path: Path) -> None:
    """Always synced (T1), limited below the disk (T14), small messages, loopback, a credential."""
    text = nats.render_config(tmp_path / 'st"ore', port=4222, password="pw")
    assert "sync_interval: always" in text
    assert "max_payload: 262144" in text
    assert 'listen: "127.0.0.1:4222"' in text
    assert 'password: "pw"' in text
    assert 'st\\"ore' in text
    limit = int(text.partition("max_file_store: ")[2].split()[0])
    assert 0 < limit <= nats.STORE_CAP_BYTES
    assert "$" not in text


def test_an_old_server_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version found, the version needed, and which setting chose it."""
    monkeypatch.setenv("NATS_SERVER", str(fake_binary(tmp_path, "2.9.10")))
    with pytest.raises(CliError, match=r"version 2\.9\.10; opsledger needs 2\.15\.0 or newer") as caught:
        nats.find_binary()
    assert "NATS_SERVER" in str(caught.value.next_step)


def test_a_newer_server_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are compared as numbers."""
    monkeypatch.setenv("NATS_SERVER", str(fake_binary(tmp_path, "2.100.0")))
    assert nats.find_binary() == (tmp_path / "nats-server", "2.100.0")


@pytest.mark.parametrize("given", ["/nowhere/nats-server", "/bin/true"])
def test_what_is_no_server_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, or something else: said before anything starts."""
    monkeypatch.setenv("NATS_SERVER", given)
    with pytest.raises(CliError, match=given):
        nats.find_binary()


async def test_port_and_credential_outlive_a_restart(tmp_path: Path) -> None:
    """Replicas that joined find the next start under the same URL, and it is reachable once the start returns."""
    home = DataDir(tmp_path)
    home.prepare()
    urls = []
    for _ in range(2):
        crew = Crew(home.logs)
        crew.rank(3)
        try:
            urls.append(await nats.start(crew, home))
            home.write_runtime({"nats_url": urls[-1]})
            with socket.create_connection(("127.0.0.1", urlsplit(urls[-1]).port), 2) as connection:
                assert connection.recv(4) == b"INFO"
        finally:
            await crew.stop()
    assert urls[0] == urls[1]
    assert stat.S_IMODE((home.nats / "nats.conf").stat().st_mode) == 0o600
