"""`log.check`: executors ask which log the APIs know before they run anything (P12). Answers, and does nothing else."""

from collections.abc import Callable
from typing import Any

from faststream.nats import NatsBroker

from shared.messages import subjects


def subscribe(broker: NatsBroker, known: Callable[[], dict[str, Any]]) -> None:
    """Answer with what `known` returns: `created` (when TASKS was created) and `highest` (the last sequence seen)."""

    @broker.subscriber(subjects.LOG_CHECK, title="log.check")
    async def check() -> dict[str, Any]:
        """Say which log this API knows: when it was created and the highest sequence seen."""
        return known()
