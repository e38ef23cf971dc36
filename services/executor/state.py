"""What an executor says of itself in its entry besides what never changes: its claims, what runs, what it has counted.

Reads other rooms' state and changes none of it.
"""

from typing import Any

from services.executor.chain import Chains
from services.executor.lease import Leases
from services.executor.worker import Worker


def described(name: str, chains: Chains, worker: Worker, leases: Leases) -> dict[str, Any]:
    """Return the entry's changing part; times are ISO 8601."""
    counters, resting = chains.counters, worker.resting
    drained = {"drainedBy": resting.by, "drainingSince": resting.since.isoformat()} if resting is not None else {}
    running = [
        {"task": lease.delivery.item.task_id, "subtask": run.number, "fence": run.fence, "progress": run.progress}
        for lease in leases.held
        if (run := lease.running) is not None
    ]
    return {
        "name": name,
        "fences": leases.fences(),
        "running": running,
        "held": len(leases.held),
        "draining": chains.draining,
        **drained,
        "attempts": counters.attempts,
        "staleReports": counters.stale,
        "takeovers": counters.takeovers,
        "fenced": counters.fenced,
    }
