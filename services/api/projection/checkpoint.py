"""How far the view has come, and whether the log is still the one it has seen (P12). Knows no rows of tasks.

A log that is missing, was made anew, is shorter, or holds another commit at the checkpoint has forgotten something:
then nothing runs (`LogRegression`, exit code 3).
"""

import asyncio
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.api.projection.faults import reading
from services.api.projection.tables import checkpoint
from shared.log.jetstream import JetStreamStorage
from shared.log.port import NotStored
from shared.messages import subjects
from shared.runtime.nats import ApiError

STREAM_NOT_FOUND = 10059
LOOKS = 3
"""How often a regression must be seen before it is believed: a recovering cluster may answer nonsense for a moment."""
LOOK_PAUSE = 0.3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The last message the view holds: when its stream was created, its sequence, its commit id."""

    stream_created: str
    seq: int
    commit_id: str


class LogRegression(Exception):  # noqa: N818  what the world did
    """The log has forgotten what the view has seen. `kind`: missing, recreated, shorter, different or hole."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(
            f"LOG_REGRESSION: {what} Nothing runs until this is settled: restore the log from its replicas or archive; "
            "only when you are sure that this log is the one to go on with, run `opsledger projection rebuild`."
        )
        self.kind = kind


async def read_checkpoint(source: AsyncEngine | AsyncConnection) -> Checkpoint | None:
    """Return the view's checkpoint, or None when it has none. From an engine it raises `ViewUnavailable`."""
    if isinstance(source, AsyncEngine):
        async with reading(source) as connection:
            return await read_checkpoint(connection)
    query = select(checkpoint.c.stream_created, checkpoint.c.seq, checkpoint.c.commit_id)
    row = (await source.execute(query)).one_or_none()
    return Checkpoint(*row) if row is not None else None


async def check_log(storage: JetStreamStorage, seen: Checkpoint | None) -> str:
    """Return when the log's stream was created; raise `LogRegression`, or `NotStored` when the log cannot be asked."""
    for look in range(1, LOOKS + 1):
        try:
            return await _check(storage, seen)
        except LogRegression:
            if look == LOOKS:
                raise
        await asyncio.sleep(LOOK_PAUSE)
    raise AssertionError("unreachable")


async def check_hole(storage: JetStreamStorage, seq: int) -> None:
    """Raise `LogRegression` when the leader has lost the message at `seq` though the log goes on behind it."""
    tail = await storage.tail()
    if seq <= tail["last_seq"] and await storage.get(seq) is None:
        raise LogRegression("hole", f"stream {subjects.TASKS} has no message at sequence {seq}, but has later ones.")


async def _check(storage: JetStreamStorage, seen: Checkpoint | None) -> str:
    stream = f"stream {subjects.TASKS}"
    try:
        tail = await storage.tail()
    except NotStored as error:
        cause = error.__cause__
        if seen is None or not isinstance(cause, ApiError) or cause.code != STREAM_NOT_FOUND:
            raise
        raise LogRegression("missing", f"{stream} is missing, the view has seen it up to {seen.seq}.") from error
    created = str(tail["created"])
    if seen is None or seen.seq == 0:
        return created
    if created != seen.stream_created:
        what = f"{stream} was created at {created}, the view has seen one created at {seen.stream_created}."
        raise LogRegression("recreated", what)
    if tail["last_seq"] < seen.seq:
        what = f"{stream} ends at sequence {tail['last_seq']}, the view has seen {seen.seq}."
        raise LogRegression("shorter", what)
    found = await storage.get(seen.seq)
    if found is None or found.id != seen.commit_id:
        has = f"commit {found.id or 'without an id'}" if found is not None else "nothing"
        what = (
            f"{stream} has {has} at sequence {seen.seq}, the view has seen commit {seen.commit_id or 'without an id'}."
        )
        raise LogRegression("different", what)
    return created
