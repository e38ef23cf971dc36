"""The yardstick: how many conditional appends a second the very same broker takes from one client at all.

The stream is one of its own with the settings of TASKS, and is deleted afterwards. Each append expects that its
subject is empty, and carries no header but that expectation: less work than any commit of ours.
"""

import asyncio
import time

from nats.aio.client import Client

from benchmarks.figures import rate
from shared.messages import headers, subjects
from shared.runtime.nats import api, connect, request

STREAM = "BENCHMARK-RAW"
IN_FLIGHT = 64
BODY = b"x" * 400
WARM_UP_SECONDS = 0.5


async def appends_per_s(nats_url: str, seconds: float) -> float:
    """Append for that many seconds, after a warm-up, and return how many a second were acknowledged."""
    client = await connect(nats_url, name="benchmark raw")
    try:
        settings = (await api(client, f"STREAM.INFO.{subjects.TASKS}"))["config"]
        ours = {**settings, "name": STREAM, "subjects": [f"{STREAM}.*"], "metadata": {}}
        await api(client, f"STREAM.CREATE.{STREAM}", ours, timeout=10)
        try:
            return await _append(client, seconds)
        finally:
            await api(client, f"STREAM.DELETE.{STREAM}", timeout=30)
    finally:
        await client.close()


async def _append(client: Client, seconds: float) -> float:
    numbers = iter(range(1_000_000_000))
    expect_nothing = {headers.EXPECTED: "0"}
    acknowledged = 0
    over = False

    async def writer() -> None:
        nonlocal acknowledged
        for number in numbers:
            answer = await request(client, f"{STREAM}.{number}", BODY, headers=expect_nothing)
            if b'"error"' in answer:
                raise AssertionError(f"the broker refused an append: {answer!r}")
            acknowledged += 1
            if over:
                return

    writers = asyncio.gather(*(writer() for _ in range(IN_FLIGHT)))
    await asyncio.wait({writers}, timeout=WARM_UP_SECONDS)
    began, at_start = time.perf_counter(), acknowledged
    await asyncio.wait({writers}, timeout=seconds)
    taken, done = time.perf_counter() - began, acknowledged - at_start
    over = True
    await writers
    return rate(done, taken)
