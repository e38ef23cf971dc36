"""The history checker: what clients were told, what the log says, what happened outside. Do the three agree?

Inputs are append-only and independent of each other: calls (a client's own record; each one's `label` was sent along as
its reason), the log (the events endpoint's entries, task by task), and effects (lines that the tests' own operations
wrote). Imports nothing of the product. Names of anomalies are those of the reliability page, section 7.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from tests.support.history import walk
from tests.support.ledger import Line

Entries = Sequence[dict[str, Any]]
Told = Literal["ok", "refused", "not sent", "unknown"]


@dataclass(frozen=True)
class Call:
    """One command as a client saw it; times are the client's monotonic clock. `seq`: the log position it was told."""

    label: str
    task: int
    told: Told
    asked_at: float
    answered_at: float
    seq: int | None = None


@dataclass(frozen=True)
class Anomaly:
    """Something that must not be: its name, the task, and what was seen."""

    name: str
    task: int
    what: str


def check(log: Mapping[int, Entries], calls: Iterable[Call] = (), effects: Iterable[Line] = ()) -> list[Anomaly]:
    """Return every anomaly found.

    Effects are expected of subtasks whose parameters name `TASK_TOKEN`, as those of `ledger.py` do.
    """
    told = list(calls)
    return [*_walks(log), *_commands(log, told), *_order(told), *_effects(log, list(effects))]


def _walks(log: Mapping[int, Entries]) -> list[Anomaly]:
    """C8: each task's history is a legal walk, at every prefix."""
    walks = {task: walk(list(made)) for task, made in log.items()}
    return [Anomaly("illegal-transition", task, what) for task, seen in walks.items() for what in seen.problems]


def _commands(log: Mapping[int, Entries], calls: list[Call]) -> list[Anomaly]:
    """C1, C2: what was accepted is there once; what was refused or never sent had no effect; doubt allows for both."""
    found = []
    for call in calls:
        entries = [entry for entry in log.get(call.task, ()) if entry.get("reason") == call.label]
        outcomes = Counter(entry["outcome"] for entry in entries)
        accepted, refused = outcomes["accepted"], outcomes["refused"]
        if accepted + refused > 1:
            found.append(Anomaly("double-command", call.task, f"{call.label} is there {accepted + refused} times"))
        if call.told == "ok" and not accepted:
            found.append(Anomaly("lost-command", call.task, f"{call.label} was accepted and is not there"))
        if call.told == "refused" and not refused:
            found.append(Anomaly("no-outcome", call.task, f"{call.label} was refused and nothing says so"))
        if call.told in {"refused", "not sent"} and accepted:
            found.append(Anomaly("ghost-command", call.task, f"{call.label} was {call.told} and took effect"))
        if call.told == "ok" and call.seq is not None and accepted and entries[0]["seq"] != call.seq:
            found.append(Anomaly("lost-command", call.task, f"{call.label} is not where its caller was told"))
    return found


def _order(calls: list[Call]) -> list[Anomaly]:
    """C10: a command that was answered before another one on the task was asked for stands before it in the log."""
    found = []
    known = [call for call in calls if call.told == "ok" and call.seq is not None]
    for first in known:
        for later in known:
            before = first.task == later.task and first.answered_at < later.asked_at
            if before and (first.seq or 0) >= (later.seq or 0):
                found.append(Anomaly("order-inversion", first.task, f"{first.label} stands behind {later.label}"))
    return found


@dataclass
class _Claimed:
    """What the log says of one token: how it may be delivered, whether it leaves traces, its claims and their ends.

    `reported` counts failures after which it was tried again: then it is known that the earlier run is over.
    """

    delivery: str
    writes: bool
    starts: int = 0
    reported: int = 0
    succeeded: bool = False


def _effects(log: Mapping[int, Entries], lines: list[Line]) -> list[Anomaly]:
    """C3-C6: successes have effects, effects have claims, nothing runs twice that must not, or twice at once."""
    tokens = _tokens(log)
    by_token: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        by_token.setdefault(line.token, {}).setdefault(line.run, []).append(line)
    found = []
    for token, claimed in tokens.items():
        runs = by_token.get(token, {})
        ended = any(line.word == "end" for run in runs.values() for line in run)
        if claimed.succeeded and claimed.writes and not ended:
            found.append(Anomaly("phantom-success", _task(token), f"{token} succeeded and nothing came of it"))
        if claimed.delivery == "at_most_once" and len(runs) > 1 + claimed.reported:
            found.append(Anomaly("re-run", _task(token), f"{token} ran {len(runs)} times"))
    for token, runs in by_token.items():
        if token not in tokens:
            found.append(Anomaly("unauthorised-effect", _task(token), f"{token} ran and nobody had claimed it"))
        elif len(runs) > tokens[token].starts:
            found.append(Anomaly("double-effect", _task(token), f"{token}: {len(runs)} runs of fewer claims"))
        spans = sorted((min(line.at for line in run), max(line.at for line in run)) for run in runs.values())
        if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
            found.append(Anomaly("split-brain-execution", _task(token), f"{token} ran twice at once: {spans}"))
    return found


def _task(token: str) -> int:
    return int(token.partition("/")[0])


def _tokens(log: Mapping[int, Entries]) -> dict[str, _Claimed]:
    """Follow each task's executions: token by token, as events have them."""
    found: dict[str, _Claimed] = {}
    for task, entries in log.items():
        plans: list[dict[str, Any]] = []
        running: dict[int, str] = {}
        for event in (event for entry in entries if entry["outcome"] == "accepted" for event in entry["events"]):
            match event["type"]:
                case "task.planned":
                    plans = [*(plans if event["part"] > 1 else ()), *event["subtasks"]]
                case "subtask.started" if event["phase"] == "execute":
                    number = event["subtask"]
                    token = running[number] = f"{task}/{number}/{event['generation']}"
                    plan = plans[number - 1]
                    claimed = found.setdefault(token, _Claimed(plan["delivery"], "TASK_TOKEN" in str(plan["params"])))
                    claimed.starts += 1
                case "subtask.retry_scheduled":
                    found[running[event["subtask"]]].reported += 1
                case "subtask.succeeded":
                    found[running[event["subtask"]]].succeeded = True
                case _:
                    pass
    return found
