"""What the live routes stand on, made once a process: the tail of the log, histories, open streams."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from services.api.access import Teams
from services.api.numbers import counter, gauge
from services.api.rest.live.behind import Behind
from services.api.rest.live.commits import Commits
from services.api.rest.live.history import Histories
from services.api.rest.live.streams import Streams
from services.api.rest.live.tail import Tail
from shared.log.jetstream import JetStreamStorage
from shared.log.port import LogUnavailable, NotStored, Stored
from shared.log.transact import TaskLog
from shared.runtime.direct import BatchReads


class Live:
    """One per process; `close` ends what it does in the background."""

    def __init__(self, storage: JetStreamStorage, task_log: TaskLog, *, per_principal: int) -> None:
        self._storage = storage
        self._log = task_log
        self._reads = BatchReads(storage.client)
        self.histories = Histories(task_log)
        self.tail = Tail(storage, task_log)
        self.streams = Streams(per_principal)

    def commits(self, task_id: int | None, teams: Teams, after: int | None) -> Commits:
        """Return a reader of one task's commits, or of all that somebody of these teams sees."""
        return Commits(self.tail, self.histories, self._behind, self.last, task_id=task_id, teams=teams, after=after)

    async def last(self) -> int:
        """Return the log's last position. Raises `LogUnavailable`."""
        try:
            return int((await self._storage.tail())["last_seq"])
        except NotStored as problem:
            raise LogUnavailable("The log cannot be reached; nothing was stored.", maybe=False) from problem

    def numbers(self) -> Iterator[Metric]:
        """Yield what is counted."""
        yield gauge("live_streams", "Live streams that are open here.", len(self.streams))
        yield counter(
            "live_streams_refused", "Live streams refused because somebody had too many.", self.streams.refused
        )

    def stopping(self) -> None:
        """End every open stream: the server stops."""
        self.streams.end()

    async def close(self) -> None:
        """Stop following the log."""
        self.streams.end()
        await self.tail.close()

    def _behind(self) -> Behind:
        return Behind(self._reads, self._log, self._whole)

    async def _whole(self, seq: int) -> Stored | None:
        try:
            return await self._storage.get(seq)
        except NotStored as problem:
            raise LogUnavailable("The log cannot be reached; nothing was stored.", maybe=False) from problem
