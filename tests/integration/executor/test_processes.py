"""Contained children: whole trees end, output is passed on and slowed down, and nothing leaks (T28, F21, F22)."""

import asyncio
import os
import resource
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.executor.child import Exit, Stream
from services.executor.fault import Cancelled, PermanentFault
from services.executor.processes import Children
from tests.support.descendants import alive, mark
from tests.support.eventually import eventually

ENV = {"PATH": os.environ["PATH"]}
both_levels = pytest.mark.parametrize("host_pids", [False, True], ids=["namespace", "tree"])


class Said:
    """Collects what a child prints."""

    def __init__(self) -> None:
        self.stdout = b""
        self.stderr = b""

    async def __call__(self, stream: Stream, data: bytes) -> None:
        """Take a chunk."""
        setattr(self, stream, getattr(self, stream) + data)


async def shell(
    children: Children, script: str, *arguments: str, env: Mapping[str, str] = ENV, **options: object
) -> Exit:
    """Run a script of /bin/sh in the root folder."""
    return await children.run(["/bin/sh", "-c", script, "sh", *arguments], env=env, cwd="/", **options)  # type: ignore[arg-type]


@both_levels
async def test_output_and_exit_code_come_back(host_pids: bool) -> None:
    """Both streams, standard input and the exit code reach the caller."""
    said = Said()

    ended = await shell(Children(), "cat; echo no >&2; exit 7", stdin=b"yes", on_data=said, host_pids=host_pids)

    assert (ended.code, ended.signal, ended.reason) == (7, None, "exited")
    assert (said.stdout, said.stderr) == (b"yes", b"no\n")


@both_levels
async def test_daemons_do_not_survive_the_command(host_pids: bool) -> None:
    """Grandchildren that call setsid and nohup are dead when run() returns, although the command ended well."""
    name = mark()
    script = "setsid nohup sh -c 'sleep 100 #'$1 >/dev/null 2>&1 & (sh -c 'sleep 100 #'$1 &) & echo started"

    ended = await shell(Children(), script, name, host_pids=host_pids)

    assert ended.code == 0
    assert alive(name) == []


@both_levels
async def test_a_deaf_tree_is_killed_after_the_grace(host_pids: bool) -> None:
    """A tree that ignores TERM is ended by KILL, once its grace is over and not before."""
    name = mark()
    started = time.monotonic()

    ended = await shell(
        Children(),
        "trap '' TERM; sh -c 'trap \"\" TERM; sleep 100' $1 & sleep 100",
        name,
        timeout=0.3,
        grace=0.5,
        host_pids=host_pids,
    )

    assert ended.timed_out
    assert ended.signal == 9
    assert time.monotonic() - started >= 0.8
    assert alive(name) == []


@both_levels
async def test_a_cancel_gives_time_to_clean_up(host_pids: bool) -> None:
    """TERM comes first, and what the command says in its grace is still heard."""
    said, cancel = Said(), asyncio.Event()
    running = asyncio.create_task(
        shell(
            Children(),
            "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done",
            cancel=cancel,
            grace=20.0,
            on_data=said,
            host_pids=host_pids,
        )
    )
    await eventually(lambda: said.stdout == b"up\n")

    cancel.set()
    ended = await running

    assert ended.cancelled
    assert ended.code == 5
    assert said.stdout == b"up\nbye\n"


async def test_a_cancelled_coroutine_leaves_nothing_behind() -> None:
    """Cancelling run() itself ends the tree gently before the cancellation goes on."""
    name, said = mark(), Said()
    script = "trap 'echo bye; exit' TERM; sh -c 'sleep 100' $1 & echo up; wait"
    running = asyncio.create_task(shell(Children(), script, name, on_data=said))
    await eventually(lambda: said.stdout == b"up\n")

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert alive(name) == []
    assert said.stdout == b"up\nbye\n"


async def test_twice_cancelled_means_at_once() -> None:
    """A second cancel does not wait for the grace of a deaf tree."""
    name, said = mark(), Said()
    script = "trap '' TERM; sh -c 'trap \"\" TERM; sleep 100' $1 & echo up; wait; sleep 100"
    running = asyncio.create_task(shell(Children(), script, name, on_data=said, grace=60.0))
    await eventually(lambda: said.stdout == b"up\n")

    running.cancel()
    await asyncio.wait({running}, timeout=0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 10)

    assert alive(name) == []


@both_levels
async def test_fencing_kills_at_once_and_refuses_more(host_pids: bool) -> None:
    """kill_all() needs no grace, and afterwards nothing can be started."""
    name, said, children = mark(), Said(), Children(30.0)
    running = asyncio.create_task(
        shell(children, "trap '' TERM; echo up; sleep 100 #", name, on_data=said, host_pids=host_pids)
    )
    await eventually(lambda: said.stdout == b"up\n")

    children.kill_all()
    await children.wait_gone()
    ended = await running

    assert ended.reason == "killed"
    assert alive(name) == []
    with pytest.raises(Cancelled):
        await shell(children, "echo never")


@both_levels
async def test_missing_beats_end_the_tree(host_pids: bool) -> None:
    """Without beats the child's own init kills it, and the exit says so."""
    name = mark()

    ended = await shell(Children(0.5), "sh -c 'sleep 100' $1 & sleep 100", name, host_pids=host_pids)

    assert ended.reason == "beats"
    assert ended.seconds < 10
    assert alive(name) == []


