"""One command on many tasks: what `--where` finds, the preview, the question, and the task that carries it out."""

import json
from datetime import UTC, datetime

import pytest

from opsledger.cli.failure import UsageError
from opsledger.cli.task.qualifiers import merged, parse
from tests.unit.cli import terminal
from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import TASKS, StandIn, refusal, step, task

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
RETRY = f"{TASKS}:retry"
WHERE = ("--where", "state:failed type:host.inspect")


def selection(*, refused: int = 0, accepted: int = 2) -> dict[str, object]:
    """What a dry run finds."""
    good = [{"task": n, "name": f"Disk {n}", "state": "FAILED", "accepted": True} for n in range(1, accepted + 1)]
    no = {"name": "Disk", "state": "RUNNING", "accepted": False, "refusal": refusal("RUNNING")}
    items = [*good, *({**no, "task": 90 + n} for n in range(refused))]
    return {"dryRun": True, "command": "retry", "count": len(items), "exact": True, "items": items}


@pytest.mark.parametrize(
    ("given", "parameters"),
    [
        ("state:failed", {"state": "FAILED"}),
        ("state:failed state:cancelled", {"state": "FAILED,CANCELLED"}),
        ("status:failed type:a by:ann", {"status": "FAILED", "taskType": "a", "operator": "ann"}),
        ('name:"Disks of db-17"', {"name": "Disks of db-17"}),
        ("label:a=1 team:dba", {"label": ["a:1", "team:dba"]}),
        ("host:db-17", {"hostName": "db-17"}),
        ("object:host/db-17", {"objectKind": "host", "objectName": "db-17"}),
        ("object:host", {"objectKind": "host"}),
        ("since:2h", {"since": "2h"}),
        ("since:2026-11-20T10:00:00Z", {"createdFrom": "2026-11-20T10:00:00+00:00"}),
        ("until:1d", {"createdTo": "2026-11-19T12:00:00+00:00"}),
        ("finished:2026-11-20T09:00:00Z", {"finishedFrom": "2026-11-20T09:00:00+00:00"}),
        ("no space left", {"text": "no space left"}),
    ],
)
def test_qualifiers_are_the_lists_parameters(given: str, parameters: dict[str, object]) -> None:
    """Each has its parameter; the same word twice adds, words without one are looked for in the text."""
    assert parse(given, NOW) == parameters


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("", "is empty"),
        ("colour:red", "no qualifier colour"),
        ("state:", "state: what?"),
        ("label:a", "form key=value"),
        ("since:soon", "not a time"),
        ("until:999999w", "not a time"),
        ("name:a name:b", "given twice"),
        ('name:"a', "--where"),
    ],
)
def test_what_is_no_qualifier_is_refused(given: str, complaint: str) -> None:
    """Nothing is guessed: a bulk command on the wrong tasks is worse than none."""
    with pytest.raises(UsageError, match=complaint):
        parse(given, NOW)


def test_an_option_and_a_qualifier_do_not_contradict_each_other() -> None:
    """The same said twice is refused."""
    assert merged({"name": "a", "state": None}, "type:b", NOW) == {"name": "a", "taskType": "b"}
    with pytest.raises(UsageError, match="given twice"):
        merged({"name": "a"}, "name:b", NOW)


def test_a_dry_run_shows_every_task(api: StandIn, cli: Cli) -> None:
    """How many, what would become of each, and which would be refused."""
    api.answers[f"POST {RETRY}?dry_run"] = selection(refused=1)
    ran = cli("task", "retry", *WHERE, "-n")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "retry  3 tasks   1 would be refused as things stand"
    heading, first, *_, last = ran.out.splitlines()[1:]
    assert heading.split() == ["task", "name", "now", "answer"]
    assert first.split() == ["1", "Disk", "1", "failed", "would", "be", "done"]
    assert last.endswith("running   The operation is not allowed because the task 7 is in RUNNING state.")
    assert api.asked[0][2] == {"state": ["FAILED"], "taskType": ["host.inspect"], "dry_run": ["true"]}
    assert json.loads(cli("task", "retry", *WHERE, "-n", "-o", "json").out)["count"] == 3


def test_without_a_terminal_many_tasks_need_a_yes(api: StandIn, cli: Cli) -> None:
    """Also for commands that would not ask about one task."""
    ran = cli("task", "retry", *WHERE)
    assert ran.code == 2
    assert "--yes" in ran.err
    assert not api.asked


def test_yes_begins_a_task_that_carries_it_out(api: StandIn, cli: Cli) -> None:
    """Its id alone on stdout; reason and pace in the body, one key; --wait follows that task."""
    api.answers[f"POST {RETRY}"] = task("READY", name="retry 2 tasks", taskType="bulk.retry")
    api.pictures = [task("SUCCESSFUL", taskType="bulk.retry")]
    ran = cli("task", "retry", *WHERE, "-y", "--pace", "10", "-m", "disks are back", "--wait")
    assert (ran.code, ran.out) == (0, "7\n")
    assert "task 7 carries it out" in ran.err
    [(_, query, body, headers)] = api.sent("POST")
    assert query == {"state": ["FAILED"], "taskType": ["host.inspect"]}
    assert body == {"reason": "disks are back", "pace": 10}
    assert headers["Idempotency-Key"]


def test_on_a_terminal_it_shows_the_first_and_asks(api: StandIn) -> None:
    """Ten lines and how many more, then the question; what was shown is what it is done to, by id."""
    api.answers[f"POST {RETRY}?dry_run"] = selection(accepted=12)
    api.answers[f"POST {RETRY}"] = task("READY")
    words = ["task", "retry", *WHERE, "--pace", "6"]
    ran = terminal.run(words, answers=[("[y/N]", "y")], OPSLEDGER_URL=api.url)
    assert ran.code == 0
    assert "and 2 more" in ran.text
    assert "Retry 12 tasks, 6 a minute? [y/N]" in ran.text
    assert api.sent("POST")[0][1]["ids"] == [",".join(map(str, range(1, 13)))]


def test_nothing_matches(api: StandIn) -> None:
    """Then there is nothing to ask about."""
    api.answers[f"POST {RETRY}?dry_run"] = selection(accepted=0)
    ran = terminal.run(["task", "retry", *WHERE], OPSLEDGER_URL=api.url)
    assert ran.code == 1
    assert "no task matches; nothing was changed" in ran.text
    assert not api.sent("POST")


def test_nothing_matched_any_more(api: StandIn, cli: Cli) -> None:
    """The API begins no task for nothing: exit code 1, and no id."""
    api.answers[f"POST {RETRY}"] = {"command": "retry", "count": 0, "exact": True}
    ran = cli("task", "retry", *WHERE, "-y")
    assert (ran.code, ran.out) == (1, "")
    assert "no task matches" in ran.err


def test_the_answers_of_a_bulk_task_are_shown(api: StandIn, cli: Cli) -> None:
    """`task show` counts them and says which tasks refused it, and why."""
    items = [{"task": 4, "status": 400, "error": refusal("SUCCESSFUL", "delete")}, {"task": 5, "status": 200}]
    batch = step(1, "batch-1", "SUCCESSFUL", output={"accepted": 1, "refused": 1, "items": items})
    api.pictures = [task("SUCCESSFUL", batch, taskType="bulk.retry")]
    out = cli("task", "show", "7").out
    assert "1 done, 1 refused" in out
    assert "1 task refused it" in out
    assert "4   The operation is not allowed because the task 7 is in SUCCESSFUL state.\n" in out
