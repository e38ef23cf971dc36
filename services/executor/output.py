"""What an operation prints, on its way to LOGS: batched, in order, bounded, and stored before its result.

Responsible for when lines travel and how much of them is kept. Refuses to know where a batch is stored (`LogSink`).
While nothing is printed there is no task and no timer.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Protocol

from services.executor.line import Lines, harmless, pieces
from services.executor.masking import Masker, Stream
from services.executor.operations.contract import Level, LineFeed, Phase

BATCH_BYTES = 64 * 1024
BATCH_DELAY = 0.05
RETRY_DELAY = 1.0
MAX_WAITING = 4 * BATCH_BYTES

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class LogSink(Protocol):
    """Where batches are stored; returns when the batch is safe, raises when it is not."""

    async def append(self, task_id: int, subtask: int, body: bytes) -> None:
        """Store one batch."""


class Output:
    """The log of one attempt.

    A batch leaves at 64 KiB or 50 ms after its first line, one batch at a time, so order is kept. At most 256 KiB
    wait: `write` and `lines` then wait too, which slows a flooding child down to the pace of the store; the calls
    that cannot wait (`info` …) drop the line, and a later one says how many were lost. Past `limit_bytes` one line
    says so and nothing more is kept. A batch that could not be stored is kept and tried again after a second, and
    by `flush`.
    """

    __slots__ = (
        "_error",
        "_flight",
        "_head",
        "_kept",
        "_limit",
        "_lines",
        "_lost",
        "_masker",
        "_now",
        "_room",
        "_sink",
        "_subtask",
        "_task_id",
        "_timer",
        "_urgent",
        "_waiting",
        "truncated",
    )

    def __init__(
        self,
        sink: LogSink,
        *,
        task_id: int,
        subtask: int,
        generation: int,
        attempt: int,
        phase: Phase,
        limit_bytes: int,
        masker: Masker | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._sink = sink
        self._task_id = task_id
        self._subtask = subtask
        self._head = (generation, attempt, phase)
        self._limit = limit_bytes
        self._masker = masker if masker is not None else Masker()
        self._now = now
        self._kept = 0
        self._waiting = 0
        self._lost = 0
        self._urgent = False
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._flight: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        self._error: Exception | None = None
        self.truncated = False

    def debug(self, text: str) -> None:
        """Say something only a maintainer wants to read."""
        self._say("DEBUG", text)

    def info(self, text: str) -> None:
        """Say what is going on."""
        self._say("INFO", text)

    def warning(self, text: str) -> None:
        """Say what deserves a look although work goes on."""
        self._say("WARN", text)

    def error(self, text: str) -> None:
        """Say what went wrong."""
        self._say("ERROR", text)

    async def write(self, level: Level, text: str) -> None:
        """Say something, waiting while the log is behind. Raises what the store raised if that is why it is behind."""
        for line in pieces(self._masker.text(text)):
            await self._make_room()
            self._keep(level, line)

    def lines(self, level: Level) -> LineFeed:
        """Return a feed that logs raw bytes line by line, waiting while the log is behind."""

        async def write(lines: list[str]) -> None:
            for line in lines:
                if self._waiting >= MAX_WAITING:
                    await self._make_room()
                self._keep(level, line)

        return _MaskedLines(Lines(write, lambda: self.truncated), self._masker)

    async def flush(self) -> None:
        """Return when all that was said is stored; call it before a result is committed. Raises if it cannot be."""
        self._tell_lost()
        self._urgent = True
        try:
            self._depart()
            while self._flight is not None:
                await asyncio.wait({self._flight})
                if self._error is not None:
                    raise self._error
                self._depart()
        finally:
            self._urgent = False

    async def aclose(self) -> None:
        """Let go without storing: for an attempt that lost its claim."""
        self._lines.clear()
        self.truncated = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait({self._flight})
        self._open_room()

    def _say(self, level: Level, text: str) -> None:
        for line in pieces(self._masker.text(text)):
            if self._waiting >= MAX_WAITING and not self.truncated:
                self._lost += 1
            else:
                self._keep(level, line)

    def _keep(self, level: Level, line: str) -> None:
        if self.truncated:
            return
        self._tell_lost()
        text = self._masker.text(harmless(line))  # once more: a terminal's colours may have stood in a value
        if self._kept + len(text) > self._limit:
            self.truncated = True
            self._push("WARN", f"[output limit of {self._limit} bytes reached: nothing after this line is kept]")
            return
        self._push(level, text)

    def _tell_lost(self) -> None:
        if self._lost:
            lost, self._lost = self._lost, 0
            self._push("WARN", f"[{lost} lines lost here: they were said faster than they could be stored]")

    def _push(self, level: Level, text: str) -> None:
        piece = _encode({"t": round(self._now(), 3), "l": level, "m": text}).encode()
        self._kept += len(piece)
        self._waiting += len(piece)
        self._lines.append(piece)
        if self._waiting >= BATCH_BYTES and self._error is None:
            self._depart()
        else:
            self._schedule()

    def _schedule(self) -> None:
        given_up = self._urgent and self._error is not None
        if self._lines and self._timer is None and self._flight is None and not given_up:
            delay = BATCH_DELAY if self._error is None else RETRY_DELAY
            self._timer = asyncio.get_running_loop().call_later(delay, self._depart)

    def _depart(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines and self._flight is None:
            self._error = None
            self._flight = asyncio.get_running_loop().create_task(self._travel())

    async def _travel(self) -> None:
        try:
            await self._store_batch()
            while self._lines and (self._urgent or self._waiting >= BATCH_BYTES):
                await self._store_batch()
        except Exception as error:  # noqa: BLE001 - handed to whoever flushes or waits for room
            self._error = error
        finally:
            self._flight = None
            self._open_room()
            self._schedule()

    async def _store_batch(self) -> None:
        count, size = 0, 0
        while count < len(self._lines) and (count == 0 or size + len(self._lines[count]) <= BATCH_BYTES):
            size += len(self._lines[count])
            count += 1
        await self._sink.append(self._task_id, self._subtask, self._body(self._lines[:count]))
        del self._lines[:count]
        self._waiting -= size
        self._open_room()

    def _body(self, lines: list[bytes]) -> bytes:
        generation, attempt, phase = self._head
        head = f'{{"v":1,"generation":{generation},"attempt":{attempt},"phase":"{phase}","lines":['
        return head.encode() + b",".join(lines) + b"]}"

    async def _make_room(self) -> None:
        while self._waiting >= MAX_WAITING and not self.truncated:
            if self._error is not None:
                raise self._error
            self._depart()
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()

    def _open_room(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None


class _MaskedLines:
    """A feed whose bytes are masked before they are cut into lines."""

    __slots__ = ("_lines", "_stream")

    def __init__(self, lines: Lines, masker: Masker) -> None:
        self._lines = lines
        self._stream = Stream(masker)

    async def feed(self, data: bytes) -> None:
        await self._lines.feed(self._stream.feed(data))

    async def end(self) -> None:
        await self._lines.feed(self._stream.end())
        await self._lines.end()
