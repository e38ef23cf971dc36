"""The whole system on one machine: what `opsledger up` promises to a shell, a supervisor and a second terminal."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.support.eventually import eventually_sync
from tests.support.process import free_port
from tests.support.up import Up, environment, program

pytestmark = pytest.mark.timeout(180)


def plan(steps: int, seconds: float) -> str:
    """A chain of steps that each wait."""
    return json.dumps(
        {
            "subtasks": [
                {
                    "key": f"wait-{number}",
                    "operation": "wait",
                    "params": {"seconds": seconds},
                    "upstreams": [f"wait-{number - 1}"] if number else [],
                }
                for number in range(steps)
            ]
        }
    )


def create(up: Up, steps: int = 1, seconds: float = 0.05) -> str:
    """Create such a task over the command line; its id."""
    created = up.run("task", "create", "--plan", "-", stdin=plan(steps, seconds))
    assert created.returncode == 0, created.stderr
    return created.stdout.strip()


def started(up: Up, task_id: str, steps: int = 1) -> bool:
    """Whether that many steps have at least started."""
    shown = up.run("task", "show", task_id, "-o", "jsonl")
    return sum("startTime" in json.loads(line) for line in shown.stdout.splitlines()) >= steps


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs any more."""
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A system of its own with one executor, ready."""
    with Up(tmp_path) as system:
        yield system


def test_prints_exactly_one_line_on_stdout(up: Up) -> None:
    """The ready line is all there is on stdout, and what it names answers."""
    url = up.url
    create(up)
    assert up.stdout == f"ready {url}\n"
    assert url.startswith("http://127.0.0.1:")
    assert httpx2.get(f"{url}/health/live", trust_env=False).status_code == 200
    assert up.signal(signal.SIGTERM) < 10
    assert up.stdout == f"ready {url}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    """TERM and INT, in the middle of work: under ten seconds, exit code 0, no process left."""
    with Up(tmp_path, executors=2) as system:
        task_id = create(system, steps=1, seconds=60)
        eventually_sync(lambda: started(system, task_id), timeout=20, what="the step runs")
        children = system.children
        assert len(children) >= 4
        took = system.signal(number)
        assert system.process.returncode == 0, system.stderr
        assert took < 10
        assert gone(children)


def test_kill_9_leaves_no_process(up: Up) -> None:
    """Even a death without a word takes all children along."""
    children = up.children
    up.kill9()
    eventually_sync(lambda: gone(children), timeout=10, what="every child is gone")


def test_a_second_start_on_the_same_directory_says_so(up: Up) -> None:
    """Exit code 2, where the first one is, and the first one lives on."""
    second = up.run("up", "--no-demo", "--port", "0")
    assert second.returncode == 2
    assert second.stdout == ""
    assert "already runs" in second.stderr
    assert up.url in second.stderr
    assert up.process.poll() is None


@pytest.mark.parametrize("name", ["nats", "api", "executor-1"])
def test_a_childs_death_ends_the_rest(up: Up, name: str) -> None:
    """A child that dies takes the system down, with its name, its log path and an exit code that is not 0."""
    children = up.children
    up.child(name).kill()
    assert up.wait() == 1
    assert f"{name} was killed by SIGKILL" in up.stderr
    assert str(up.data_dir / "logs" / f"{name}.log") in up.stderr
    assert gone(children)


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
def test_a_restart_goes_on_with_what_was_unfinished(tmp_path: Path, *, crash: bool) -> None:
    """A task that was in the middle of its steps is finished by the next start, under the same id."""
    system = Up(tmp_path)
    with system:
        task_id = create(system, steps=5, seconds=1)
        eventually_sync(lambda: started(system, task_id, 2), timeout=20, what="the second step runs")
        nats_url, children = system.nats_url, system.children
        if crash:
            system.kill9()
            eventually_sync(lambda: gone(children), timeout=10, what="every child is gone")
        else:
            system.stop()
        system.start()
        assert system.nats_url == nats_url
        watched = system.run("task", "watch", task_id, "--timeout", "60")
        assert watched.returncode == 0, watched.stdout + watched.stderr


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port that somebody else holds is refused before anything starts, with what to do."""
    port = free_port()
    system = Up(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        system.launch(port)
        assert system.wait() == 2
    assert f"port {port}" in system.stderr
    assert "--port 0" in system.stderr
    assert system.stdout == ""


def test_the_chosen_port_is_used(tmp_path: Path) -> None:
    """--port N is where the API is."""
    port = free_port()
    system = Up(tmp_path)
    system.start(port)
    try:
        assert system.url == f"http://127.0.0.1:{port}"
    finally:
        system.stop()


def test_the_password_is_made_shown_once_and_kept(tmp_path: Path) -> None:
    """Without a given password one is made: shown at the first start only, kept for the owner alone, and it opens."""
    with Up(tmp_path, executors=0) as system:
        password = system.password
        assert password in system.stderr
        assert system.mode("admin-password") == 0o600
        assert system.mode("runtime.json") == 0o600
        assert system.mode("nats/nats.conf") == 0o600
        operations = f"{system.url}/api/v2/operations"
        assert httpx2.get(operations, auth=("admin", password), trust_env=False).status_code == 200
        assert httpx2.get(operations, auth=("admin", "guess"), trust_env=False).status_code == 401
        system.stop()
        system.start()
        assert system.password == password
        assert password not in system.stderr


def test_a_given_password_is_used(tmp_path: Path) -> None:
    """OPSLEDGER_ADMIN_PASSWORD opens the API, is not shown, and stays in force without being given again."""
    first = Up(tmp_path, executors=0, OPSLEDGER_ADMIN_PASSWORD="correct horse")
    with first:
        operations = f"{first.url}/api/v2/operations"
        assert httpx2.get(operations, auth=("admin", "correct horse"), trust_env=False).status_code == 200
        assert "correct horse" not in first.stderr
        assert first.run("task", "list").returncode == 0
    with Up(tmp_path, executors=0) as second:
        assert second.password == "correct horse"
        assert second.run("task", "list").returncode == 0


def test_an_executor_joins(tmp_path: Path) -> None:
    """A system without executors does nothing until one joins; its death is nobody else's."""
    with Up(tmp_path, executors=0) as system:
        task_id = create(system)
        assert system.run("task", "watch", task_id, "--timeout", "1").returncode == 124
        with system.joined("executor", "--concurrency", "4") as replica:
            watched = system.run("task", "watch", task_id, "--timeout", "30")
            assert watched.returncode == 0, watched.stdout + watched.stderr
            assert replica.poll() is None
        assert system.process.poll() is None


def test_an_api_joins(up: Up) -> None:
    """A second API shows the same tasks and takes the same login; its death is nobody else's."""
    task_id = create(up)
    port = free_port()
    with up.joined("api", "--port", str(port)) as replica:

        def answers() -> bool:
            assert replica.poll() is None
            found = httpx2.get(
                f"http://127.0.0.1:{port}/api/v2/tasks/instances/{task_id}",
                auth=("admin", up.password),
                trust_env=False,
            )
            return found.status_code == 200

        eventually_sync(answers, timeout=30, ignoring=(httpx2.TransportError,), what="the second API answers")
    assert up.process.poll() is None
    assert up.run("task", "show", task_id).returncode == 0


def test_nothing_to_join_is_said(tmp_path: Path) -> None:
    """Joining where nothing runs ends with what to do instead."""
    joined = subprocess.run(
        [program(), "executor", "--data-dir", str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert joined.returncode == 2
    assert "no opsledger runs on" in joined.stderr
    assert "opsledger up" in joined.stderr


def test_the_demo_inspects_this_host(tmp_path: Path) -> None:
    """After the ready line the demo runs to its end on stderr, says what it found and how to go on, and stays up."""
    with Up(tmp_path, demo=True) as system:
        eventually_sync(lambda: "Ctrl-C" in system.stderr, timeout=90, what="the demo has ended")
        assert "did not work" not in system.stderr
        assert "report" in system.stderr
        assert system.stdout == f"ready {system.url}\n"
        listed = system.run("task", "list", "--type", "host.inspect", "-o", "jsonl")
        assert [json.loads(line)["state"] for line in listed.stdout.splitlines()] == ["SUCCESSFUL"]
        assert system.process.poll() is None


def test_the_demo_leaves_a_task_to_retry(tmp_path: Path) -> None:
    """It has failed on purpose, the last words say where, and one retry brings it to its end."""
    with Up(tmp_path, demo=True) as system:
        eventually_sync(lambda: "Ctrl-C" in system.stderr, timeout=90, what="the demo has ended")
        said = next(line for line in system.stderr.splitlines() if "press Retry" in line)
        task_id = said.split()[1].removeprefix(f"{system.url}/tasks/")
        assert "port 22" in system.run("task", "show", task_id).stdout
        assert system.run("task", "retry", task_id, "--wait", "--reason", "it answers again").returncode == 0


def test_jobs_run_against_it(up: Up) -> None:
    """`init` again does no harm, `projection verify` agrees, and a new token opens the API."""
    create(up)
    assert up.run("init").returncode == 0
    verified = up.run("projection", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    made = up.run("token", "create", "test", "--role", "TASK_VIEWER")
    assert made.returncode == 0, made.stderr
    opened = httpx2.get(
        f"{up.url}/api/v2/tasks/instances",
        headers={"Authorization": f"Bearer {made.stdout.strip()}"},
        trust_env=False,
    )
    assert opened.status_code == 200
