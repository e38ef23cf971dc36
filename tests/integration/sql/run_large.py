"""A process that runs one script as an executor would, with the real result store, and says how large it grew.

Reads JSON from stdin: `nats`, `connection` (name, url, password), `params`. Writes JSON: `before_mb`, `peak_mb`,
`seconds`, `output`.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from services.executor.operations.contract import Connection, Context, ExecutorPolicy
from services.executor.operations.sql_script import SqlExecute
from services.executor.output import Output
from services.executor.processes import Children
from shared.runtime.nats import connect
from shared.store.logs import LogStore
from shared.store.objects import Results


def peak_mb() -> float:
    """The most memory this program ever had; the kernel's other figure counts what the parent had before it, too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


async def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Run it."""
    client = await connect(asked["nats"], name="large script")
    password = {"password": asked["connection"].pop("password")}
    connection = Connection(**asked["connection"], secrets=password)

    async def find(name: str) -> Connection:
        return connection

    log = Output(
        LogStore(client), task_id=1, subtask=1, generation=1, attempt=1, phase="execute", limit_bytes=1_000_000
    )
    context = Context(
        task_id=1,
        subtask=1,
        key="execute",
        generation=1,
        attempt=1,
        phase="execute",
        token="1/1/1",
        fence=1,
        log=log,
        upstreams={},
        cancelled=asyncio.Event(),
        files=Path("/nonexistent"),
        policy=ExecutorPolicy(),
        children=Children(),
        results=Results(client, timeout=asked.get("store_timeout", 10.0)),
        resolve_connection=find,
    )
    operation = SqlExecute()
    before, began = peak_mb(), time.monotonic()
    output = await operation.execute(context, operation.parse(asked["params"]))
    seconds = time.monotonic() - began
    await log.flush()
    await client.close()
    return {"before_mb": before, "peak_mb": peak_mb(), "seconds": seconds, "output": output}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(run(json.load(sys.stdin)))))
