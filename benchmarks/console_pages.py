"""`python -m benchmarks.console_pages`: how long lists and a task's page take when there are a million tasks.

Fills the view of an `opsledger up` (`load.py`), signs in, and asks for each kind of page many times, each time with
other words, one after another; a time ends when the last byte of the page is here. With Chromium some
are opened in a browser as well: there a time ends when the rows, or the graph, are painted. The tasks that the task
pages show are in the log, too. Ends with one line of JSON: milliseconds at the 50th and the 95th of a hundred.
"""

import argparse
import asyncio
import gc
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlencode

import httpx2
from playwright.async_api import async_playwright

from benchmarks import machine
from benchmarks.figures import percentile, short
from benchmarks.load import load, made_up
from benchmarks.report import Report
from benchmarks.samples import sample
from services.api.projection.checkpoint import Checkpoint, read_checkpoint
from services.api.projection.engine import engine_for
from shared.runtime import logging
from tests.support import chromium
from tests.support.up import Up

TARGET_MS: Final = 300.0
WARM_UP: Final = 5
IN_LOG: Final = 20
"""So many of the oldest tasks are in the log."""
BODY: Final = {"name": "chain", "plan": {"subtasks": [
    {"key": f"s{n}", "operation": "noop", "upstreams": [f"s{n - 1}"] if n > 1 else []} for n in range(1, 6)
]}}  # fmt: skip
PAINTED: Final = """async (what) => {
  const paint = () => performance.getEntriesByName("first-contentful-paint")[0];
  while (!paint() || !document.querySelector(what)) await new Promise(requestAnimationFrame);
  return Math.max(paint().startTime, performance.getEntriesByType("navigation")[0].responseEnd);
}"""
"""Milliseconds since the navigation began; the page has arrived whole by then."""
_ROWS: Final = "#rows tr, .empty"
SEEN: Final = {"newest": _ROWS, "failed": _ROWS, "by operator": _ROWS, "a task": "#graph svg"}
"""What is opened in a browser, and what must be there to see."""
Page = Callable[[random.Random, int], str]
"""From chance and the number of tasks, one address."""


def _list(path: str = "/tasks", **query: str) -> str:
    return f"{path}?{urlencode(query)}"


PAGES: Final[dict[str, Page]] = {
    "newest": lambda _, __: _list(),
    "failed": lambda _, __: _list(q="state:failed"),
    "by operator": lambda chance, of: _list(q=f"by:{sample(chance.randint(1, of), of).by.name}"),
    "failed of operator": lambda chance, of: _list(q=f"state:failed by:{sample(chance.randint(1, of), of).by.name}"),
    "by host": lambda chance, of: _list(q=f"host:{sample(chance.randint(1, of), of).about.name}"),
    "by label": lambda chance, of: _list(q=f"label:env={sample(chance.randint(1, of), of).labels['env']}"),
    "a ticket": lambda chance, of: _list(q=sample(chance.randint(1, of), of).params["ticket"]),
    "a common word": lambda chance, of: _list(q=sample(chance.randint(1, of), of).name.split()[0]),
    "sorted by completion": lambda _, __: _list(sort="finishTime,desc"),
    "sorted by name": lambda _, __: _list(sort="name,asc"),
    "O&M, failed": lambda _, __: _list("/oms", q="status:failed"),
    "asynchronous execution": lambda _, __: _list("/odc"),
    "a task": lambda chance, _: f"/tasks/{chance.randint(1, IN_LOG)}",
    "a task's events": lambda chance, _: f"/tasks/{chance.randint(1, IN_LOG)}?view=events",
}