async def test_beats_keep_a_child_alive() -> None:
    """With beats the same child outlives the beat timeout many times over."""
    children = Children(0.5)

    async def beat() -> None:
        while True:
            children.beat()
            await asyncio.sleep(0.05)

    beating = asyncio.create_task(beat())
    ended = await shell(children, "sleep 1.5")
    beating.cancel()

    assert (ended.code, ended.reason) == (0, "exited")


async def test_a_new_child_inherits_the_age_of_the_last_beat() -> None:
    """A command started late in a lease does not get a whole lease of its own."""
    children = Children(1.0)
    children.beat(time.monotonic() - 0.9)
    started = time.monotonic()

    ended = await shell(children, "sleep 100")

    assert ended.reason == "beats"
    assert time.monotonic() - started < 0.9


@pytest.mark.parametrize(
    ("argv", "cwd", "told"),
    [
        (["no-such-program-at-all"], "/", "No such program: no-such-program-at-all"),
        (["/etc/passwd"], "/", "Cannot start /etc/passwd: Permission denied."),
        (["true"], "/no/such/folder", "Cannot enter the folder /no/such/folder"),
    ],
)
async def test_a_command_that_cannot_start_says_why(argv: list[str], cwd: str, told: str) -> None:
    """What cannot be started is a permanent fault in plain words."""
    with pytest.raises(PermanentFault, match=told):
        await Children().run(argv, env=ENV, cwd=cwd)


async def test_a_flood_is_slowed_down_and_memory_stays_bounded() -> None:
    """A child that prints 1 GB through a receiver that only counts leaves the executor's memory where it was."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = 0

    async def receive(stream: Stream, data: bytes) -> None:
        nonlocal count
        assert len(data) <= 128 * 1024
        count += len(data)

    ended = await shell(Children(), "head -c 1000000000 /dev/zero", on_data=receive)

    assert ended.code == 0
    assert count == 1_000_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


async def test_a_receiver_that_waits_stops_the_child() -> None:
    """While the receiver waits, the child cannot print more than the buffers between them hold."""
    gate, taken = asyncio.Event(), 0

    async def receive(stream: Stream, data: bytes) -> None:
        nonlocal taken
        await gate.wait()
        taken += len(data)

    said_done = mark()
    script = f"head -c 4000000 /dev/zero; touch /tmp/{said_done}"
    running = asyncio.create_task(shell(Children(), script, on_data=receive))
    await asyncio.wait({running}, timeout=0.5)

    assert not Path(f"/tmp/{said_done}").exists()
    gate.set()
    await running
    assert taken == 4_000_000
    Path(f"/tmp/{said_done}").unlink()


async def test_a_receiver_that_fails_ends_the_child() -> None:
    """An exception of the receiver comes out of run(), and the tree is dead."""
    name = mark()

    async def receive(stream: Stream, data: bytes) -> None:
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        await shell(Children(), "sh -c 'sleep 100' $1 & echo up; sleep 100", name, on_data=receive)

    assert alive(name) == []


async def test_a_command_may_close_its_output_and_go_on() -> None:
    """Closed streams are not the end of a command."""
    ended = await shell(Children(), "exec >&- 2>&-; sleep 0.3; exit 4")

    assert ended.code == 4
    assert ended.seconds >= 0.3


async def test_nothing_of_the_executor_leaks_into_the_child() -> None:
    """Neither descriptors nor environment of this process reach the command, which leads a session of its own."""
    ours, theirs = socket.socketpair()
    os.set_inheritable(ours.fileno(), True)  # noqa: FBT003
    said = Said()
    script = "import os; print(sorted(os.listdir('/proc/self/fd')), dict(os.environ), os.getsid(0) == os.getpid())"

    await Children().run([sys.executable, "-I", "-S", "-c", script], env={"LC_ALL": "C.UTF-8"}, cwd="/", on_data=said)
    ours.close()
    theirs.close()

    assert said.stdout.decode().strip() == "['0', '1', '2', '3'] {'LC_ALL': 'C.UTF-8'} True"


@pytest.mark.skipif(os.geteuid() != 0, reason="a pid namespace needs root")
async def test_a_command_cannot_signal_the_host_from_its_namespace() -> None:
    """Inside its namespace a command has few, small process ids, and the executor is not among them."""
    said = Said()
    script = f"import os; print(os.getpid() < 10); os.kill({os.getpid()}, 0)"

    ended = await Children().run([sys.executable, "-I", "-S", "-c", script], env=ENV, cwd="/", on_data=said)

    assert ended.containment == "namespace"
    assert said.stdout == b"True\n"
    assert b"ProcessLookupError" in said.stderr


async def test_large_arguments_and_odd_bytes_arrive_unchanged() -> None:
    """Arguments go through the control socket, so size and odd characters do not matter."""
    said = Said()
    odd = "ü\n\t'\"$(reboot);\u202e" + "x" * 30_000

    await Children().run(["printf", "%s", odd], env=ENV, cwd="/", on_data=said)

    assert said.stdout.decode() == odd


async def test_many_children_at_once_end_each_with_its_own_code() -> None:
    """Twenty children side by side do not mix up their ends, and leave no descriptor behind."""
    children = Children(30.0)
    await shell(children, "true")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    ended = await asyncio.gather(*(shell(children, f"exit {code}") for code in range(20)))

    assert [item.code for item in ended] == list(range(20))
    assert len(children) == 0
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)  # noqa: PTH208
