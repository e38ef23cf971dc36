"""`opsledger task retry|skip|cancel|rollback|delete`: tried out, confirmed, carried out, refused."""

import json

import pytest

from tests.unit.cli import terminal
from tests.unit.cli.conftest import Cli
from tests.unit.cli.stand_in import TASKS, StandIn, change, preview, refusal, step, task

ONE = f"{TASKS}/7"


@pytest.fixture(autouse=True)
def failed(api: StandIn) -> None:
    """Task 7 has failed at its second step."""
    api.pictures = [task("FAILED", step(1, "prepare", "SUCCESSFUL"), step(2, "apply", "FAILED"))]


def test_a_retry_is_sent_once_with_a_key_and_a_reason(api: StandIn, cli: Cli) -> None:
    """One line says what it led to; nobody is asked, and the key is new each time."""
    api.answers[f"POST {ONE}/retry"] = task("RUNNING", step(1, "prepare", "SUCCESSFUL"), step(2, "apply", "READY"))
    ran = cli("task", "retry", "7", "-m", "disk is free again")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "retried  Inspect db-17  task 7   running   1 of 2 steps   9.0 s\n"
    [(_, _, body, headers)] = api.sent("POST")
    assert body == {"reason": "disk is free again"}
    assert headers["Idempotency-Key"].endswith("-7")
    assert "If-Match" not in headers
    cli("task", "retry", "7")
    assert api.sent("POST")[1][3]["Idempotency-Key"] != headers["Idempotency-Key"]


def test_a_lost_answer_is_asked_for_again_with_the_same_key(api: StandIn, cli: Cli) -> None:
    """503 that says `maybe` is tried again; the command takes effect once."""
    api.answers[f"POST {ONE}/skip"] = task("RUNNING")
    api.failures = [(503, {"code": 1006, "message": "No answer.", "target": {"effect": "unknown"}})]
    assert cli("task", "skip", "7").code == 0
    first, second = api.sent("POST")
    assert first[3]["Idempotency-Key"] == second[3]["Idempotency-Key"]


def test_an_effect_that_is_not_known_is_told_with_the_key(
    api: StandIn, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When every try is lost: what is not known, and how to repeat it safely."""
    monkeypatch.setattr("opsledger.cli.rest.client.TRIES", 1)
    api.failures = [(503, {"code": 1006, "message": "No answer.", "target": {"effect": "unknown"}})]
    ran = cli("task", "cancel", "7", "--key", "night-1")
    assert (ran.code, ran.out) == (1, "")
    assert "whether the command took effect is not known" in ran.err
    assert "--key night-1" in ran.err


def test_pass_is_skip(api: StandIn, cli: Cli) -> None:
    """The word that obshell's users know."""
    api.answers[f"POST {ONE}/skip"] = task("SUCCESSFUL")
    assert cli("task", "pass", "7").out.startswith("skipped  ")


@pytest.mark.parametrize("typed", ["apply", "2", "70002"])
def test_one_step_by_key_number_or_id(api: StandIn, cli: Cli, typed: str) -> None:
    """The step is found in the task, and its own route is asked, for the step in return."""
    api.answers[f"POST {ONE}/subtasks/70002/skip"] = step(2, "apply", "SUCCESSFUL", "SKIP")
    ran = cli("task", "skip", "7", "--subtask", typed)
    assert ran.out == "skipped  apply  of task 7   skipped\n"
    assert api.sent("POST")[0][3]["Prefer"] == "return=representation"


def test_a_step_that_is_not_there(api: StandIn, cli: Cli) -> None:
    """Exit code 2 and the steps there are; nothing is sent."""
    ran = cli("task", "retry", "7", "--subtask", "aply")
    assert ran.code == 2
    assert "its steps are: prepare, apply" in ran.err
    assert not api.sent("POST")


def test_a_refusal_says_what_to_type_instead(api: StandIn, cli: Cli) -> None:
    """The state in the API's words, and each allowed command as a line to type."""
    api.answers[f"POST {ONE}/cancel"] = (400, refusal("FAILED", "retry", "skip"))
    ran = cli("task", "cancel", "7")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "error  The operation is not allowed because the task 7 is in FAILED state.\n"
        "next   opsledger task retry 7\n"
        "       opsledger task skip 7\n"
    )


def test_several_tasks_are_each_answered(api: StandIn, cli: Cli) -> None:
    """One that is refused does not keep the others from it; the exit code is 1."""
    api.answers[f"POST {ONE}/retry"] = (400, refusal("RUNNING", "cancel"))
    api.answers[f"POST {TASKS}/8/retry"] = task("RUNNING", id=8)
    ran = cli("task", "retry", "7", "8", "7")
    assert ran.code == 1
    assert "task 8" in ran.out
    assert "opsledger task cancel 7" in ran.err
    assert len(api.sent("POST")) == 2


