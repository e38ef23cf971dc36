"""Output: batches in order, before results, bounded in memory and in all."""

import asyncio
import json
import time
from typing import Any

import pytest

from services.executor.output import BATCH_BYTES, MAX_WAITING, Output
from tests.support.eventually import eventually


class Sink:
    """Stores batches, slowly or not at all if told so."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures = 0
        self.inside = 0

    async def append(self, task_id: int, subtask: int, body: bytes) -> None:
        """Store one batch."""
        assert (task_id, subtask) == (7, 3)
        self.inside += 1
        assert self.inside == 1
        await self.gate.wait()
        self.inside -= 1
        if self.failures:
            self.failures -= 1
            raise ConnectionError("store is away")
        self.bodies.append(body)

    @property
    def texts(self) -> list[str]:
        """The text of every stored line."""
        return [line["m"] for body in self.bodies for line in json.loads(body)["lines"]]


@pytest.fixture
def sink() -> Sink:
    """An empty sink that stores at once."""
    return Sink()


def output_to(sink: Sink, limit_bytes: int = 16 * 1024 * 1024) -> Output:
    """Return an output of an attempt with a clock that stands still."""
    return Output(
        sink,
        task_id=7,
        subtask=3,
        generation=2,
        attempt=4,
        phase="execute",
        limit_bytes=limit_bytes,
        now=lambda: 1700000000.1234,
    )


async def test_a_batch_carries_the_attempt_and_its_lines(sink: Sink) -> None:
    """The body is what readers of LOGS expect, byte for byte."""
    output = output_to(sink)

    output.info("begin")
    output.warning("two\nlines")
    await output.flush()

    assert json.loads(sink.bodies[0]) == {
        "v": 1,
        "generation": 2,
        "attempt": 4,
        "phase": "execute",
        "lines": [
            {"t": 1700000000.123, "l": "INFO", "m": "begin"},
            {"t": 1700000000.123, "l": "WARN", "m": "two"},
            {"t": 1700000000.123, "l": "WARN", "m": "lines"},
        ],
    }


async def test_lines_leave_by_themselves_and_together(sink: Sink) -> None:
    """Without a flush lines arrive soon after the first, in one batch."""
    output = output_to(sink)

    for number in range(100):
        output.info(f"line {number}")
    began = time.monotonic()
    await eventually(lambda: len(sink.texts) == 100)

    assert len(sink.bodies) == 1
    assert time.monotonic() - began < 1.0


async def test_nothing_exists_while_nothing_is_said(sink: Sink) -> None:
    """An attempt that prints nothing makes no task and no timer, also when flushed."""
    before = len(asyncio.all_tasks())
    output = output_to(sink)

    await output.flush()

    assert len(asyncio.all_tasks()) == before
    assert sink.bodies == []


async def test_a_steady_trickle_is_not_a_message_a_line(sink: Sink) -> None:
    """Lines that come one by one while batches are stored still travel in company."""
    output = output_to(sink)

    for number in range(200):
        output.info(str(number))
        await asyncio.sleep(0.001)
    await output.flush()

    assert sink.texts == [str(number) for number in range(200)]
    assert len(sink.bodies) <= 25


async def test_large_output_travels_in_bounded_batches_in_order(sink: Sink) -> None:
    """Many lines keep their order across batches, none larger than a batch may be."""
    output = output_to(sink)

    for number in range(5_000):
        await output.write("INFO", f"{number:05} " + "x" * 100)
    await output.flush()

    assert [text[:5] for text in sink.texts] == [f"{number:05}" for number in range(5_000)]
    assert max(len(body) for body in sink.bodies) <= BATCH_BYTES + 1_024


async def test_a_slow_store_slows_writers_down(sink: Sink) -> None:
    """While the store stands still, writers wait with bounded memory, and both of two writers go on afterwards."""
    output = output_to(sink)
    sink.gate.clear()
    written = 0

    async def flood() -> None:
        nonlocal written
        feed = output.lines("INFO")
        for _ in range(200):
            await feed.feed(b"y" * 4_000 + b"\n")
            written += 1

    floods = [asyncio.create_task(flood()) for _ in range(2)]
    await asyncio.wait(floods, timeout=0.3)

    assert written * 4_000 < MAX_WAITING * 1.5
    sink.gate.set()
    await asyncio.gather(*floods)
    await output.flush()
    assert len(sink.texts) == 400


async def test_lines_that_cannot_wait_are_counted_when_lost(sink: Sink) -> None:
    """The calls that never wait drop lines past the memory bound, and the log says how many."""
    output = output_to(sink)
    sink.gate.clear()

    for _ in range(1_000):
        output.info("z" * 1_000)
    sink.gate.set()
    await output.flush()

    lost = [text for text in sink.texts if "lines lost here" in text]
    kept = len(sink.texts) - len(lost)
    assert lost == [f"[{1_000 - kept} lines lost here: they were said faster than they could be stored]"]


async def test_past_the_limit_one_line_says_so(sink: Sink) -> None:
    """The limit ends the log with exactly one line about it."""
    output = output_to(sink, limit_bytes=10_000)

    for _ in range(100):
        await output.write("INFO", "a" * 1_000)
    await output.flush()

    assert output.truncated
    assert sum("output limit of 10000 bytes reached" in text for text in sink.texts) == 1
    assert sink.texts[-1].startswith("[output limit")
    assert sum(map(len, sink.texts)) < 11_000


async def test_flush_returns_only_when_everything_is_stored(sink: Sink) -> None:
    """Logs before results: flush waits for the batch in flight and for what came after it."""
    output = output_to(sink)
    sink.gate.clear()
    output.info("first")
    flushing = asyncio.create_task(output.flush())
    await asyncio.sleep(0)
    output.info("second")
    await asyncio.wait({flushing}, timeout=0.1)

    assert not flushing.done()
    sink.gate.set()
    await flushing
    assert sink.texts == ["first", "second"]


async def test_a_failed_flush_says_so_and_a_second_one_loses_nothing(sink: Sink) -> None:
    """What could not be stored is kept for the next try, in order."""
    output = output_to(sink)
    sink.failures = 1
    output.info("kept")

    with pytest.raises(ConnectionError):
        await output.flush()
    output.info("too")
    await output.flush()

    assert sink.texts == ["kept", "too"]


async def test_a_store_that_comes_back_gets_the_lines_without_a_flush(sink: Sink) -> None:
    """A long attempt's lines are tried again by themselves after a failure."""
    output = output_to(sink)
    sink.failures = 1
    output.info("later")

    await eventually(lambda: sink.texts == ["later"], timeout=5)


async def test_letting_go_stores_nothing_more(sink: Sink) -> None:
    """A fenced attempt drops what it has, and leaves no timer behind."""
    output = output_to(sink)
    sink.gate.clear()
    output.info("dropped")
    asyncio.get_running_loop().call_soon(output.error, "likewise")
    await asyncio.sleep(0)

    await output.aclose()
    sink.gate.set()
    await output.flush()

    assert sink.bodies == []


def test_the_body_is_plain_utf_8() -> None:
    """Text is not escaped into ASCII, which would double its size."""
    sink: Any = None
    output = output_to(sink)

    assert "ü".encode() in output._body(['{"m":"ü"}'.encode()])
