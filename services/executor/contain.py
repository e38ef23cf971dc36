"""The init process of one contained command. Runs as `python -I -S contain.py FD`, alone, with nothing but the stdlib.

Responsible for the end of the command's whole process tree, also when the executor is dead or stopped and cannot
act (T28). Refuses to know what the command is for, and never touches its output: stdout and stderr are inherited
pipes.

FD is a socket to the executor. It reads the request (its length in a line, then NUL-separated fields: beat timeout,
time of the last beat, wish for a namespace, folder, count of argv, argv…, NAME=value…), then orders, one a line:
`B<monotonic seconds>` a good heartbeat, `T` send TERM to the tree, `K` kill it. End of file means that the executor
is gone. It writes `level namespace|tree`, then `error <text>` or `started`, then `exit N` or `signal N`, after
`reason beats` where missing beats were the cause. Both sides read the same CLOCK_MONOTONIC, so a late reader does
not lengthen a lease.
"""

import ctypes
import os
import select
import signal
import sys
import time
from contextlib import suppress

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWPID = 0x20000000
KILL_DEADLINE = 10.0
CANNOT_START = 127
DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _libc_call(name: str, *args: int) -> bool:
    """Call a libc function that answers 0 for success; False where it fails or does not exist."""
    try:
        return bool(getattr(ctypes.CDLL(None), name)(*(ctypes.c_ulong(arg) for arg in args)) == 0)
    except (AttributeError, OSError):
        return False


