"""`list`, `show`, `events` and `logs`: calm tables for people, JSON for programs."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import TASKS, StandIn, at, step, task

LOG = f"{TASKS}/7/subtasks"


def test_the_list_is_aligned_and_in_plain_words(api: StandIn, cli: Cli) -> None:
    """One line a task under one heading; states in words, without colour codes and trailing spaces."""
    rolled_back = task("SUCCESSFUL", step(1, "a", "PENDING", "ROLLBACK"), direction="BACKWARD", id=12)
    rows = [rolled_back, task("FAILED", object={"kind": "host", "id": "17", "name": "db-17"})]
    api.answers[TASKS] = {"contents": rows, "page": {"number": 1, "totalPages": 5, "totalElements": 1234}}
    ran = cli("task", "list")
    heading, first, second = ran.out.splitlines()
    assert heading.split() == ["id", "name", "state", "steps", "about", "by", "started", "time"]
    assert "rolled back" in first
    assert "0/1" in first
    assert heading.index("state") == first.index("rolled back") == second.index("failed")
    assert "db-17   admin" in second
    assert "\x1b" not in ran.out
    assert all(line == line.rstrip() for line in ran.out.splitlines())
    assert "page 1 of 5 · 1,234 tasks" in ran.err


def test_filters_become_query_parameters(api: StandIn, cli: Cli) -> None:
    """Each option has its parameter; what is not given is not sent."""
    api.answers[TASKS] = {"contents": []}
    ran = cli(
        "task", "list", "--state", "failed,running", "--type", "host.inspect", "--object-kind", "host", "--size", "5"
    )
    assert (ran.code, ran.out) == (0, "")
    assert "no task matches" in ran.err
    assert api.asked[0][2] == {
        "state": ["FAILED,RUNNING"],
        "taskType": ["host.inspect"],
        "objectKind": ["host"],
        "page": ["1"],
        "size": ["5"],
    }


def test_the_list_as_json(api: StandIn, cli: Cli) -> None:
    """With json the whole page, with jsonl one task a line."""
    api.answers[TASKS] = {"contents": [task("FAILED"), task("RUNNING")], "page": {"number": 1}}
    assert json.loads(cli("task", "list", "-o", "json").out)["page"] == {"number": 1}
    lines = cli("task", "list", "-o", "jsonl").out.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["FAILED", "RUNNING"]


def test_show_tells_what_each_step_did(api: StandIn, cli: Cli) -> None:
    """Head, facts, and a row a step with its state, time and note."""
    api.pictures = [
        task(
            "RUNNING",
            step(1, "prepare", "SUCCESSFUL", "SKIP"),
            step(2, "apply", "FAILED", error={"kind": "TIMEOUT", "message": "30 s are over"}),
            step(3, "verify", "READY", "RETRY", retryAt=at(60)),
            step(4, "clean", "RUNNING", "ROLLBACK"),
            labels={"team": "dba"},
        )
    ]
    ran = cli("task", "show", "7")
    assert ran.code == 0
    assert "Inspect db-17  task 7   running   1 of 4 steps   9.0 s" in ran.out
    assert "team=dba" in ran.out
    for line in ("prepare   skipped", "apply     failed", "verify    retry waits", "clean     rolling back"):
        assert line in ran.out
    assert "TIMEOUT: 30 s are over" in ran.out
    assert "tries again at" in ran.out


def test_a_large_task_is_summed_up(api: StandIn, cli: Cli) -> None:
    """Two thousand steps are a summary and the few that need a look; --all and jsonl give every one."""
    steps = [step(n, f"host-{n}", "FAILED" if n == 1234 else "SUCCESSFUL") for n in range(1, 2001)]
    api.pictures = [task("FAILED", *steps)]
    ran = cli("task", "show", "7")
    assert len(ran.out.splitlines()) < 20
    assert "1 failed" in ran.out
    assert "1,999 successful" in ran.out
    assert "host-1234" in ran.out
    assert "--all" in ran.err
    assert len(cli("task", "show", "7", "--all").out.splitlines()) > 2000
    assert len(cli("task", "show", "7", "-o", "jsonl").out.splitlines()) == 2000


def test_findings_are_shown_worst_first(api: StandIn, cli: Cli) -> None:
    """A report task's findings: how bad, what, why, advice, and where the report is."""
    findings = [
        {"severity": "info", "what": "swap is off"},
        {"severity": "warning", "what": "/var is 91 % full", "why": "it fills", "advice": ["look", "clean"]},
        "nonsense",
    ]
    api.pictures = [
        task(
            "SUCCESSFUL",
            step(1, "findings", "SUCCESSFUL", output={"data": {"findings": findings}}),
            step(2, "report", "SUCCESSFUL", output={"data": {"path": "/data/files/report.md"}}),
        )
    ]
    out = cli("task", "show", "7").out
    assert "2 findings, 1 to act on" in out
    assert out.index("91 % full") < out.index("swap is off")
    assert "look; clean" in out
    assert "/data/files/report.md" in out


