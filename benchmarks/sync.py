"""How fast 10,000 objects of 1 KiB go from one folder to another: from the POST of the request to the visible end.

Twenty batches on two executors, through all of it: plan, claims, journals in the results store, copies that are read
back, lists, counts. The keys of a request and the folders are made before the clock starts.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from benchmarks import create
from benchmarks.figures import median, rate
from benchmarks.http import Connection
from benchmarks.report import per_s
from benchmarks.run import Run

BYTES = 1024
PAUSE_SECONDS = 0.1


def prepare(folder: Path, runs: int) -> None:
    """Write the connections of executors that are still to be started, and make the folders."""
    specs: list[dict[str, Any]] = []
    for name in ["sync-source", *(f"sync-to-{number}" for number in range(runs))]:
        path = folder / name
        path.mkdir()
        specs.append({"name": name, "url": f"file://{path}"})
    file = folder / "connections.json"
    file.write_text(json.dumps(specs), encoding="utf-8")
    os.environ["OPSLEDGER_CONNECTIONS_FILE"] = str(file)


def measure(run: Run, folder: Path) -> None:
    """Synchronise the same objects to one fresh folder after another. Two executors must run, and know the folders."""
    keys = [f"in/{number % 100:02}/object-{number}" for number in range(run.sizes.synced)]
    for key in keys:
        file = folder / "sync-source" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(key.encode().ljust(BYTES, b"."))
    with run.report.watching():
        seconds = run.do(_requests(run, keys))
    for number in range(len(seconds)):
        there = sum(1 for file in (folder / f"sync-to-{number}" / "in").rglob("*") if file.is_file())
        if there != len(keys):
            raise AssertionError(f"{there} objects instead of {len(keys)}")
    run.figures.synced_objects_per_s = median([rate(len(keys), each) for each in seconds])
    how = f"{len(keys):,} objects of 1 KiB, folder to folder, median of {len(seconds)}, best {min(seconds):.2f} s"
    run.report.row("objects synchronised", per_s(run.figures.synced_objects_per_s), how)


async def _requests(run: Run, keys: list[str]) -> list[float]:
    """Return the seconds from each request to its visible end."""
    connection = await Connection.open(run.system.url, run.system.password)
    taken = []
    with run.system.view() as view:
        for number in range(run.sizes.syncs):
            params = {"source": "sync-source", "destination": f"sync-to-{number}"}
            standing = create.task_id(
                await connection.send(connection.request(create.PATH, _body("object.sync", params)))
            )
            body = _body("object.sync.request", {"keys": keys}, parent=standing)
            taken.append((await create.one(connection, connection.request(create.PATH, body), view))[1])
            await asyncio.sleep(PAUSE_SECONDS)
    connection.close()
    return taken


def _body(kind: str, params: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"type": kind, "params": params, **more}).encode()