def _read_request(control: int) -> list[bytes]:
    head = b""
    while not head.endswith(b"\n"):
        byte = os.read(control, 1)
        if not byte:
            os._exit(0)
        head += byte
    missing = int(head)
    parts = []
    while missing:
        part = os.read(control, min(missing, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        missing -= len(part)
    return b"".join(parts).split(b"\0")


def _become_silent() -> None:
    """Let go of the command's pipes, so that their end is seen when the command's own tree is gone."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


def _describe(error: OSError, argv: list[bytes], cwd: bytes) -> str:
    program = os.fsdecode(argv[0])
    if error.filename == cwd:
        return f"cannot enter the folder {os.fsdecode(cwd)}: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return f"no such program: {program} (or the interpreter its first line names)"
    return f"cannot start {program}: {error.strerror}"


def _spawn(argv: list[bytes], env: dict[bytes, bytes], cwd: bytes) -> tuple[int, str]:
    """Fork and exec; returns the process id and what went wrong, empty if nothing did."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            _libc_call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
            with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as knob:  # noqa: PTH123 - no pathlib
                knob.write("500")  # out of memory takes the command, not the executor
            for number in (signal.SIGPIPE, signal.SIGXFSZ, *DEAF_TO, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.chdir(cwd)
            os.execvpe(argv[0], argv, env)  # noqa: S606 - no shell is the point
        except OSError as error:
            os.write(writer, os.fsencode(_describe(error, argv, cwd)))
        finally:
            os._exit(CANNOT_START)
    os.close(writer)
    trouble = b""
    while part := os.read(reader, 4096):
        trouble += part
    os.close(reader)
    return pid, os.fsdecode(trouble)


class Tree:
    """The processes below this one: a pid namespace of our own, or descendants that a subreaper cannot lose."""

    def __init__(self, *, namespace: bool) -> None:
        self.namespace = namespace
        self.main_status: int | None = None

    def _descendants(self) -> list[int]:
        parents: dict[int, int] = {}
        for entry in os.listdir("/proc"):  # noqa: PTH208 - pathlib would double the start-up time
            if entry.isdigit():
                with suppress(OSError, ValueError), open(f"/proc/{entry}/stat", "rb") as stat:  # noqa: PTH123 - likewise
                    parents[int(entry)] = int(stat.read().rpartition(b")")[2].split()[1])
        found = {os.getpid()}
        size = 0
        while size != len(found):
            size = len(found)
            found.update(pid for pid, parent in parents.items() if parent in found)
        found.discard(os.getpid())
        return list(found)

    def signal(self, number: int) -> None:
        """Send a signal to every process of the tree."""
        if self.namespace:
            with suppress(ProcessLookupError):
                os.kill(-1, number)
            return
        for pid in self._descendants():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def reap(self, main: int) -> bool:
        """Collect whoever ended; False when no child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == main:
                self.main_status = status

    def kill(self, main: int) -> None:
        """Kill until nobody is left: freeze first, so that a tree which forks cannot run ahead."""
        deadline = time.monotonic() + KILL_DEADLINE
        while self.reap(main) and time.monotonic() < deadline:
            if not self.namespace:
                self.signal(signal.SIGSTOP)
            self.signal(signal.SIGKILL)
            time.sleep(0.002)


def _say(control: int, text: str) -> None:
    with suppress(OSError):
        os.write(control, os.fsencode(text) + b"\n")


class Orders:
    """What the executor says, and until when the last good beat lets the command live."""

    def __init__(self, control: int, tree: Tree, timeout: float, beat: float) -> None:
        self.control = control
        self.tree = tree
        self.timeout = timeout
        self.beat = beat
        self.pending = b""

    def left(self) -> float:
        """Seconds until the beats have stayed away too long."""
        return self.beat + self.timeout - time.monotonic() if self.timeout else 3600.0

    def permit(self) -> bool:
        """Whether the command may still begin: nobody has ordered its end, and the beats are young enough."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        ordered = bool(poll.poll(0)) and not self.obey()
        if not ordered and self.left() <= 0:
            _say(self.control, "reason beats")
        return not ordered and self.left() > 0

    def obey(self) -> bool:
        """Read and carry out orders; False when the tree is to be killed."""
        try:
            data = os.read(self.control, 4096)
        except OSError:
            data = b""
        *orders, self.pending = (self.pending + data).split(b"\n")
        for order in orders:
            if order == b"T":
                self.tree.signal(signal.SIGTERM)
                self.tree.signal(signal.SIGCONT)
            elif order.startswith(b"B"):
                self.beat = max(self.beat, float(order[1:]))
        return bool(data) and b"K" not in orders


def _watch(orders: Orders, wake: int, main: int) -> None:
    """Wait for the end of the main process, an order to kill, the executor's death, or beats that stay away."""
    poll = select.poll()
    poll.register(orders.control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while orders.tree.reap(main) and orders.tree.main_status is None:
        ready = {fd for fd, _ in poll.poll(max(0.0, orders.left()) * 1000 + 1)}
        if wake in ready:
            os.read(wake, 4096)
        if orders.control in ready and not orders.obey():
            return
        if orders.left() <= 0:
            _say(orders.control, "reason beats")
            return


def _init(control: int, request: list[bytes], *, namespace: bool) -> None:
    """Run the command as the init of its tree, until the tree is gone."""
    timeout, beat, cwd, count = float(request[0]), float(request[1]), request[3], int(request[4])
    argv, pairs = request[5 : 5 + count], request[5 + count :]
    env = dict(pair.split(b"=", 1) for pair in pairs)
    for number in DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    tree = Tree(namespace=namespace)
    _say(control, "level namespace" if namespace else "level tree")
    orders = Orders(control, tree, timeout, beat)
    if not orders.permit():
        return
    main, trouble = _spawn(argv, env, cwd)
    _become_silent()
    if trouble:
        _say(control, "error " + trouble.replace("\n", " "))
    else:
        _say(control, "started")
        _watch(orders, wake, main)
    tree.kill(main)
    status = tree.main_status
    if status is not None and not trouble:
        code = os.waitstatus_to_exitcode(status)
        _say(control, f"exit {code}" if code >= 0 else f"signal {-code}")


def main() -> None:
    """Read the request, enter a pid namespace where that is allowed and wanted, and run."""
    control = int(sys.argv[1])
    os.set_inheritable(control, False)  # noqa: FBT003 - the signature of the stdlib
    request = _read_request(control)
    if request[2] != b"1" or not _libc_call("unshare", CLONE_NEWPID):
        _libc_call("prctl", PR_SET_CHILD_SUBREAPER, 1)
        _init(control, request, namespace=False)
        os._exit(0)
    _libc_call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
    inner = os.fork()
    if inner == 0:
        _libc_call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
        _init(control, request, namespace=True)
        os._exit(0)
    os.close(control)
    _become_silent()
    for number in DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    os.waitpid(inner, 0)
    os._exit(0)


if __name__ == "__main__":
    main()
