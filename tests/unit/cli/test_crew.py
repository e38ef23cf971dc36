"""The supervisor's mechanics on small scripts: deaths, last words, stubborn children, and orphans."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from opsledger.cli.failure import CliError, Exit
from opsledger.cli.local import child as children
from opsledger.cli.local.crew import Crew, death
from tests.support.eventually import eventually, eventually_sync

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


def python(code: str) -> list[str]:
    """A child that runs this code."""
    return [sys.executable, "-c", code]


@pytest.fixture
def crew(tmp_path: Path) -> Crew:
    """An empty crew with one rank."""
    crew = Crew(tmp_path)
    crew.rank(0.5)
    return crew


async def test_the_first_death_is_noticed_also_of_later_children(crew: Crew) -> None:
    """Whoever dies first is named with exit code, log and last lines."""
    await crew.start("one", python(SLEEP), os.environ)
    waiting = asyncio.ensure_future(crew.first_death())
    await crew.start("two", python("import sys; print('no more'); sys.exit(7)"), os.environ)
    dead = await asyncio.wait_for(waiting, 10)
    await crew.stop()
    error = death(dead)
    assert "two ended with exit code 7" in error.cause
    assert str(dead.log) in error.cause
    assert "no more" in error.cause
    assert error.code == 1


async def test_a_log_older_than_the_view_keeps_its_exit_code(crew: Crew) -> None:
    """A service that ends with 3 makes `up` end with 3."""
    with pytest.raises(CliError) as caught:
        await crew.run("init", python("import sys; sys.exit(3)"), os.environ)
    assert caught.value.code == Exit.LOG_REGRESSION


async def test_a_stop_ends_the_deaf_too(crew: Crew) -> None:
    """TERM first; who does not comply within the grace is killed."""
    deaf = await crew.start("deaf", python(STUBBORN), os.environ)
    await eventually(lambda: deaf.said(b"deaf"), timeout=10)
    began = time.monotonic()
    await crew.stop()
    assert 0.4 < time.monotonic() - began < 3
    assert deaf.process.returncode == -signal.SIGKILL


async def test_ranks_stop_in_reverse(crew: Crew, tmp_path: Path) -> None:
    """A later rank has ended before an earlier one is asked to."""
    order = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n time.sleep(0.1); open({path!r}, 'a').write({name!r}); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    )
    for name in "ab":
        crew.rank(5)
        member = await crew.start(name, python(code.format(path=str(order), name=name)), os.environ)
        await eventually(partial(member.said, b"up"), timeout=10)
    await crew.stop()
    assert order.read_text() == "ba"


async def test_what_a_child_forgot_is_ended_too(crew: Crew) -> None:
    """A grandchild in the child's group does not outlive the stop."""
    code = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); print(p.pid, flush=True)"
    parent = await crew.start("parent", python(code), os.environ)
    await parent.process.wait()
    grandchild = psutil.Process(int(parent.last_words()[0]))
    await crew.stop()
    await eventually(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE, timeout=5)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's death")
def test_a_parent_killed_with_9_takes_its_children_along(tmp_path: Path) -> None:
    """Nobody is left to stop them, so the kernel does."""
    code = (
        "import asyncio, os, sys\nfrom pathlib import Path\nfrom opsledger.cli.local.crew import Crew\n"
        "async def main():\n"
        f" crew = Crew(Path({str(tmp_path)!r})); crew.rank(1)\n"
        f" child = await crew.start('c', [sys.executable, '-c', {STUBBORN!r}], os.environ)\n"
        " print(child.process.pid, flush=True)\n await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    with subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    eventually_sync(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, timeout=5)


def test_a_log_that_grew_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One old file is kept, and a small one is left alone."""
    monkeypatch.setattr(children, "LOG_CAP_BYTES", 10)
    log = tmp_path / "x.log"
    children.rotate(log)
    log.write_text("short")
    children.rotate(log)
    assert log.exists()
    log.write_text("longer than ten")
    children.rotate(log)
    assert not log.exists()
    assert (tmp_path / "x.log.1").read_text() == "longer than ten"
