"""The executor's own end: whether it is killed or stopped, its children die without its help (T28, F2, F5)."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.descendants import alive, mark
from tests.support.eventually import eventually

PARENT = """
import asyncio, sys
sys.path.insert(0, {root!r})
from services.executor.processes import Children

async def main():
    children = Children(1.0)
    script = "trap '' TERM HUP; setsid nohup sh -c 'sleep 100' $1 >/dev/null 2>&1 & sh -c 'sleep 100' $1 & wait"
    argv = ["/bin/sh", "-c", script, "sh", {mark!r}]
    command = children.run(argv, env={{"PATH": "/usr/bin:/bin"}}, cwd="/", host_pids={host_pids!r})
    running = asyncio.create_task(command)
    while not running.done():
        children.beat()
        await asyncio.sleep(0.05)

asyncio.run(main())
"""


@pytest.fixture(params=[False, True], ids=["namespace", "tree"])
def parent(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A process that keeps a tree of three alive with beats, and the mark of that tree."""
    name = mark()
    root = str(Path(__file__).parents[3])
    script = PARENT.format(root=root, mark=name, host_pids=request.param)
    # The script comes by stdin: its command line must not carry the mark.
    process = subprocess.Popen([sys.executable, "-"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(script.encode())
    process.stdin.close()
    yield process, name
    process.kill()
    process.wait()


async def test_kill_9_of_the_executor_takes_the_tree_along(parent: tuple[subprocess.Popen[bytes], str]) -> None:
    """After kill -9 the command, its children and its daemons are dead within a second."""
    process, name = parent
    await eventually(lambda: len(alive(name)) >= 3)

    process.kill()

    await eventually(lambda: alive(name) == [], timeout=1.0)


async def test_a_stopped_executor_loses_its_tree(parent: tuple[subprocess.Popen[bytes], str]) -> None:
    """A stopped executor cannot kill anything; the child's own init does, when the beats stay away."""
    process, name = parent
    await eventually(lambda: len(alive(name)) >= 3)

    os.kill(process.pid, signal.SIGSTOP)

    await eventually(lambda: alive(name) == [], timeout=5.0)
