"""`opsledger task events --follow`: the history, then what comes, over a stream that breaks and is picked up again."""

import json
from typing import Any

import pytest

from opsledger.cli.rest import live
from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import TASKS, StandIn, at

HISTORY = f"{TASKS}/7/events"


def decision(seq: int, *kinds: str, outcome: str = "accepted") -> dict[str, Any]:
    """One decision."""
    events = [{"type": kind} for kind in kinds]
    return {"seq": seq, "at": at(seq), "by": {"name": "ann"}, "outcome": outcome, "events": events}


def sse(*decisions: dict[str, Any]) -> bytes:
    """A stream that ends after these."""
    lines = ["retry: 1000", "", "id: 4", "event: open", 'data: {"seq": 4}', "", ": beat", ""]
    for one in decisions:
        data = json.dumps({"task": 7, "seq": one["seq"], "decisions": [one]})
        lines += [f"id: {one['seq']}", "event: commit", f"data: {data}", ""]
    return "\n".join([*lines, ""]).encode()


def test_an_ended_task_needs_no_stream(api: StandIn, cli: Cli) -> None:
    """Its history is all there is; a retry in it begins it again, what was refused does not."""
    past = [decision(1, "task.created"), decision(2, "task.finished"), decision(3, "task.retried", outcome="refused")]
    api.answers[HISTORY] = {"contents": past, "next": None}
    ran = cli("task", "events", "7", "--follow")
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 3
    assert not [path for _, path, *_ in api.asked if path == live.EVENTS]


def test_what_comes_is_read_until_the_task_ends(api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken stream is picked up where it broke, and nothing is printed twice."""
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.01)
    past = [decision(1, "task.created"), decision(2, "task.finished"), decision(4, "task.retried")]
    api.answers[HISTORY] = {"contents": past, "next": None}
    streams = [(200, sse(decision(5, "subtask.started"))), (200, sse(decision(6, "task.finished")))]
    api.answers[f"GET {live.EVENTS}"] = streams
    ran = cli("task", "events", "7", "-f", "-o", "jsonl", "--after", "2")
    assert ran.code == 0
    assert [json.loads(line)["seq"] for line in ran.out.splitlines()] == [4, 5, 6]
    asked = [headers["Last-Event-ID"] for _, path, _, _, headers in api.asked if path == live.EVENTS]
    assert asked == ["4", "5"]


def test_an_api_that_goes_away_is_said_once(api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """And following goes on."""
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.01)
    api.answers[HISTORY] = {"contents": [decision(4, "task.created")], "next": None}
    away = (503, {"code": 1006, "message": "This process is stopping."})
    api.answers[f"GET {live.EVENTS}"] = [away, away, (200, sse(decision(5, "task.finished")))]
    ran = cli("task", "events", "7", "-f")
    assert ran.code == 0
    assert ran.err.count("cannot be reached") == 1
    assert "task.finished" in ran.out
