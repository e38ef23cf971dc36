"""The runs of every subtask of a task, told apart by their number, as a diagnosis files them.

A run's number is OCP's `runTime`. Undoing a failed attempt belongs to the run that follows it, undoing in a rollback
and skipping to the last one there was. Lines go through a temporary file, so that memory does not grow with them.
"""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import Final, Self

from services.api.rest.log_text import Key, LogText, Run, parsed
from shared.log.port import Stored
from shared.messages.codec import Undecodable, decode
from shared.store.logs import LogStore
from shared.task import events as ev
from shared.task.state import Operation

IN_MEMORY: Final = 1024 * 1024
CHUNK: Final = 256 * 1024
PAUSE: Final = 64
"""After so many commits others get their turn."""


class Runs(LogText):
    """Follows one subtask; knows each run's number."""

    def __init__(self, task_id: int, number: int) -> None:
        super().__init__(task_id, number)
        self._count = 0
        self._numbers: dict[int, int] = {}

    def take(self, event: ev.AnyEvent, at: datetime) -> None:
        """Take one event."""
        self._event(event, at)

    def files(self) -> Iterator[tuple[int, list[tuple[Key | None, Run]]]]:
        """Yield each number and its runs in order, with the keys that their lines stand under."""
        found: dict[int, list[tuple[Key | None, Run]]] = {}
        for key, run in self.runs:
            found.setdefault(self._numbers.get(id(run), max(1, self._count)), []).append((key, run))
        yield from sorted(found.items(), key=lambda item: item[0])

    def _begin(self, key: Key, at: datetime) -> None:
        super()._begin(key, at)
        undoing = key[2] == "undo"
        self._count += not undoing
        ahead = undoing and self._operation is not Operation.ROLLBACK
        self._numbers[id(self._order[-1])] = max(1, self._count + ahead)

    def _skipped(self, at: datetime) -> None:
        super()._skipped(at)
        self._numbers[id(self._order[-1])] = max(1, self._count)


async def followed(task_id: int, subtasks: int, history: Iterable[Stored]) -> list[Runs]:
    """Return the runs of each subtask, in number order. Commits that cannot be read are passed over."""
    found = [Runs(task_id, number) for number in range(1, subtasks + 1)]
    for place, stored in enumerate(history):
        if place % PAUSE == 0:
            await asyncio.sleep(0)
        try:
            commit = decode(stored.body)
        except Undecodable:
            continue
        for decision in commit.decisions:
            for event in decision.events:
                for runs in _concerned(event, found):
                    runs.take(event, decision.at)
    return found


def _concerned(event: ev.AnyEvent, found: list[Runs]) -> list[Runs]:
    if isinstance(event, ev.UnknownEvent):
        return []
    number = getattr(event, "subtask", None)
    return found if number is None else found[max(0, number - 1) : number]


class Lines:
    """What one subtask printed, by run, in a temporary file. Use it as a context."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  closed by the context
        self._places: dict[Key, list[tuple[int, int]]] = {}
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def keys(self) -> list[Key]:
        """The runs that printed something, in order."""
        return list(self._places)

    async def fill(self, logs: LogStore, task_id: int, number: int) -> None:
        """Take everything that LOGS has of a subtask. Raises `LogsUnavailable`."""
        found = await logs.after(task_id, number, 0)
        while found:
            for stored in found:
                self._keep(stored.body)
            found = await logs.after(task_id, number, found[-1].seq)

    def _keep(self, body: bytes) -> None:
        key, lines = parsed(body)
        text = "".join(f"{line}\n" for line in lines).encode(errors="replace")
        self._places.setdefault(key, []).append((self._end, len(text)))
        self._file.write(text)
        self._end += len(text)

    def of(self, key: Key | None) -> Iterator[bytes]:
        """Yield what a run printed, in pieces."""
        for start, size in self._places.get(key, []) if key is not None else []:
            self._file.seek(start)
            for done in range(0, size, CHUNK):
                yield self._file.read(min(CHUNK, size - done))