def test_a_dry_run_changes_nothing_and_says_so(api: StandIn, cli: Cli) -> None:
    """The state before and after, the events in words, and every step that would look different."""
    found = preview(
        "skip", "FAILED", "RUNNING", change(2, "apply", "FAILED", "SUCCESSFUL SKIP"), change(3, "c", "X", "X")
    )
    api.answers[f"POST {ONE}/skip?dry_run"] = {**found, "events": [{"type": "task.skipped", "turn": 1}]}
    ran = cli("task", "skip", "7", "--dry-run")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "dry run  skip  Inspect db-17  task 7",
        "  failed → running   every failed step counts as done",
        "  step    now      then",
        "  apply   failed   skipped",
    ]
    assert "nothing was changed" in ran.err
    assert not api.sent("POST")
    assert json.loads(cli("task", "skip", "7", "-n", "-o", "json").out)["accepted"] is True


def test_a_dry_run_of_what_would_be_refused(api: StandIn, cli: Cli) -> None:
    """Exit code 1, the reason, and what is allowed now."""
    no = {"dryRun": True, "command": "cancel", "accepted": False, "task": 7, "refusal": refusal("FAILED", "retry")}
    api.answers[f"POST {ONE}/cancel?dry_run"] = no
    ran = cli("task", "cancel", "7", "-n")
    assert ran.code == 1
    assert "would be refused: The operation is not allowed" in ran.out
    assert "allowed now: opsledger task retry 7" in ran.out


@pytest.mark.parametrize("word", ["rollback", "delete"])
def test_what_cannot_be_taken_back_needs_a_yes(api: StandIn, cli: Cli, word: str) -> None:
    """Without a terminal and without --yes: exit code 2, and nothing is asked of the API."""
    ran = cli("task", word, "7")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert "nothing was changed" in ran.err
    assert not api.asked


def test_yes_does_it(api: StandIn, cli: Cli) -> None:
    """With --yes there is no question and no condition; delete is a DELETE."""
    api.answers[f"POST {ONE}/rollback"] = task("RUNNING", direction="BACKWARD")
    api.answers[f"DELETE {ONE}"] = task("FAILED", deleted=True)
    assert cli("task", "rollback", "7", "--yes").out.startswith("rollback begun  Inspect db-17  task 7   rolling back")
    assert cli("task", "delete", "7", "-y").out.startswith("deleted  ")
    assert len(api.sent("DELETE")) == 1


def test_what_was_confirmed_is_what_happens(api: StandIn) -> None:
    """On a terminal: one line of preview, a question, and the version that was shown as the condition."""
    undone = [change(1, "prepare", "SUCCESSFUL", "SUCCESSFUL ROLLBACK"), change(2, "apply", "FAILED", "READY ROLLBACK")]
    api.answers[f"POST {ONE}/rollback?dry_run"] = preview("rollback", "FAILED", "RUNNING BACKWARD", *undone)
    api.answers[f"POST {ONE}/rollback"] = task("RUNNING", direction="BACKWARD")
    asked = [("[y/N]", "y")]
    ran = terminal.run(["task", "rollback", "7"], answers=asked, OPSLEDGER_URL=api.url)
    assert ran.code == 0
    assert "failed → ◀ rolling back   2 steps to be undone" in ran.text
    assert "Roll back task 7? [y/N]" in ran.text
    assert api.sent("POST")[0][3]["If-Match"] == '"5"'


def test_a_no_changes_nothing(api: StandIn) -> None:
    """Anything but yes ends with exit code 1."""
    api.answers[f"DELETE {ONE}?dry_run"] = preview("delete", "FAILED", "FAILED")
    ran = terminal.run(["task", "delete", "7"], answers=[("[y/N]", "")], OPSLEDGER_URL=api.url)
    assert ran.code == 1
    assert "not confirmed; nothing was changed" in ran.text
    assert not api.sent("DELETE")


def test_a_task_that_changes_under_the_question_is_shown_again(api: StandIn) -> None:
    """412: it says so, shows how things stand now, asks again, and sends a new key."""
    api.answers[f"POST {ONE}/rollback?dry_run"] = preview("rollback", "FAILED", "RUNNING BACKWARD")
    api.answers[f"POST {ONE}/rollback"] = [(412, {"code": 4012, "message": "At version 6."}), task("RUNNING")]
    ran = terminal.run(["task", "rollback", "7"], answers=[("[y/N]", "y"), ("[y/N]", "yes")], OPSLEDGER_URL=api.url)
    assert ran.code == 0
    assert "it has changed meanwhile" in ran.text
    first, second = api.sent("POST")
    assert first[3]["Idempotency-Key"] != second[3]["Idempotency-Key"]