def test_odd_answers_do_no_harm(api: StandIn, cli: Cli) -> None:
    """Missing, unknown and ill-typed fields are shown as far as they go."""
    api.pictures = [
        {"id": 7, "state": "PONDERING", "startTime": "yesterday", "subtasks": [{"status": 5}, 3, {"error": "plain"}]}
    ]
    ran = cli("task", "show", "7")
    assert ran.code == 0
    assert "pondering" in ran.out
    assert "plain" in ran.out


def test_foreign_text_cannot_drive_the_terminal(api: StandIn, cli: Cli) -> None:
    """Escape sequences and direction marks in names are shown, not obeyed; markup is only text."""
    api.pictures = [task("FAILED", step(1, "[red]x[/]", "SUCCESSFUL"), name="a\x1b[2Jb\u202ec\nd")]
    out = cli("task", "show", "7").out
    assert "a\\x1b[2Jb\\u202ec d" in out
    assert "[red]x[/]" in out


def test_the_newest_task_has_a_name(api: StandIn, cli: Cli) -> None:
    """@latest is the first of the list."""
    api.answers[TASKS] = {"contents": [{"id": 7}]}
    api.pictures = [task("SUCCESSFUL")]
    assert "task 7" in cli("task", "show", "@latest").out
    api.answers[TASKS] = {"contents": []}
    ran = cli("task", "show", "@latest")
    assert (ran.code, "there is no task yet" in ran.err) == (1, True)


@pytest.mark.parametrize("given", ["x", "-1", "7.5", "\u0667"])
def test_what_is_no_id_is_refused(cli: Cli, given: str) -> None:
    """Exit code 2, before anything is asked."""
    assert cli("task", "show", given).code == 2