def main(words: list[str]) -> int:
    """Load, measure, print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console_pages", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000, help="how many tasks there are (1,000,000)")
    parser.add_argument("--rounds", type=int, default=60, help="how often each page is asked for (60)")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="a folder on the disk to measure; made and removed")
    given = parser.parse_args(words)
    gc.set_threshold(200_000, 50, 1000)
    logging.configure("warning", service="benchmarks")
    report = Report()
    report.title("conditions")
    report.fact("machine", machine.describe())
    report.fact("tasks", f"{given.tasks:,} of five subtasks each, SQLite; every page {given.rounds} times")
    with tempfile.TemporaryDirectory(prefix="opsledger-pages-", dir=given.dir) as folder:
        up = Up(Path(folder), executors=0, OPSLEDGER_RESCUE_AFTER_SECONDS="3600")
        asyncio.run(_filled(up, given.tasks, report))
        with up:
            figures = asyncio.run(_measure(up, given.tasks, given.rounds, report))
    report.warn_if_noisy()
    print(f"\n{json.dumps({'tasks': given.tasks, **figures})}", flush=True)
    return 0


async def _filled(up: Up, count: int, report: Report) -> None:
    """Make a few tasks in the log, and put a view with all tasks in place of the one that has seen them."""
    with up:
        async with httpx2.AsyncClient(base_url=up.url, auth=("admin", up.password), trust_env=False) as http:
            for _ in range(IN_LOG):
                seq = (await http.post("/api/v2/tasks/instances", json=BODY)).headers["X-Log-Seq"]
            (await http.get("/api/v2/tasks/instances", params={"min_seq": seq})).raise_for_status()
    database = up.data_dir / "view.db"
    seen = await _seen(f"sqlite+aiosqlite:///{database}")
    for stale in up.data_dir.glob("view.db*"):
        stale.unlink()
    began = time.monotonic()
    with report.watching():
        await load(
            f"sqlite+aiosqlite:///{database}", made_up(count), seen=(seen.stream_created, seen.seq, seen.commit_id)
        )
    report.fact("loaded in", f"{time.monotonic() - began:.0f} s")


async def _seen(url: str) -> Checkpoint:
    engine = engine_for(url)
    try:
        found = await read_checkpoint(engine)
    finally:
        await engine.dispose()
    assert found is not None, "the view has seen nothing"
    return found


async def _measure(up: Up, tasks: int, rounds: int, report: Report) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    report.title("page")
    report.fact("", f"{'p50':>8} {'p95':>8}  ms   {'KiB sent':>8}")
    async with httpx2.AsyncClient(base_url=up.url, trust_env=False, timeout=60.0) as http:
        answer = await http.post("/login", data={"name": "admin", "password": up.password})
        assert answer.status_code == 303, answer.text[:500]
        for name, page in PAGES.items():
            chance = random.Random(name)
            paths = [page(chance, tasks) for _ in range(WARM_UP + rounds)]
            with report.watching():
                asked = [await _ask(http, path) for path in paths][WARM_UP:]
            times, sent = [ms for ms, _ in asked], max(size for _, size in asked)
            found[name] = {"p50": short(median(times)), "p95": short(percentile(times, 95))}
            late = "" if percentile(times, 95) <= TARGET_MS else f"  above {TARGET_MS:.0f} ms"
            report.fact(name, f"{median(times):>8.1f} {percentile(times, 95):>8.1f}      {sent / 1024:>8.1f}{late}")
        older = await _older(http, rounds)
        found["older, page after page"] = {"p50": short(median(older)), "p95": short(percentile(older, 95))}
        report.fact("older, page after page", f"{median(older):>8.1f} {percentile(older, 95):>8.1f}")
    if chromium.chosen() is None:
        report.fact("seen in a browser", "no Chromium here")
        return found
    async for name, times in _seen_in_browser(up, tasks, rounds):
        found[f"seen: {name}"] = {"p50": short(median(times)), "p95": short(percentile(times, 95))}
        report.fact(f"seen: {name}", f"{median(times):>8.1f} {percentile(times, 95):>8.1f}")
    return found


async def _seen_in_browser(up: Up, tasks: int, rounds: int) -> AsyncIterator[tuple[str, list[float]]]:
    """Open pages in Chromium; yield the milliseconds from the click to the first paint that has the rows."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.program(), args=chromium.FLAGS)
        page = await browser.new_page(base_url=up.url, viewport={"width": 1440, "height": 900})
        await page.goto("/login")
        await page.get_by_label("Name").fill("admin")
        await page.get_by_label("Password").fill(up.password)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/tasks*")
        for name, what in SEEN.items():
            chance, times = random.Random(name), list[float]()
            for _ in range(WARM_UP + rounds):
                await page.goto(PAGES[name](chance, tasks))
                times.append(await page.evaluate(PAINTED, what))
            yield name, times[WARM_UP:]
        await browser.close()


async def _ask(http: httpx2.AsyncClient, path: str) -> tuple[float, int]:
    """Return the milliseconds that a page takes, and its bytes on the wire."""
    began = time.perf_counter()
    answer = await http.get(path, headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
    passed = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
    return passed, int(answer.headers.get("content-length", 0))


async def _older(http: httpx2.AsyncClient, rounds: int) -> list[float]:
    """Follow the link to older tasks, page after page; return the milliseconds of each."""
    path, times = "/tasks", list[float]()
    for _ in range(rounds):
        began = time.perf_counter()
        text = (await http.get(path, headers={"Accept": "text/html"})).text
        times.append((time.perf_counter() - began) * 1000)
        found = re.search(r'rel="next" href="([^"]*)"', text)
        if found is None:
            break
        path = found[1].replace("&amp;", "&")
    return times


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
