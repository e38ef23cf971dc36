"""Is a task's history a legal walk? An automaton of its own, on the wire's JSON, that imports nothing of the product.

For every subtask: it starts only when its upstreams have succeeded or were skipped, one claim at a time, attempts count
up by one, an end names the fence of the open claim, and what has ended stays ended until it is started again by a
retry. The task ends exactly once per life, when nothing is open.
"""

from dataclasses import dataclass, field
from typing import Any

ENDS = {
    "subtask.succeeded": "done",
    "subtask.failed": "failed",
    "subtask.cancelled": "failed",
    "subtask.retry_scheduled": "waiting",
    "subtask.lost": "waiting",
    "subtask.released": "waiting",
}


@dataclass
class _Node:
    upstreams: tuple[int, ...]
    state: str = "waiting"
    fence: int | None = None
    attempt: int = 0


@dataclass
class Walk:
    """What was seen of one task; `problems` says where its history is no legal walk."""

    problems: list[str] = field(default_factory=list)
    starts: int = 0
    lost: int = 0
    ignored: int = 0
    finished: str | None = None
    nodes: dict[int, _Node] = field(default_factory=dict)

    def take(self, decision: dict[str, Any]) -> None:
        """Take one decision of the events endpoint: `seq` and `events`."""
        if decision["outcome"] == "ignored":
            self.ignored += 1
            return
        for event in decision.get("events", ()):
            self._event(decision["seq"], event)

    def _event(self, seq: int, event: dict[str, Any]) -> None:
        kind = event["type"]
        if self.finished is not None and kind.startswith("subtask."):
            self.problems.append(f"{seq}: {kind} after the end")
        if kind == "task.planned":
            for number, node in enumerate(event["subtasks"], start=len(self.nodes) + 1):
                self.nodes[number] = _Node(tuple(node.get("upstreams", ())))
        elif kind == "subtask.started":
            self._started(seq, event)
        elif kind in ENDS:
            node = self.nodes[event["subtask"]]
            if node.state != "running" or node.fence != event["fence"]:
                self.problems.append(f"{seq}: {kind} of {event['subtask']} with fence {event['fence']}, open: {node}")
            node.state, node.fence = ENDS[kind], None
            self.lost += kind == "subtask.lost"
        elif kind == "task.finished":
            if self.finished is not None or any(node.state == "running" for node in self.nodes.values()):
                self.problems.append(f"{seq}: ends with something open, or twice")
            self.finished = event["state"]

    def _started(self, seq: int, event: dict[str, Any]) -> None:
        self.starts += 1
        node = self.nodes[event["subtask"]]
        waiting = [number for number in node.upstreams if self.nodes[number].state != "done"]
        if node.state != "waiting" or waiting:
            self.problems.append(f"{seq}: {event['subtask']} starts while {node.state}, upstreams open: {waiting}")
        if event["attempt"] != node.attempt + 1:
            self.problems.append(f"{seq}: attempt {event['attempt']} of {event['subtask']} follows {node.attempt}")
        node.state, node.fence, node.attempt = "running", seq, event["attempt"]


def walk(decisions: list[dict[str, Any]]) -> Walk:
    """Walk a task's history and return what was seen."""
    seen = Walk()
    last = 0
    for decision in decisions:
        if decision["seq"] < last:
            seen.problems.append(f"{decision['seq']}: behind {last}")
        last = decision["seq"]
        seen.take(decision)
    return seen