def test_a_task_that_does_not_exist(api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's sentence, exit code 1, once the view has had time to catch up."""
    monkeypatch.setattr("opsledger.cli.rest.tasks.APPEARS_SECONDS", 0.1)
    ran = cli("task", "show", "9")
    assert (ran.code, ran.out) == (1, "")
    assert "does not exist" in ran.err


def test_events_say_who_did_what_and_what_was_refused(api: StandIn, cli: Cli) -> None:
    """All pages of the history, the refusal with its reason, the events it caused counted."""
    pages: Mapping[str, Any] = {
        "0": {
            "contents": [
                {"seq": 4, "at": at(0), "by": {"name": "ann"}, "decision": "create", "outcome": "accepted"}
                | {"events": [{"type": "task.created"}, {"type": "subtask.ready"}, {"type": "subtask.ready"}]}
            ],
            "next": 4,
        },
        "4": {
            "contents": [
                {"seq": 9, "at": at(1), "by": "eve", "decision": "cancel", "outcome": "refused", "reason": "oops"}
                | {"refusal": {"code": 4007, "message": "it has ended"}}
            ]
        },
    }
    api.answers[f"{TASKS}/7/events"] = lambda query: pages[query["after"][0]]
    ran = cli("task", "events", "7")
    _, first, second = ran.out.splitlines()
    assert "ann" in first
    assert "task.created, subtask.ready (2)" in first
    assert "refused" in second
    assert "it has ended  “oops”" in second
    assert [json.loads(line)["seq"] for line in cli("task", "events", "7", "-o", "jsonl").out.splitlines()] == [4, 9]
    assert len(json.loads(cli("task", "events", "7", "-o", "json").out)) == 2


def test_logs_of_all_steps_are_headed(api: StandIn, cli: Cli) -> None:
    """Each part under its step's name, in the order of the steps; steps that never started are not asked for."""
    api.pictures = [task("RUNNING", step(1, "a", "SUCCESSFUL"), step(2, "b", "RUNNING"), step(3, "c", "PENDING"))]
    api.answers |= {f"{LOG}/70001/log": {"log": "one\ntwo"}, f"{LOG}/70002/log": {"log": "three\n"}}
    assert cli("task", "logs", "7").out == "==> a <==\none\ntwo\n\n==> b <==\nthree\n"


@pytest.mark.parametrize("name", ["b", "2", "70002"])
def test_logs_of_one_step_are_bare(api: StandIn, cli: Cli, name: str) -> None:
    """By key, number or id, and nothing but what it printed."""
    api.pictures = [task("RUNNING", step(1, "a", "SUCCESSFUL"), step(2, "b", "RUNNING"))]
    api.answers[f"{LOG}/70002/log"] = {"log": "three\n"}
    assert cli("task", "logs", "7", name).out == "three\n"


def test_logs_of_an_unknown_step(api: StandIn, cli: Cli) -> None:
    """Exit code 2 and the names there are."""
    api.pictures = [task("SUCCESSFUL", step(1, "a", "SUCCESSFUL"))]
    ran = cli("task", "logs", "7", "z")
    assert ran.code == 2
    assert "its steps are: a" in ran.err


def test_every_task_is_read_by_cursor(api: StandIn, cli: Cli) -> None:
    """--all goes on from the cursor each page gives, until one gives none; jsonl writes as it reads."""
    first = {"contents": [task("FAILED", id=9)], "page": {"totalPages": 2, "next": "c1"}}
    pages = {None: first, "c1": {"contents": [task("FAILED", id=8)], "page": {"totalPages": 2}}}
    api.answers[TASKS] = lambda query: pages[query.get("cursor", [None])[0]]
    ran = cli("task", "list", "--all", "--where", "state:failed label:team=dba", "-o", "jsonl")
    assert [json.loads(line)["id"] for line in ran.out.splitlines()] == [9, 8]
    assert [query["label"] for _, query, *_ in api.sent("GET")] == [["team:dba"]] * 2
    assert len(cli("task", "list", "--all").out.splitlines()) == 3


def test_every_task_is_read_by_number_where_there_is_no_cursor(api: StandIn, cli: Cli) -> None:
    """A list that gives none is read page by page."""
    api.answers[TASKS] = lambda query: {"contents": [task(id=int(query["page"][0]))], "page": {"totalPages": 3}}
    assert len(cli("task", "list", "--all", "-o", "jsonl").out.splitlines()) == 3


def test_a_task_as_it_was(api: StandIn, cli: Cli) -> None:
    """At a log position or a time; the head says that it is the past."""
    api.pictures = [task("RUNNING", step(1, "a", "RUNNING"), at={"seq": 5, "time": at(2)})]
    assert "as it was at log position 5" in cli("task", "show", "7", "--at", "5").out
    assert api.asked[-1][2] == {"at": ["5"]}
    cli("task", "show", "7", "--at", "2026-11-20T12:00:02Z")
    assert api.asked[-1][2] == {"at": ["2026-11-20T12:00:02+00:00"]}
    assert cli("task", "show", "7", "--at", "yesterday").code == 2


def test_show_says_what_can_be_done_now(api: StandIn, cli: Cli) -> None:
    """The words of the commands that are legal."""
    api.pictures = [task("FAILED", step(1, "a", "FAILED"), allowed=["retry", "skip"])]
    assert "allowed  retry, skip\n" in cli("task", "show", "7").out


def test_a_standing_task_waits_for_requests(api: StandIn, cli: Cli) -> None:
    """It has no steps, and nobody is going to plan any."""
    api.pictures = [task("RUNNING", standing=True, taskType="object.sync")]
    ran = cli("task", "show", "7")
    assert "requests are tasks of their own" in ran.out
    assert "plan" not in ran.out
