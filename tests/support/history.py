"""Is a task's history a legal walk? An automaton of its own, on the wire's JSON, that imports nothing of the product.

For every subtask: it starts only when its upstreams are done, one claim at a time and none in a cancelled task;
attempts count up by one, generations with each retry by hand and each rollback; an end names the fence of the open
claim and fits what was going on; a rollback undoes what has started, followers first. Each cancel of something that
ran has exactly one outcome. The task ends once per life, when nothing is open, in the state that follows from its
subtasks.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

DOORS = {"rest", "bus", "cli", "console", "bulk"}
"""How an operator's command may have come in."""
TURNS = {f"task.{word}" for word in ("retried", "skipped", "cancel_requested", "rollback_requested", "deleted")} | {
    f"subtask.{word}" for word in ("retried", "skipped", "cancel_requested")
}
ENDS = {
    "subtask.succeeded": "done",
    "subtask.undone": "waiting",
    "subtask.failed": "failed",
    "subtask.cancelled": "failed",
    "subtask.retry_scheduled": "waiting",
    "subtask.lost": "waiting",
    "subtask.released": "waiting",
}
AGAIN = {"subtask.retry_scheduled", "subtask.lost", "subtask.released"}
"""Ends after which the subtask goes on by itself: none of them may follow a cancel."""
OPEN = {"running", "canceling"}


@dataclass
class Node:
    """One subtask, as far as events tell: waiting, running, canceling, done or failed."""

    number: int
    upstreams: tuple[int, ...]
    plan: dict[str, Any]
    state: str = "waiting"
    fence: int | None = None
    phase: str = "execute"
    attempt: int = 0
    generation: int = 1
    touched: bool = False
    to_undo: bool = False


