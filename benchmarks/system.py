"""The system under test: `opsledger up` without executors in a temporary folder, and executors that join it.

Real processes, shipped settings, nobody's environment. Nothing that is started here outlives the run, however it ends.
"""

import time
from pathlib import Path
from typing import Self

from benchmarks.machine import Memory, seconds
from benchmarks.view import View
from tests.support.process import ServerFailed, ServerProcess
from tests.support.up import Up, program

EXECUTORS = 2
SLOTS = 16
"""Of each executor: the default."""
READY = b'"executor ready"'


class Executor(ServerProcess):
    """One `opsledger executor` that joins the system in `data_dir`."""

    def __init__(self, data_dir: Path, folder: Path, number: int) -> None:
        super().__init__(folder)
        self.name = f"executor-{number}"
        self._data_dir = data_dir

    def start(self) -> None:
        """Start it and wait until it takes work."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it and do not wait."""
        self._launch([program(), "executor", "--data-dir", str(self._data_dir)], lambda: True)

    def wait_ready(self) -> None:
        """Wait until it takes work."""
        self._wait(lambda: READY in self.log_path.read_bytes(), timeout=30)


class System:
    """Broker, API and view of one run, and two executors from when they are wanted; use it as a context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._up = Up(folder, executors=0, OPSLEDGER_ACK_WAIT_SECONDS="30")  # the default; tests have a shorter one
        self._executors: list[Executor] = []

    def __enter__(self) -> Self:
        try:
            self._up.start()
            self._check_broker()
        except BaseException:
            self._up.stop()
            raise
        self.url, self.nats_url, self.password = self._up.url, self._up.nats_url, self._up.password
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_executors()
        self._up.stop()

    def _check_broker(self) -> None:
        settings = (self.data_dir / "nats" / "nats.conf").read_text(encoding="utf-8")
        if "sync_interval: always" not in settings:
            raise ServerFailed("the broker does not run with the shipped sync_interval")

    @property
    def data_dir(self) -> Path:
        """Where all of it lives."""
        return self._up.data_dir

    def view(self) -> View:
        """Open the SQL view for reading."""
        return View(self.data_dir / "view.db")

    def start_executors(self, *, wait: bool = True) -> None:
        """Start two executors at once; nothing when they run. Without `wait` return while they still come up."""
        if not self._executors:
            self._executors = [Executor(self.data_dir, self._folder, number + 1) for number in range(EXECUTORS)]
            for executor in self._executors:
                executor.launch()
        if wait:
            for executor in self._executors:
                executor.wait_ready()

    def stop_executors(self) -> None:
        """Stop them in good order."""
        for executor in self._executors:
            executor.stop()
        self._executors = []

    def pids(self) -> dict[str, int]:
        """Process ids by name, in the order work goes through them."""
        own = {name: self._up.child(name).pid for name in ("nats", "api")}
        return own | {executor.name: executor.pid for executor in self._executors if executor.alive}

    def memory(self) -> dict[str, Memory]:
        """What each process has taken so far."""
        return {name: Memory.of(pid) for name, pid in self.pids().items()}


class Shares:
    """How busy each process of the system was between two moments, in cores."""

    def __init__(self, system: System) -> None:
        self._pids = system.pids()
        self._began = time.monotonic()
        self._at_start = {name: seconds(pid) for name, pid in self._pids.items()}

    def so_far(self) -> str:
        """Say it: `nats 0.4 · api 0.7 …` cores."""
        passed = time.monotonic() - self._began
        used = {name: seconds(pid) - self._at_start[name] for name, pid in self._pids.items()}
        return " · ".join(f"{name} {spent / passed:.2f}" for name, spent in used.items())