def test_a_refused_rollback_is_not_even_asked_about(api: StandIn) -> None:
    """When the preview says no there is nothing to confirm."""
    no = {"dryRun": True, "command": "rollback", "accepted": False, "task": 7, "refusal": refusal("RUNNING", "cancel")}
    api.answers[f"POST {ONE}/rollback?dry_run"] = no
    ran = terminal.run(["task", "rollback", "7"], OPSLEDGER_URL=api.url)
    assert ran.code == 1
    assert "[y/N]" not in ran.text
    assert "opsledger task cancel 7" in ran.text


@pytest.mark.parametrize(
    ("state", "direction", "code"),
    [
        ("SUCCESSFUL", "FORWARD", 0),
        ("FAILED", "FORWARD", 1),
        ("CANCELLED", "FORWARD", 3),
        ("SUCCESSFUL", "BACKWARD", 4),
    ],
)
def test_waiting_gives_the_outcomes_exit_code(api: StandIn, cli: Cli, state: str, direction: str, code: int) -> None:
    """It waits from the command's log position on, so that the end before it does not count."""
    api.answers[f"POST {ONE}/retry"] = task("RUNNING")
    api.headers = {"X-Log-Seq": "41"}
    api.pictures = [
        task("RUNNING", step(1, "a", "RUNNING")),
        task(state, step(1, "a", "SUCCESSFUL"), direction=direction),
    ]
    ran = cli("task", "retry", "7", "--wait")
    assert ran.code == code
    assert "task 7  running" in ran.err
    assert [query.get("min_seq") for _, query, *_ in api.sent("GET")] == [["41"], None]


def test_the_log_while_waiting(api: StandIn, cli: Cli) -> None:
    """--log prints on stdout what the steps write and keeps changes of state on stderr."""
    api.answers[f"POST {ONE}/retry"] = task("RUNNING")
    api.answers[f"{ONE}/subtasks/70001/log"] = {"lines": [{"at": "t", "level": "INFO", "text": "hello"}]}
    api.pictures = [task("SUCCESSFUL", step(1, "a", "SUCCESSFUL"))]
    ran = cli("task", "retry", "7", "--log")
    assert ran.code == 0
    assert ran.out.splitlines()[1:] == ["t INFO hello"]
    assert "a  successful" in ran.err


def test_a_wait_that_takes_too_long(api: StandIn, cli: Cli) -> None:
    """Exit code 124, and the task goes on."""
    api.answers[f"POST {ONE}/retry"] = task("RUNNING")
    api.pictures = [task("RUNNING", step(1, "a", "RUNNING"))]
    ran = cli("task", "retry", "7", "--wait", "--timeout", "0.2")
    assert ran.code == 124
    assert "it goes on" in ran.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "name the tasks, or say which with --where"),
        (("7", "--where", "state:failed"), "name the tasks, or say which with --where"),
        (("7", "--pace", "3"), "--pace and --limit are for many tasks"),
        (("--where", "state:failed", "--pace", "0"), "at least 1"),
        (("7", "8", "--subtask", "a"), "one step of one task"),
        (("7", "--timeout", "3"), "--timeout limits --wait"),
        (("7", "-n", "--wait"), "a dry run changes nothing"),
        (("seven",), "seven is not a task id"),
    ],
)
def test_a_wrong_command_line_ends_with_2(api: StandIn, cli: Cli, words: tuple[str, ...], complaint: str) -> None:
    """Nothing is sent, and the error names the flag."""
    ran = cli("task", "retry", *words)
    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err
    assert not api.sent("POST")


def test_the_newest_that_failed_has_a_name(api: StandIn, cli: Cli) -> None:
    """@latest-failed is the first of the failed ones."""
    api.answers[TASKS] = {"contents": [{"id": 7}]}
    api.answers[f"POST {ONE}/retry"] = task("RUNNING")
    assert cli("task", "retry", "@latest-failed").code == 0
    assert api.sent("GET")[0][1]["state"] == ["FAILED"]
    api.answers[TASKS] = {"contents": []}
    assert "no task has failed" in cli("task", "retry", "@latest-failed").err


def test_json_for_programs(api: StandIn, cli: Cli) -> None:
    """One task gives its answer, several a list, jsonl a line each."""
    api.answers[f"POST {ONE}/retry"] = task("RUNNING")
    api.answers[f"POST {TASKS}/8/retry"] = task("RUNNING", id=8)
    assert json.loads(cli("task", "retry", "7", "-o", "json").out)["id"] == 7
    assert [one["id"] for one in json.loads(cli("task", "retry", "7", "8", "-o", "json").out)] == [7, 8]
    assert len(cli("task", "retry", "7", "8", "-o", "jsonl").out.splitlines()) == 2
