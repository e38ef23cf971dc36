"""The table a run prints while it goes on: one line a figure, and how much of the machine others took meanwhile."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from benchmarks.machine import Cpu, Memory

LABEL, VALUE = 34, 14
NOISY = 0.10
"""Above this share of the machine, other programs have spoiled a figure."""


@dataclass(slots=True)
class Report:
    """Prints to `out`, and remembers the noisiest moment."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    noisiest: float = 0.0
    _others: str = ""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Measure what others took during the block; the rows after it say so."""
        start = Cpu.now()
        yield
        share = Cpu.now().others_since(start)
        self.noisiest = max(self.noisiest, share)
        self._others = f"others {share:.0%}"

    def title(self, words: str) -> None:
        """Begin a part."""
        self._print(f"\n{words}")

    def fact(self, label: str, words: str) -> None:
        """Print what is given, not measured."""
        self._print(f"  {label:<{LABEL}}{words}")

    def row(self, label: str, value: str, how: str) -> None:
        """Print a figure, and what others took while it was measured."""
        noise = f" · {self._others}" if self._others else ""
        self._print(f"  {label:<{LABEL}}{value:>{VALUE}}   {how}{noise}")

    def memory(self, found: dict[str, Memory]) -> None:
        """Print what each process took."""
        self.title("memory, MiB")
        for name, memory in found.items():
            self.fact(name, f"{'peak resident':>14} {_mib(memory.peak_rss)}   {'PSS at the end'} {_mib(memory.pss)}")

    def warn_if_noisy(self) -> None:
        """Say it when others used the machine."""
        if self.noisiest > NOISY:
            self._print(f"\n  Others took up to {self.noisiest:.0%} of the machine: run again when it is idle.")

    def _print(self, line: str) -> None:
        print(line, file=self.out, flush=True)


def _mib(value: float | None) -> str:
    return f"{value:6.0f}" if value is not None else "     ?"


def per_s(value: float) -> str:
    """Return a rate in words."""
    return f"{value:,.0f}/s"
