"""The README is true: its commands are run as a new user would type them."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.eventually import eventually_sync
from tests.support.up import environment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
PORT = 8642

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("port-8642")]


class Running:
    """`make run` in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.env = environment(HOME=str(home), XDG_DATA_HOME=str(home / ".local/share"))
        self.out, self.err = home / "out", home / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                ["make", "run"], cwd=ROOT, env=self.env, stdout=out, stderr=err, start_new_session=True
            )

    def said(self, text: str) -> bool:
        """Whether it has said something on either stream."""
        assert self.process.poll() is None, self.err.read_text(encoding="utf-8")
        return text in self.out.read_text(encoding="utf-8") + self.err.read_text(encoding="utf-8")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """`make run` that has said it is ready and finished its demonstration."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            pytest.skip(f"port {PORT} is taken: stop what listens there to have the README's commands tested")
    made = Running(tmp_path)
    try:
        eventually_sync(lambda: made.said(f"ready http://127.0.0.1:{PORT}"), timeout=120)
        eventually_sync(lambda: made.said("opsledger task"), timeout=90, what="the demonstration ends with a hint")
        yield made
    finally:
        os.killpg(made.process.pid, signal.SIGINT)
        made.process.wait(20)


def test_every_command_of_the_tour_works(running: Running) -> None:
    """After `make run`, each block of the README runs to its end without an error."""
    tour = [block for block in BLOCKS if "make test" not in block]
    assert len(tour) >= 5

    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "set -m\n" + "\n".join(tour)],
        cwd=ROOT,
        env=running.env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"successful":true' in ran.stdout.replace(" ", "")
    assert "host.inspect" in ran.stdout
    assert ran.stdout.count('"successful":true') >= 2, ran.stdout
    for said in ("nothing was changed", "rolled back", "no cache on a Saturday"):
        assert said in ran.stdout + ran.stderr
