"""`opsledger up` as a test's own process: started in a folder of its own on free ports, stopped, killed, looked into.

Knows the command line and the layout of the data directory, nothing of REST and the services. Nothing that it started
outlives the test run.
"""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from tests.support.eventually import eventually_sync
from tests.support.process import ServerFailed, setpriv

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
SHORT: Mapping[str, str] = {"OPSLEDGER_ACK_WAIT_SECONDS": "3", "OPSLEDGER_RATE_PER_SECOND": "0"}
"""Settings that make tests of faults quick, and let one principal ask as fast as it can."""


def program() -> str:
    """The `opsledger` that this Python's environment installed."""
    return str(Path(sys.executable).with_name("opsledger"))


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without anybody's opsledger settings, plus `extra`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPSLEDGER_")}
    return {**kept, "NO_COLOR": "1", **extra}


class Up:
    """One `opsledger up`; its data directory outlives its restarts. Use it as a context, or start and stop it."""

    def __init__(
        self, folder: Path, *, executors: int = 1, demo: bool = False, words: Sequence[str] = (), **settings: str
    ) -> None:
        self.data_dir = folder / "data"
        self._words = ["--executors", str(executors), "--demo" if demo else "--no-demo", *words]
        self._env = environment(**{**SHORT, **settings})
        self._stdout, self._stderr = folder / "up.out", folder / "up.err"
        self._process: subprocess.Popen[bytes] | None = None
        self._joined = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, port: int = 0) -> None:
        """Start it and wait until it says that it is ready."""
        self.launch(port)
        eventually_sync(self._said_ready, timeout=READY_SECONDS, what="opsledger up is ready")

    def launch(self, port: int = 0) -> None:
        """Start it and do not wait."""
        # The kernel watches the thread that forks, so only the main thread asks to be followed into death.
        main = threading.current_thread() is threading.main_thread()
        command = [program(), "up", "--data-dir", str(self.data_dir), "--port", str(port), *self._words]
        with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            self._process = subprocess.Popen(
                [*(setpriv("--pdeathsig", "KILL") if main else []), *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self._env,
                process_group=0,
            )

    def _said_ready(self) -> bool:
        if self.process.poll() is not None:
            raise ServerFailed(f"opsledger up ended with {self.process.returncode}:\n{self.stderr}")
        return self.stdout.endswith("\n")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of `up` itself; ServerFailed when it was never started."""
        if self._process is None:
            raise ServerFailed("opsledger up was not started")
        return self._process

    @property
    def stdout(self) -> str:
        """All of stdout since the last start."""
        return self._stdout.read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        """All of stderr since the last start."""
        return self._stderr.read_text(encoding="utf-8")

    @property
    def url(self) -> str:
        """Where its API is, from the ready line."""
        return self.stdout.strip().removeprefix("ready ")

    @property
    def runtime(self) -> dict[str, Any]:
        """What it wrote down for those who join."""
        found: dict[str, Any] = json.loads((self.data_dir / "runtime.json").read_text(encoding="utf-8"))
        return found

    @property
    def nats_url(self) -> str:
        """The broker's URL, credential included."""
        return str(self.runtime["nats_url"])

    @property
    def password(self) -> str:
        """The password of admin."""
        return (self.data_dir / "admin-password").read_text(encoding="utf-8").strip()

    @property
    def children(self) -> list[psutil.Process]:
        """Everything it started that still runs, and what that started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, name: str) -> psutil.Process:
        """One child by the name of its log: nats, api, executor-1 and so on."""
        return psutil.Process(self.runtime["pids"][name])

    def mode(self, name: str) -> int:
        """The permission bits of a file in the data directory."""
        return stat.S_IMODE((self.data_dir / name).stat().st_mode)

    def wait(self, timeout: float = STOP_SECONDS) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(timeout)

    def signal(self, number: signal.Signals) -> float:
        """Send it a signal, wait for its end, and give back how many seconds that took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(STOP_SECONDS)
        return time.monotonic() - began

    def stop(self) -> None:
        """End it in good order, or by force; nothing when it has ended already."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill9()

    def kill9(self) -> None:
        """End it as a crash would; its children are the kernel's business."""
        self.process.kill()
        self.process.wait()

    def run(self, *words: str, timeout: float = 60.0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another `opsledger` command against it, as a second terminal would."""
        return subprocess.run(
            [program(), *words],
            env={**self._env, "OPSLEDGER_DATA_DIR": str(self.data_dir)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    @contextlib.contextmanager
    def joined(self, *words: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """A replica that joins it, such as `executor`; killed at the end of the block if it still runs."""
        self._joined += 1
        log = self.data_dir.parent / f"joined-{words[0]}-{self._joined}.log"
        with log.open("wb") as sink:
            replica = subprocess.Popen(
                [*setpriv("--pdeathsig", "KILL"), program(), *words, "--data-dir", str(self.data_dir)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**self._env, **settings},
                process_group=0,
            )
        try:
            yield replica
        finally:
            replica.kill()
            replica.wait()
