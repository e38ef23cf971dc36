"""What runs beside requests: jobs whose end ends the process, the view's progress, status events that never wait."""

import asyncio
import contextlib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from nats.errors import ConnectionClosedError

from services.api.background import Background
from services.api.bus.status import BUFFER, StatusEvents
from services.api.vitals import STUCK_SECONDS, Progress
from shared.messages.commit import By, Commit, Decision
from shared.task import events as ev
from tests.support.eventually import eventually

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


async def test_a_job_that_dies_is_told_once_with_its_cause() -> None:
    """Half an API is worse than none; the others are stopped quietly afterwards."""
    told: list[tuple[str, str]] = []
    background = Background(lambda name, error: told.append((name, str(error))))

    async def die() -> None:
        raise ValueError("broken")

    background.keep(asyncio.Event().wait(), "waits")  # type: ignore[arg-type]  # what it returns matters to nobody
    background.keep(die(), "dies")
    await eventually(lambda: told)
    assert told == [("dies", "broken")]
    assert background.alive("waits")
    await background.stop()
    assert told == [("dies", "broken")]


async def test_a_job_that_just_ends_has_died_too() -> None:
    """Jobs run for ever."""
    told: list[str] = []
    background = Background(lambda name, error: told.append(f"{name}: {error}"))
    background.keep(asyncio.sleep(0), "ends")
    await eventually(lambda: told == ["ends: it ended by itself"])
    await background.stop()


async def test_stopping_kills_nobody() -> None:
    """An orderly stop is no death."""
    told: list[str] = []
    background = Background(lambda name, error: told.append(name))
    background.keep(asyncio.sleep(100), "sleeps")
    await background.stop()
    assert told == []


def test_a_view_that_moves_keeps_up() -> None:
    """Behind is fine while it moves; standing still behind the log for long is not, standing still at its end is."""
    clock = [0.0]
    progress = Progress(lambda: clock[0])
    assert progress.keeps_up(5, 5)
    clock[0] += 1000
    assert progress.keeps_up(5, 6)
    clock[0] += STUCK_SECONDS - 1
    assert progress.keeps_up(5, 6)
    assert progress.keeps_up(6, 9)
    clock[0] += STUCK_SECONDS - 1
    assert progress.keeps_up(6, 9)
    clock[0] += 2
    assert not progress.keeps_up(6, 9)
    assert progress.keeps_up(9, 9)


class Wire:
    """A client that remembers what was published, or is away."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.away = False

    async def publish(self, subject: str, body: bytes) -> None:
        """Send."""
        if self.away:
            raise ConnectionClosedError
        self.sent.append(subject)


def applied(*events: Any) -> Any:
    """A commit as the projector hands it over."""
    decision = Decision(id="d", at=AT, by=By(kind="user", name="ada"), events=())
    commit = Commit(task=7, decisions=(decision.model_copy(update={"events": events}),))
    return SimpleNamespace(seq=1, commit=commit)


async def test_status_events_go_out_by_type_and_strangers_do_not() -> None:
    """A newer program's event type never becomes a subject."""
    wire = Wire()
    status = StatusEvents(wire)  # type: ignore[arg-type]  # a client in memory
    sending = asyncio.create_task(status.run())
    status.applied(1, [applied(ev.TaskRetried(turn=1), ev.UnknownEvent(type="x.>"), ev.TaskDeleted(turn=2))])
    await eventually(lambda: wire.sent == ["events.task.retried", "events.task.deleted"])
    wire.away = True
    status.applied(2, [applied(ev.TaskRetried(turn=1))])
    await eventually(lambda: status.dropped == 1)
    sending.cancel()
    assert status.published == 2


async def test_status_events_never_hold_the_projector_up() -> None:
    """What does not fit is dropped and counted."""
    status = StatusEvents(Wire())  # type: ignore[arg-type]  # a client in memory
    status.applied(1, [applied()] * (BUFFER + 10))
    status.applied(2, [applied()])
    assert status.dropped == 11


async def test_a_job_that_swallows_a_cancellation_is_cancelled_again() -> None:
    """A library that loses one does not keep the process from stopping."""

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    background = Background(lambda name, error: None)
    background.keep(stubborn(), "stubborn")
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await background.stop()
