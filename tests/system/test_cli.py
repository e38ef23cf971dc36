"""The command line against a running system: a night's work, many tasks at once, tokens and users."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.eventually import eventually_sync
from tests.support.up import Up, environment, program

pytestmark = pytest.mark.timeout(180)
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One system for all of these tests."""
    with Up(tmp_path_factory.mktemp("cli")) as system:
        yield system


def plan(wanted: Path) -> str:
    """Two steps that print, the first with an undo; two that fail until a file exists; and a last one."""
    check = ["sh", "-c", f"test -e {wanted} || {{ echo 'it is not there' >&2; exit 1; }}"]

    def node(key: str, argv: list[str], *upstreams: str, **more: object) -> dict[str, object]:
        return {"key": key, "operation": "command.run", "params": {"argv": argv}, "upstreams": [*upstreams], **more}

    undo = {"operation": "command.run", "params": {"argv": ["echo", "put back"]}}
    nodes = [
        node("install", ["echo", "installed"], undo=undo),
        node("warm-up", check, "install"),
        node("smoke-test", check, "warm-up"),
        node("open", ["echo", "open"], "smoke-test"),
    ]
    return json.dumps({"subtasks": nodes})


def failing(up: Up, wanted: Path, label: str = "night=1") -> str:
    """Create such a task and see it fail; its id."""
    words = ("task", "create", "--plan", "-", "--name", "Release", "--label", label, "--wait")
    ran = up.run(*words, stdin=plan(wanted))
    assert ran.returncode == 1, ran.stderr
    return ran.stdout.strip()


