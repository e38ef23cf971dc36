"""How the process and what it needs are doing: each resource's own ping, and the numbers behind `/metrics`."""

import asyncio
import os
import platform
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from time import monotonic, perf_counter
from typing import Any

from prometheus_client.core import Metric

from services.api.background import Background
from services.api.bus.replicas import Replica
from services.api.bus.status import StatusEvents
from services.api.commands import Commands
from services.api.numbers import counter, gauge
from services.api.projection.projector import Projector
from services.api.projection.reads import Reads
from services.api.rescuer import Rescuer
from services.api.rest.ports import Health
from shared.log.jetstream import JetStreamStorage
from shared.log.transact import TaskLog
from shared.runtime.clock import now
from shared.runtime.logging import get

PING_SECONDS = 2.0
STUCK_SECONDS = 30.0
"""How long the view may stand still behind the log before it counts as stuck."""

log = get(__name__)


class Progress:
    """Whether a position keeps up with an end that moves. Asked now and then; knows no clock but ours."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._position = -1
        self._since: float | None = None

    def keeps_up(self, position: int, last: int) -> bool:
        """Whether the position is at the end, or has moved within `STUCK_SECONDS`."""
        if position >= last:
            self._since = None
        elif self._since is None or position != self._position:
            self._since = self._clock()
        self._position = position
        return self._since is None or self._clock() - self._since < STUCK_SECONDS


@dataclass(slots=True)
class Vitals:
    """What is pinged and counted."""

    storage: JetStreamStorage
    log: TaskLog
    reads: Reads
    projector: Projector
    commands: Commands
    rescuer: Rescuer
    status: StatusEvents
    background: Background
    progress: Progress
    last: int = 0
    """The log's last sequence when it was last asked."""
    started_at: datetime = field(default_factory=now)

    def replica(self) -> dict[str, Any]:
        """Return what this process says of itself to the others."""
        said = Replica(
            host=platform.node(),
            pid=os.getpid(),
            version=version("opsledger"),
            started_at=self.started_at,
            position=self.projector.position.seq,
            projecting=self.projector.active,
        )
        return said.model_dump(mode="json", by_alias=True)

    async def health(self) -> dict[str, Health]:
        """Ping everything at once."""
        nats, database = await asyncio.gather(_ping(self._ping_log), _ping(self._ping_database))
        position = self.projector.position.seq
        well = database.ok and self.background.alive("projector") and self.progress.keeps_up(position, self.last)
        return {"nats": nats, "database": database, "projection": Health(well, lag=max(0, self.last - position))}

    async def _ping_log(self) -> None:
        self.last = int((await self.storage.tail())["last_seq"])

    async def _ping_database(self) -> None:
        await self.reads.checkpoint()

    def numbers(self) -> Iterator[Metric]:
        """Yield what this process counts."""
        position = self.projector.position.seq
        yield counter("log_commits", "Commits this process made.", self.log.commits)
        yield counter("log_decisions", "Decisions in those commits.", self.log.decisions)
        yield counter("log_conflicts", "Races this process lost.", self.log.conflicts)
        yield counter("tasks_created", "Tasks this process created.", self.commands.created)
        yield counter("dispatches_failed", "Dispatches left to the rescuer.", self.commands.undispatched)
        yield counter("rescued_items", "Missing work items queued again.", self.rescuer.rescued)
        yield counter("projected_commits", "Commits this process projected.", self.projector.commits)
        yield counter("set_aside", "Messages of the log that cannot be used.", self.projector.set_aside)
        yield counter("status_events", "Status events published.", self.status.published)
        yield counter("status_events_dropped", "Status events that were not sent.", self.status.dropped)
        yield gauge("projecting", "Whether this process is the projector.", float(self.projector.active))
        yield gauge("view_position", "Log position of the view.", position)
        yield gauge("log_highest", "Highest log position this process has seen.", max(self.log.highest, self.last))
        yield gauge(
            "view_lag", "Log positions the view is behind.", max(0, max(self.log.highest, self.last) - position)
        )


async def _ping(ping: Callable[[], Awaitable[None]]) -> Health:
    began = perf_counter()
    detail = None
    try:
        async with asyncio.timeout(PING_SECONDS):
            await ping()
    except Exception as error:  # noqa: BLE001  whatever it is, the resource does not answer
        log.debug("ping failed", why=repr(error))
        detail = type(error).__name__
    return Health(detail is None, ms=round((perf_counter() - began) * 1000, 1), detail=detail)
