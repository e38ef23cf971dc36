"""`opsledger audit`: who commanded what, and whether a history is what was written."""

import json

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import StandIn, at

AUDIT = "/api/v2/audit"
ROWS = [
    {"seq": 9, "n": 0, "at": at(5), "by": {"name": "eve"}, "command": "cancel", "task": 7, "taskName": "Inspect"}
    | {"outcome": "refused", "error": {"code": 4007, "message": "it has ended"}},
    {"seq": 4, "n": 0, "at": at(0), "by": {"name": "ann"}, "command": "subtask.skip", "task": 7, "subtask": 70_003}
    | {"outcome": "accepted", "reason": "no cache on a Saturday"},
]


def test_each_decision_is_a_line(api: StandIn, cli: Cli) -> None:
    """When, who, which command on what, how it ended and why; the next page is named."""
    api.answers[AUDIT] = {"contents": ROWS, "next": "4.0"}
    ran = cli("audit")
    heading, first, second = ran.out.splitlines()
    assert heading.split() == ["at", "by", "command", "on", "outcome", "why"]
    assert "eve" in first
    assert "task 7  Inspect   refused" in first
    assert first.endswith("it has ended")
    assert "task 7 step 3" in second
    assert second.endswith("“no cache on a Saturday”")
    assert "--after 4.0" in ran.err


def test_filters_become_query_parameters(api: StandIn, cli: Cli) -> None:
    """Each option has its parameter, times with their offset."""
    api.answers[AUDIT] = {"contents": [], "next": None}
    words = ("--by", "ann", "--command", "skip,retry", "--task", "7", "--outcome", "refused", "--text", "disk")
    ran = cli("audit", *words, "--since", "2026-11-20T02:00:00Z", "--via", "rest", "--size", "5")
    assert "nothing like that was commanded" in ran.err
    assert api.asked[0][2] == {
        "by": ["ann"],
        "command": ["skip,retry"],
        "task": ["7"],
        "outcome": ["refused"],
        "text": ["disk"],
        "from": ["2026-11-20T02:00:00+00:00"],
        "via": ["rest"],
        "size": ["5"],
    }


def test_the_audit_as_json(api: StandIn, cli: Cli) -> None:
    """The page, or a decision a line."""
    api.answers[AUDIT] = {"contents": ROWS, "next": None}
    assert json.loads(cli("audit", "-o", "json").out)["next"] is None
    assert len(cli("audit", "-o", "jsonl").out.splitlines()) == 2


@pytest.mark.parametrize(("whole", "code"), [(True, 0), (False, 1)])
def test_a_chain_is_verified(api: StandIn, cli: Cli, *, whole: bool, code: int) -> None:
    """A broken link is named with its log position, and the exit code is 1."""
    broken = [] if whole else [{"seq": 4, "message": "the commit before it is not the one it names"}]
    api.answers[f"{AUDIT}/verify"] = {"task": 7, "whole": whole, "commits": 9, "broken": broken}
    ran = cli("audit", "verify", "7")
    assert ran.code == code
    expected = "9 commits, every one follows" if whole else "task 7, log position 4: the commit before it"
    assert expected in ran.out
    assert json.loads(cli("audit", "verify", "7", "-o", "json").out)["whole"] is whole
