"""A work item: the hint that a subtask may be claimed, and how new a reader must be to judge it."""

import json
from dataclasses import dataclass

from shared.messages import subjects


@dataclass(frozen=True, slots=True)
class WorkItem:
    """Subtask 0 asks for the task's plan. `after` is the log sequence that made the item: a reader must be as new."""

    pool: str
    task_id: int
    subtask: int
    generation: int
    attempt: int
    after: int

    @property
    def subject(self) -> str:
        """The subject; the queue holds one item a subject, so the same attempt is never queued twice."""
        return subjects.work(self.pool, self.task_id, self.subtask, self.generation, self.attempt)

    def encode(self) -> bytes:
        """Return the body."""
        return b'{"v":1,"after":%d}' % self.after


def parse(subject: str, body: bytes) -> WorkItem:
    """Return the item; raise `ValueError` when it is none of ours."""
    tokens = subject.split(".")
    if len(tokens) != 5 or tokens[0] != "work":
        raise ValueError(f"not a work subject: {subject}")
    generation, _, attempt = tokens[4].partition("-")
    try:
        content = json.loads(body)
    except RecursionError as problem:
        raise ValueError("nested too deep") from problem
    if not isinstance(content, dict) or content.get("v") != 1 or not isinstance(content.get("after"), int):
        raise ValueError("not a work item of version 1")
    return WorkItem(tokens[1], int(tokens[2]), int(tokens[3]), int(generation), int(attempt), content["after"])
