"""`python -m tests.integration.sync.killed NATS_URL STEPS.json`: runs operations in children that may die on the way.

A step is one attempt: which operation, of which task, between which folders, and the failpoint that kills it, if any.
The real results store keeps what attempts leave behind. Prints what became of each step, as JSON.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from opsledger.testing import Ran
from services.executor.disclosed import MaskedResults
from services.executor.fault import Fault
from services.executor.masking import Masker
from services.executor.operations.contract import Connection, Context, ExecutorPolicy, Operation
from services.executor.operations.object_sync_batch import ObjectSyncBatch
from services.executor.operations.object_sync_finish import ObjectSyncFinish
from services.executor.operations.object_sync_lane import ObjectSyncLane
from services.executor.operations.object_sync_list import ObjectSyncList
from services.executor.output import Output
from services.executor.processes import Children
from shared.runtime import failpoint
from shared.runtime.nats import connect
from shared.store.objects import Results

OPERATIONS: dict[str, Operation[Any]] = {
    each.name: each for each in (ObjectSyncBatch(), ObjectSyncFinish(), ObjectSyncLane(), ObjectSyncList())
}


async def _attempt(url: str, step: dict[str, Any]) -> dict[str, Any]:
    """Run one attempt to its end."""
    client = await connect(url, name="killed")
    operation = OPERATIONS[step["operation"]]

    async def connection(name: str) -> Connection:
        return Connection(name, f"file://{step[name]}")

    ctx = Context(
        task_id=step["task"],
        subtask=step["subtask"],
        key="killed",
        generation=step.get("generation", 1),
        attempt=1,
        phase="execute",
        token="",
        fence=1,
        log=Output(Ran(), task_id=1, subtask=1, generation=1, attempt=1, phase="execute", limit_bytes=10_000_000),
        upstreams=step.get("upstreams", {}),
        cancelled=asyncio.Event(),
        files=Path(),
        policy=ExecutorPolicy(),
        children=Children(),
        results=MaskedResults(Results(client), Masker()),
        resolve_connection=connection,
    )
    try:
        return {"output": await operation.execute(ctx, operation.parse(step["params"]))}
    except Fault as fault:
        return {"fault": fault.detail, "message": fault.message}
    finally:
        await client.close()


def in_child(url: str, step: dict[str, Any]) -> dict[str, Any]:
    """Run one attempt in a child; `{"killed": true}` when it died at its failpoint."""
    with tempfile.NamedTemporaryFile() as kept:
        child = os.fork()
        if child == 0:
            name, _, count = step.get("point", "").partition(":")
            failpoint._NAME, failpoint._left = name, int(count or "1")
            Path(kept.name).write_text(json.dumps(asyncio.run(_attempt(url, step))), encoding="utf-8")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return {"killed": os.WTERMSIG(status) == 9}
        return dict(json.loads(Path(kept.name).read_text(encoding="utf-8")))


def main(url: str, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run all; a step with `after` takes the output of an earlier one, by its place, as upstream."""
    done: list[dict[str, Any]] = []
    for step in steps:
        if "put" in step:
            Path(step["put"]).write_bytes(b"late")
            done.append({})
            continue
        upstreams = {f"up-{place}": done[place]["output"] for place in step.get("after", [])}
        done.append(in_child(url, {**step, "upstreams": upstreams}))
    return done


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))))