@dataclass
class Walk:
    """What was seen of one task; `problems` says where its history is no legal walk."""

    problems: list[str] = field(default_factory=list)
    starts: int = 0
    lost: int = 0
    ignored: int = 0
    refused: int = 0
    finished: str | None = None
    backward: bool = False
    cancelled: bool = False
    turn: int = 0
    nodes: dict[int, Node] = field(default_factory=dict)
    cancels: Counter[str] = field(default_factory=Counter)
    """What became of claims that were asked to stop: the type of the event that ended each."""
    doors: Counter[str] = field(default_factory=Counter)
    _planned: bool = False
    _seq: int = 0

    def take(self, decision: dict[str, Any]) -> None:
        """Take one decision of the events endpoint: `seq`, `by`, `outcome` and `events`."""
        self._seq = decision["seq"]
        if decision["outcome"] == "ignored":
            self.ignored += 1
            return
        events = decision.get("events", ())
        if decision["outcome"] == "refused":
            self.refused += 1
            self._must(not events, "a refusal that does something")
            return
        self._actor(decision.get("by") or {}, {event["type"] for event in events})
        for event in events:
            self._event(event)

    def _must(self, holds: object, what: str) -> None:
        if not holds:
            self.problems.append(f"{self._seq}: {what}")

    def _actor(self, by: dict[str, Any], types: set[str]) -> None:
        if not by:
            return
        if by["kind"] == "user":
            self.doors[str(by.get("via"))] += 1
            self._must(by.get("via") in DOORS, f"came in by {by.get('via')}")
            self._must(not types & {*ENDS, "subtask.started"}, "an operator reports what executors do")
        else:
            self._must(not types & TURNS or by["kind"] == "system", f"an {by['kind']} commands: {types & TURNS}")

    def _event(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind in TURNS:
            self._turn(kind, event)
        elif kind == "task.planned":
            self._plan(event)
        elif kind == "subtask.started":
            self._started(event)
        elif kind in ENDS:
            self._ended(kind, self.nodes[event["subtask"]], event)
        elif kind == "task.finished":
            self._finished(event)

    def _plan(self, event: dict[str, Any]) -> None:
        self._must(not self._planned and self.finished is None, "planned twice, or after the end")
        if event["part"] == 1:
            self.nodes.clear()
        for number, plan in enumerate(event["subtasks"], start=len(self.nodes) + 1):
            self.nodes[number] = Node(number, tuple(plan.get("upstreams", ())), plan)
        self._planned = event["part"] == event["parts"]

    def _started(self, event: dict[str, Any]) -> None:
        self.starts += 1
        node = self.nodes[event["subtask"]]
        name = f"{event['subtask']}, which is {node.state},"
        self._must(node.state not in OPEN, f"{name} starts while it runs")
        self._must(self.finished is None, f"{name} starts after the end")
        self._must(not self.cancelled, f"{name} starts in a cancelled task")
        self._must(event["attempt"] == node.attempt + 1, f"{name} attempt {event['attempt']} after {node.attempt}")
        self._must(event["generation"] == node.generation, f"{name} generation is not {event['generation']}")
        if event["phase"] == "execute":
            waiting = [number for number in node.upstreams if self.nodes[number].state != "done"]
            self._must(node.state == "waiting" and not self.backward, f"{name} executes")
            self._must(not waiting, f"{name} starts before {waiting}")
        else:
            followers = [f.number for f in self.nodes.values() if node.number in f.upstreams and f.touched]
            self._must(node.touched, f"{name} is undone and never started")
            self._must(node.to_undo if self.backward else node.state == "waiting", f"{name} is undone")
            self._must(not (self.backward and followers), f"{name} is undone before its followers {followers}")
        node.state, node.fence, node.attempt = "running", self._seq, event["attempt"]
        node.phase, node.touched = event["phase"], True

    def _ended(self, kind: str, node: Node, event: dict[str, Any]) -> None:
        if node.state not in OPEN or node.fence != event["fence"]:
            which = f"fence {event['fence']}, open: {node.state} {node.fence}"
            self.problems.append(f"{self._seq}: {kind} of {node.number} with {which}")
            return
        self._must(kind != "subtask.cancelled" or node.state == "canceling", f"{kind} of {node.number} unasked")
        self._must((kind == "subtask.undone") <= (node.phase == "undo"), f"{kind} of {node.number}, which executed")
        self._must((kind == "subtask.succeeded") <= (node.phase == "execute"), f"{kind} of {node.number}, undone")
        after = ENDS[kind]
        if node.state == "canceling":
            self.cancels[kind] += 1
            self._must(kind not in AGAIN, f"{kind} of {node.number}, which was to be stopped")
            if kind == "subtask.undone" and not self.backward:
                after = "failed"
        self.lost += kind == "subtask.lost"
        if kind == "subtask.undone":
            node.touched = node.to_undo = False
        elif after == "failed":
            node.to_undo = False
        node.state, node.fence = after, None

    def _finished(self, event: dict[str, Any]) -> None:
        opened = [node.number for node in self.nodes.values() if node.state in OPEN]
        self._must(self.finished is None, "ends twice")
        self._must(not opened, f"ends while {opened} run")
        expected = self._follows()
        self._must(event["state"] in expected, f"ends {event['state']}, its subtasks say {expected}")
        self.finished = event["state"]

    def _follows(self) -> set[str]:
        nodes = self.nodes.values() if self._planned else ()
        if self.backward:
            done = not any(node.touched or node.to_undo or node.state != "waiting" for node in nodes)
        else:
            done = bool(nodes) and all(node.state == "done" for node in nodes)
        if done:
            return {"SUCCESSFUL"}
        return {"CANCELLED"} if self.cancelled else {"FAILED"}

    # ---- what operators do ------------------------------------------------------------------------------------

    def _turn(self, kind: str, event: dict[str, Any]) -> None:
        self._must(event["turn"] == self.turn + 1, f"turn {event['turn']} after {self.turn}")
        self.turn = event["turn"]
        if kind == "task.deleted":
            self._must(self.finished is not None, "deleted before its end")
            return
        if kind.endswith("cancel_requested"):
            self._cancel(kind, event)
            return
        before = self.finished
        self.finished, self.cancelled = None, False
        if kind == "task.rollback_requested":
            self._roll_back()
            return
        for node in self._meant(event):
            self._must(node.state in {"failed", "waiting"}, f"{kind} of {node.number}, which is {node.state}")
            if kind.endswith("retried"):
                self._must(not self.backward, f"{kind} of {node.number} in a rollback")
                node.state, node.generation = "waiting", node.generation + 1
            elif self.backward:
                node.state, node.touched, node.to_undo = "waiting", False, False
            else:
                node.state = "done"
        if before == "FAILED" and kind.endswith("skipped") and self._stopping():
            self.finished = before  # others of it still have failed: nothing begins, and nothing ends anew

    def _meant(self, event: dict[str, Any]) -> list[Node]:
        return [self.nodes[event["subtask"]]] if "subtask" in event else self._stopping()

    def _stopping(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.state == "failed" and not node.to_undo]

    def _cancel(self, kind: str, event: dict[str, Any]) -> None:
        self._must(self.finished is None, f"{kind} after the end")
        if kind == "task.cancel_requested":
            self.cancelled = True
            for node in self.nodes.values():
                if node.state == "running" and node.plan.get("can_cancel", True):
                    node.state = "canceling"
            return
        node = self.nodes[event["subtask"]]
        self._must(node.state in {"running", "waiting"}, f"{kind} of {node.number}, which is {node.state}")
        node.state = "canceling" if node.state == "running" else "failed"

    def _roll_back(self) -> None:
        self.backward = True
        for node in self.nodes.values():
            self._must(node.state not in OPEN, f"rolled back while {node.number} runs")
            node.to_undo = node.touched
            if node.touched:
                node.generation += 1
            else:
                node.state = "waiting"


def walk(decisions: list[dict[str, Any]]) -> Walk:
    """Walk a task's history and return what was seen; `problems` also names cancels that have no outcome yet."""
    seen = Walk()
    last = 0
    for decision in decisions:
        if decision["seq"] < last:
            seen.problems.append(f"{decision['seq']}: behind {last}")
        last = decision["seq"]
        seen.take(decision)
    if seen.finished is not None:
        seen.problems += [f"end: {n.number} is still {n.state}" for n in seen.nodes.values() if n.state in OPEN]
    return seen
