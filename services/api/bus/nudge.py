"""Nudges: `nudge.<incarnation>` on core NATS tells an executor to look at a task now instead of at its next heartbeat.

At most once, and never needed: a heartbeat or the next commit finds out what a lost nudge would have said. The same
subject carries the wish that it take no new work; whoever sends that looks whether it does.
"""

from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic_core import to_json

from shared.messages import subjects
from shared.runtime.logging import get

log = get(__name__)


class ExecutorNudges:
    """Nudges over one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def nudge(self, incarnation: str, task_id: int) -> None:
        """Tell the executor of this incarnation to look at the task; whatever goes wrong is only logged."""
        try:
            await self._client.publish(subjects.nudge(incarnation), to_json({"task": task_id}))
        except (NatsError, OSError) as problem:
            log.warning("executor not nudged; its heartbeat will tell it", task=task_id, why=str(problem))

    async def drain(self, incarnation: str, by: str, *, on: bool) -> None:
        """Tell the executor of this incarnation to take no new work, or to take work again; likewise."""
        try:
            await self._client.publish(subjects.nudge(incarnation), to_json({"drain": on, "by": by}))
        except (NatsError, OSError) as problem:
            log.warning("executor not told to drain", incarnation=incarnation, why=str(problem))
