"""Fixtures of the CLI's tests: an API to talk to, and one command line run in this process with a clean environment."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opsledger.cli.app import run
from opsledger.cli.look import console
from tests.unit.cli.stand_in import StandIn


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command line gave."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's settings reach a test, and the default data directory is empty."""
    for name in list(os.environ):
        if name.startswith("OPSLEDGER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    console.out.cache_clear()
    console.err.cache_clear()


@pytest.fixture
def api() -> Iterator[StandIn]:
    """An API that the test fills."""
    with StandIn() as server:
        yield server


@pytest.fixture
def cli(api: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line against that API: `cli("task", "list")`."""
    monkeypatch.setenv("OPSLEDGER_URL", api.url)

    def call(*words: str) -> Ran:
        code = run(words)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call