def as_(up: Up, *words: str, **credential: str) -> subprocess.CompletedProcess[str]:
    """A command with a credential of its own."""
    env = environment(
        OPSLEDGER_URL=up.url, **{f"OPSLEDGER_{name.upper()}": value for name, value in credential.items()}
    )
    return subprocess.run([program(), *words], env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_night(up: Up, tmp_path: Path) -> None:
    """A task fails; a dry run, a skip and a rollback by name; the history and the audit tell all of it."""
    task = failing(up, tmp_path / "missing")

    dry = up.run("task", "skip", task, "--subtask", "warm-up", "--dry-run")
    assert dry.returncode == 0
    assert "failed → running" in dry.stdout
    assert "warm-up      failed    skipped" in dry.stdout
    refused = up.run("task", "cancel", task)
    assert refused.returncode == 1
    assert f"next   opsledger task retry {task}\n       opsledger task skip {task}\n" in refused.stderr

    skipped = up.run("task", "skip", task, "--subtask", "warm-up", "-m", "no cache tonight", "--log")
    assert skipped.returncode == 1, skipped.stderr
    assert skipped.stdout.startswith(f"skipped  warm-up  of task {task}   skipped\n==> smoke-test <==\n")
    assert "installed" not in skipped.stdout

    assert up.run("task", "rollback", task).returncode == 2
    undone = up.run("task", "rollback", task, "--yes", "--wait", "-m", "no orders")
    assert undone.returncode == 4, undone.stderr
    assert "put back" in up.run("task", "logs", task, "install").stdout

    audit = up.run("audit", "--task", task, "-o", "jsonl").stdout.splitlines()
    told = [(row["command"], row["outcome"], row.get("reason")) for row in map(json.loads, audit)]
    assert told == [
        ("rollback", "accepted", "no orders"),
        ("subtask.skip", "accepted", "no cache tonight"),
        ("cancel", "refused", None),
        ("create", "accepted", None),
    ]
    assert "every one follows" in up.run("audit", "verify", task).stdout
    assert up.run("audit", "verify").returncode == 0


def test_a_task_as_it_was_and_its_log(up: Up, tmp_path: Path) -> None:
    """The past by log position, alerts alone, a whole log as a file, and the history that ends by itself."""
    task = failing(up, tmp_path / "missing")
    first = json.loads(up.run("task", "events", task, "-o", "jsonl").stdout.splitlines()[0])["seq"]
    assert "as it was at log position" in up.run("task", "show", task, "--at", str(first)).stdout
    alerts = up.run("task", "logs", task, "--level", "alert").stdout
    assert "it is not there" in alerts
    assert "installed" not in alerts
    assert "installed" in up.run("task", "logs", task, "--find", "INSTALL", "--tail", "5").stdout
    file = tmp_path / "install.log"
    assert up.run("task", "logs", task, "install", "--download", str(file)).returncode == 0
    assert "installed" in file.read_text()
    followed = up.run("task", "events", task, "--follow", timeout=20)
    assert (followed.returncode, "task.finished" in followed.stdout) == (0, True)


def test_events_are_followed_while_they_happen(up: Up) -> None:
    """--follow on a running task prints what comes and ends with the task."""
    one = {"key": "wait", "operation": "wait", "params": {"seconds": 2}}
    task = up.run("task", "create", "--plan", "-", stdin=json.dumps({"subtasks": [one]})).stdout.strip()
    followed = up.run("task", "events", task, "--follow", "-o", "jsonl", timeout=40)
    assert followed.returncode == 0, followed.stderr
    kinds = [event["type"] for line in followed.stdout.splitlines() for event in json.loads(line)["events"]]
    assert kinds[0] == "task.created"
    assert kinds[-1] == "task.finished"


def test_many_tasks_at_once(up: Up, tmp_path: Path) -> None:
    """--where finds them, a dry run counts them, --yes begins a task that retries each; what does not fit is left."""
    wanted = tmp_path / "there"
    tasks = [failing(up, wanted, "night=bulk") for _ in range(3)]
    where = ("--where", "state:failed label:night=bulk since:1h")
    assert len(up.run("task", "list", *where).stdout.splitlines()) == 4
    dry = up.run("task", "retry", *where, "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()[0]) == (0, "retry  3 tasks")
    assert up.run("task", "retry", *where).returncode == 2

    wanted.touch()
    bulk = up.run("task", "retry", *where, "--yes", "--pace", "600", "-m", "it is there now", "--wait")
    assert bulk.returncode == 0, bulk.stderr
    for task in tasks:
        assert up.run("task", "watch", task).returncode == 0
    assert "3 done" in up.run("task", "show", bulk.stdout.strip()).stdout
    assert up.run("task", "retry", *where, "--yes").returncode == 1


def test_a_token_lives_and_dies(up: Up) -> None:
    """It opens what its role grants, refuses the rest calmly, and opens nothing once it is revoked."""
    made = json.loads(up.run("token", "create", "ci", "--role", "task_operator", "-o", "json").stdout)
    token = made["token"]
    assert json.loads(as_(up, "whoami", "-o", "json", token=token).stdout)["role"] == "TASK_OPERATOR"
    denied = as_(up, "audit", token=token)
    assert (denied.returncode, "opsledger whoami" in denied.stderr) == (1, True)
    assert made["id"] in up.run("token", "list").stdout
    assert up.run("token", "revoke", made["id"]).returncode == 0
    eventually_sync(lambda: as_(up, "whoami", token=token).returncode == 1, timeout=20, what="the token is refused")
    assert "expired or revoked" in as_(up, "whoami", token=token).stderr


def test_who_is_locked_out_makes_a_token_without_the_api(up: Up) -> None:
    """Over NATS: alone on stdout, and as good as any other."""
    made = up.run("token", "create", "rescue", "--role", "ADMIN", "--without-api")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    eventually_sync(lambda: "ADMIN" in as_(up, "whoami", token=token).stdout, timeout=20, what="the token is known")


def test_a_user_lives_and_leaves(up: Up) -> None:
    """Added with a password from stdin, given another role and another password, and removed."""
    words = ("user", "add", "ann", "--role", "TASK_VIEWER", "--team", "dba", "--password-stdin")
    assert up.run(*words, stdin=f"{PASSWORD}\n").returncode == 0
    me = as_(up, "whoami", user="ann", password=PASSWORD).stdout
    assert "TASK_VIEWER" in me
    assert "dba" in me
    assert up.run("user", "set-role", "ann", "TASK_OPERATOR").returncode == 0
    assert "TASK_OPERATOR" in up.run("user", "list").stdout
    assert up.run("user", "password", "ann", "--password-stdin", stdin="short\n").returncode == 1
    assert up.run("user", "password", "ann", "--password-stdin", stdin=f"{PASSWORD} two\n").returncode == 0
    assert as_(up, "whoami", user="ann", password=f"{PASSWORD} two").returncode == 0
    assert up.run("user", "remove", "ann").returncode == 2
    assert up.run("user", "remove", "ann", "--yes").returncode == 0
    assert "ann" not in up.run("user", "list").stdout
