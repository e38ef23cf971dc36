"""The table a run prints while it goes on: one line a figure, and how much of the machine others took meanwhile."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from benchmarks.machine import Cpu, Memory

LABEL, VALUE = 29, 10
NOISY = 0.10
"""Above this share of the machine, other programs have spoiled a figure."""


@dataclass(slots=True)
class Report:
    """Prints to `out`, and remembers the noisiest moment."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    noisiest: float = 0.0
    _others: float = 0.0

    @contextmanager
    def watching(self, *, alone: bool = True) -> Iterator[None]:
        """Measure what others took during the block; the rows after it say so.

        Not `alone`: something of ours runs where we cannot tell it from others, so it is shown but not held against
        the run.
        """
        start = Cpu.now()
        yield
        self._others = Cpu.now().others_since(start)
        if alone:
            self.noisiest = max(self.noisiest, self._others)

    def title(self, words: str) -> None:
        """Begin a part."""
        self._print(f"\n{words}")

    def fact(self, label: str, words: str) -> None:
        """Print what is given, not measured."""
        self._print(f"  {label:<{LABEL}}{words}")

    def head(self) -> None:
        """Begin the part of the figures."""
        self._print(f"\n{'measured, one after another':<{LABEL + 2}}{'':>{VALUE}}  others")

    def row(self, label: str, value: str, how: str) -> None:
        """Print a figure, what others took while it was measured, and how it was."""
        self._print(f"  {label:<{LABEL}}{value:>{VALUE}}  {self._others:>6.0%}  {how}".rstrip())

    def memory(self, found: dict[str, Memory]) -> None:
        """Print what each process took."""
        self._print(f"\n{'memory, MiB':<{LABEL + 2}}{'peak RSS':>{VALUE}}{'PSS now':>{VALUE}}")
        for name, memory in found.items():
            self._print(f"  {name:<{LABEL}}{_mib(memory.peak_rss):>{VALUE}}{_mib(memory.pss):>{VALUE}}")

    def warn_if_noisy(self) -> None:
        """Say it when others used the machine."""
        if self.noisiest > NOISY:
            self._print(f"\n  Others took up to {self.noisiest:.0%} of the machine: run again when it is idle.")

    def _print(self, line: str) -> None:
        print(line, file=self.out, flush=True)


def _mib(value: float | None) -> str:
    return f"{value:.0f}" if value is not None else "?"


def per_s(value: float) -> str:
    """Return a rate in words."""
    return f"{value:,.0f}/s"
