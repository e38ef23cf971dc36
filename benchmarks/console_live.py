"""`python -m benchmarks.console_live`: what open live pages cost the API while tasks go on.

Half of the pages are the list of tasks, half are tasks' pages, two readers each. Commits are made here, as executors
make them, at a steady pace; the same pace without pages is measured first. `--own` gives each list an address of its
own, so that no two readers of lists share what is drawn.
"""

import argparse
import asyncio
import base64
import html
import json
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from benchmarks import machine
from benchmarks.machine import seconds
from benchmarks.report import Report, per_s
from shared.log.jetstream import JetStreamStorage
from shared.log.port import Note
from shared.log.transact import TaskLog
from shared.messages.commit import By
from shared.runtime import logging
from shared.runtime.clock import commit_id, now
from shared.runtime.nats import connect
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Item
from tests.support.up import Up

STEPS = 10
WARM_UP = 3.0
BODY = {"name": "chain", "plan": {"subtasks": [
    {"key": f"s{n}", "operation": "noop", "upstreams": [f"s{n - 1}"] if n > 1 else []} for n in range(1, STEPS + 1)
]}}  # fmt: skip


def main(words: list[str]) -> int:
    """Measure, print, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console_live", description=__doc__)
    parser.add_argument("--pages", type=int, default=200, help="how many are open (200)")
    parser.add_argument("--rate", type=float, default=50.0, help="commits a second (50)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each is measured (20)")
    parser.add_argument("--own", action="store_true", help="each list has an address of its own")
    given = parser.parse_args(words)
    logging.configure("warning", service="benchmarks")
    report = Report()
    report.title("conditions")
    report.fact("machine", machine.describe())
    report.fact("pages", f"{given.pages}, {given.rate:g} commits/s, {given.seconds:g} s each")
    with (
        tempfile.TemporaryDirectory(prefix="opsledger-live-") as folder,
        Up(
            Path(folder),
            executors=0,
            OPSLEDGER_SSE_PER_PRINCIPAL=str(given.pages),
            OPSLEDGER_RESCUE_AFTER_SECONDS="3600",
        ) as up,
    ):
        figures = asyncio.run(_measure(up, given, report))
    report.warn_if_noisy()
    print(f"\n{json.dumps(figures)}", flush=True)
    return 0


async def _measure(up: Up, given: argparse.Namespace, report: Report) -> dict[str, float]:
    api = up.child("api").pid
    client = await connect(up.nats_url, name="benchmark")
    log = TaskLog(JetStreamStorage(client))
    async with httpx2.AsyncClient(base_url=up.url, auth=("admin", up.password), trust_env=False) as http:
        count = max(given.pages // 4, 1)
        quiet = [await _create(http) for _ in range(int(given.rate * (given.seconds + WARM_UP) / STEPS / 2) + 1)]
        await _commits(log, quiet, given.rate, WARM_UP)
        with report.watching():
            alone, slow = await _share(api, _commits(log, quiet, given.rate, given.seconds))
        watched = [await _create(http) for _ in range(max(count, len(quiet)))]
        paths = [f"/tasks?q=since:{n + 1}d" if given.own else "/tasks" for n in range(given.pages // 2)]
        paths += [f"/tasks/{watched[n // 2 % len(watched)]}" for n in range(given.pages - len(paths))]
        readers = [await Reader.open(up, await _live(http, path)) for path in paths]
        await _commits(log, watched, given.rate, WARM_UP)
        before = sum(reader.bytes for reader in readers), sum(reader.patches for reader in readers)
        with report.watching():
            busy, rate = await _share(api, _commits(log, watched, given.rate, given.seconds))
        sent = (sum(reader.bytes for reader in readers) - before[0]) / given.seconds
        patches = (sum(reader.patches for reader in readers) - before[1]) / given.seconds
        for reader in readers:
            reader.close()
    await client.close()
    report.head()
    report.row("API without pages", f"{alone:.2f} cores", f"projecting {per_s(slow)}")
    report.row(f"API with {given.pages} pages", f"{busy:.2f} cores", f"{busy - alone:.2f} more, at {per_s(rate)}")
    report.row("patches", per_s(patches), f"{sent / 1024:,.0f} KiB/s in all")
    return {"pages": given.pages, "rate": round(rate, 1), "alone": round(alone, 3), "with_pages": round(busy, 3)}


async def _create(http: httpx2.AsyncClient) -> int:
    answer = await http.post("/api/v2/tasks/instances", json=BODY)
    answer.raise_for_status()
    return int(answer.json()["data"]["id"])


async def _live(http: httpx2.AsyncClient, path: str) -> str:
    """Return the live address of a page as it stands in it."""
    text = (await http.get(path, headers={"Accept": "text/html"})).text
    found = re.search(r'<body data-live="([^"]*)" data-seen="(\d+)"', text)
    assert found is not None, text[:500]
    return f"{html.unescape(found[1])}&after={found[2]}"


async def _share(pid: int, commits: Awaitable[int]) -> tuple[float, float]:
    """Return how many cores a process takes while commits are made, and how many were made a second."""
    began, before = time.monotonic(), seconds(pid)
    made = await commits
    passed = time.monotonic() - began
    return (seconds(pid) - before) / passed, made / passed


async def _commits(log: TaskLog, tasks: list[int], rate: float, lasting: float) -> int:
    """Claim and settle subtasks, one commit after another, a task's next step when all others had theirs."""
    began, done = time.monotonic(), 0
    for task_id in _round(tasks):
        if time.monotonic() - began > lasting:
            break
        await asyncio.sleep(max(0.0, began + done / rate - time.monotonic()))
        done += await _step(log, task_id)
    return done


def _round(tasks: list[int]) -> Iterator[int]:
    for _ in range(STEPS * 2 + 1):
        yield from tasks


async def _step(log: TaskLog, task_id: int) -> int:
    """Make the task's next commit; return how many were made."""
    task = await log.load(task_id)
    running = next((one for one in task.subtasks if one.claim is not None), None) if task is not None else None
    ready = next((one for one in task.subtasks if one.status == "READY"), None) if task is not None else None
    note = Note(commit_id(), now(), By(kind="executor", name="benchmark"))
    command: cmd.Command
    if running is not None and running.claim is not None:
        command = cmd.Settle(running.number, running.claim.fence, cmd.Succeeded({}), note.at)
    elif ready is not None:
        command = cmd.Claim(ready.number, cmd.Claimant("inc", "benchmark", Item(stamp="s", seq=1)), note.at)
    else:
        return 0
    await log.transact(task_id, lambda found: decide(found, command), note)
    return 1


class Reader:
    """A browser's stream, read and thrown away; `bytes` and `patches` say how much came."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.bytes = self.patches = 0
        self._job: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, up: Up, path: str) -> "Reader":
        """Open a stream."""
        parts = urlsplit(up.url)
        source, writer = await asyncio.open_connection(parts.hostname, parts.port)
        login = base64.b64encode(f"admin:{up.password}".encode()).decode()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Basic {login}\r\n\r\n".encode())
        status = await source.readline()
        assert b" 200 " in status, status
        found = cls(writer)
        found._job = asyncio.create_task(found._read(source))
        return found

    async def _read(self, source: asyncio.StreamReader) -> None:
        while chunk := await source.read(1 << 16):
            self.bytes += len(chunk)
            self.patches += chunk.count(b"event: patch")

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
