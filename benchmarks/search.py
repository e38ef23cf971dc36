"""`python -m benchmarks.search`: how fast a list answers when there are a million tasks, on SQLite and PostgreSQL.

Fills each database (`load.py`), then asks each question of `questions.py` many times, each time with other words. A
time is that of the whole read, page, total and the subtasks a page shows, without HTTP. Ends with one line of JSON:
milliseconds at the 50th and the 95th of a hundred.
"""

import argparse
import asyncio
import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.figures import percentile, short
from benchmarks.load import load, made_up
from benchmarks.questions import QUESTIONS, Asked
from benchmarks.report import Report
from services.api.projection.engine import engine_for
from services.api.projection.reads import Reads
from tests.support import postgres

TARGET_MS = 50.0
WARM_UP = 5
Times = dict[str, dict[str, float | None]]


def main(words: list[str]) -> int:
    """Load, measure, print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description="Measure searches of a long list.")
    parser.add_argument("--tasks", type=int, default=1_000_000, help="how many tasks there are (1,000,000)")
    parser.add_argument("--rounds", type=int, default=60, help="how often each question is asked (60)")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="a folder on the disk to measure; made and removed")
    given = parser.parse_args(words)
    gc.set_threshold(200_000, 50, 1000)  # as the API has it
    report = Report()
    report.title("conditions")
    report.fact("machine", machine.describe())
    report.fact("tasks", f"{given.tasks:,} of five subtasks each; every question {given.rounds} times")
    figures: dict[str, Times] = {}
    with tempfile.TemporaryDirectory(prefix="opsledger-search-", dir=given.dir) as folder:
        for name, url in _databases(Path(folder), given.only, report):
            figures[name] = asyncio.run(_measure(name, url, given.tasks, given.rounds, report))
    report.warn_if_noisy()
    print(f"\n{json.dumps({'tasks': given.tasks, **figures})}", flush=True)
    return 0


def _databases(folder: Path, only: str | None, report: Report) -> Iterator[tuple[str, str]]:
    if only != "postgresql":
        yield "sqlite", f"sqlite+aiosqlite:///{folder}/view.db"
    if only != "sqlite":
        try:
            with _fresh(report) as url:
                yield "postgresql", url
        except postgres.NoPostgres as reason:
            report.fact("PostgreSQL", f"none: {reason}")


@contextmanager
def _fresh(report: Report) -> Iterator[str]:
    report.fact("PostgreSQL", postgres.chosen())
    with postgres.shared() as server, postgres.fresh_database(server) as url:
        yield url.render_as_string(hide_password=False)


async def _measure(name: str, url: str, tasks: int, rounds: int, report: Report) -> Times:
    began = time.monotonic()
    with report.watching():
        await load(url, made_up(tasks), seen=("benchmark", tasks * 20, ""))
    report.title(f"{name}, loaded in {time.monotonic() - began:.0f} s")
    report.fact("", f"{'p50':>8} {'p95':>8}  ms")
    engine = engine_for(url)
    found: Times = {}
    for question, ask in QUESTIONS.items():
        chance = random.Random(question)
        asked = [ask(chance, tasks) for _ in range(WARM_UP + rounds)]
        with report.watching():
            times = [await _ask(Reads(engine), each) for each in asked][WARM_UP:]
        found[question] = {"p50": short(median(times)), "p95": short(percentile(times, 95))}
        late = "" if percentile(times, 95) <= TARGET_MS else f"  above {TARGET_MS:.0f} ms"
        report.fact(question, f"{median(times):>8.1f} {percentile(times, 95):>8.1f}{late}")
    await engine.dispose()
    return found


async def _ask(reads: Reads, asked: Asked) -> float:
    """Ask for a page as the API does; return the milliseconds."""
    began = time.perf_counter()
    page = await reads.tasks(asked.where, **asked.how)
    await reads.briefs(task.id for task in page.contents)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
