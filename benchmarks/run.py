"""What every question of a run shares: the system, the sizes, the loop, the table and the figures."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmarks.figures import Figures
from benchmarks.report import Report
from benchmarks.system import System

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each; the defaults are what docs/performance.md reports."""

    raw_seconds: float = 3.0
    backlog: int = 4_000
    keyed: int = 500
    at_once: int = 1_000
    connections: int = 32
    warm_up: int = 20
    idle: int = 300
    fanouts: int = 5
    mock_rows: int = 200_000
    synced: int = 10_000
    syncs: int = 3


QUICK = Sizes(
    raw_seconds=0.7,
    backlog=300,
    keyed=100,
    at_once=200,
    warm_up=5,
    idle=50,
    fanouts=2,
    mock_rows=20_000,
    synced=1_000,
    syncs=1,
)
"""For work on the benchmark itself; its figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run."""

    system: System
    sizes: Sizes
    report: Report
    figures: Figures
    runner: asyncio.Runner

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the run's one loop."""
        return self.runner.run(work)
