"""Opening the log: waited for while it is away, also when it goes away in the middle; another log is refused."""

import asyncio
import json
from typing import Any, cast

import pytest

from services.executor.connection import Connection, LogRegression
from shared.log.jetstream import JetStreamStorage
from shared.log.memory import MemoryStorage
from shared.log.port import NotStored
from shared.log.transact import TaskLog
from shared.runtime.nats import Unanswered, Unreachable


class Flapping:
    """A stream that answers when it likes: each failure is raised once, in order, by whoever asks next."""

    def __init__(self, *failures: Exception | None, created: str = "monday", last: int = 5) -> None:
        self._failures = list(failures)
        self.created = ""
        self._made, self._last = created, last

    def _ask(self) -> None:
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure

    async def open(self) -> None:
        """Look at the stream."""
        self._ask()
        self.created = self._made

    async def tail(self) -> dict[str, Any]:
        """Look at its end."""
        self._ask()
        return {"created": self._made, "last_seq": self._last}


def connection(stream: Flapping, **known: Any) -> Connection:
    """A connection whose API knows this."""

    async def ask() -> bytes:
        if not known:
            raise Unreachable("no API")
        return json.dumps(known).encode()

    return Connection(cast("JetStreamStorage", stream), TaskLog(MemoryStorage()), ask)


@pytest.mark.parametrize(
    "failures",
    [(), (Unreachable("away"),), (None, NotStored("gone again"), Unanswered("slow")), (None, NotStored("gone again"))],
)
async def test_a_log_that_comes_and_goes_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, failures: tuple[Exception | None, ...]
) -> None:
    """Also when it goes away between two questions: that must not end the executor."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _: sleep(0))
    stream = Flapping(*failures)
    await asyncio.wait_for(connection(stream, created="monday", highest=5).open(), 2)
    assert stream.created == "monday"


@pytest.mark.parametrize("known", [{"created": "sunday", "highest": 1}, {"created": "monday", "highest": 6}])
async def test_another_log_than_the_apis_know_is_refused(known: dict[str, Any]) -> None:
    """Made anew, or shorter than what was seen: nothing may run (P12)."""
    with pytest.raises(LogRegression):
        await connection(Flapping(), **known).open()


async def test_no_api_stops_no_work() -> None:
    """What cannot be asked is not held against the log."""
    await connection(Flapping()).open()


async def test_a_log_made_anew_during_an_outage_is_refused() -> None:
    """It is not the one this executor has worked on."""
    stream = Flapping()
    here = connection(stream)
    await here.open()
    stream._made = "tuesday"
    with pytest.raises(LogRegression):
        await here.open()
