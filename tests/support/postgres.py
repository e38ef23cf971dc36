"""PostgreSQL servers for tests: one shared by the run, ones that a test may kill, and a fresh database for each test.

The shared one is, in this order: the one OPSLEDGER_TEST_DATABASE_URL names (its user must be allowed to create
databases), a container of compose.yaml's image when a Docker engine can give one, or the machine's own binaries in a
temporary folder. Where there is none of these, tests that need it are skipped and say how to get one; with
OPSLEDGER_TEST_REQUIRE_POSTGRESQL=1 they fail instead. Knows nothing of our tables.
"""

import asyncio
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import psutil
from sqlalchemy import URL, make_url
from testcontainers.community.postgres import PostgresContainer

from tests.support.docker import compose_image, engine_version, fetch, image_at_hand
from tests.support.process import ServerFailed, ServerProcess, become, free_port, setpriv

USER = "tests"
HOW_TO_GET_ONE = (
    "no PostgreSQL for tests: set OPSLEDGER_TEST_DATABASE_URL=postgresql://user:password@host/postgres, "
    "or start a Docker engine, or install the server (Debian: apt-get install postgresql)"
)


class NoPostgres(Exception):  # noqa: N818  (a fact about the machine)
    """This machine has no PostgreSQL to lend; says how to get one."""


def binaries() -> Path | None:
    """The folder with this machine's newest `initdb` and `postgres`, or None; also None when root cannot be dropped."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]), reverse=True)
    on_path = shutil.which("initdb")
    folders = [*installed, *([Path(on_path).resolve().parent] if on_path else [])]
    if os.geteuid() == 0 and (not setpriv() or _unprivileged() is None):
        return None
    return next((path for path in folders if (path / "initdb").exists() and (path / "postgres").exists()), None)


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to be instead of root, which the server refuses to run as."""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def _reachable(folder: Path) -> bool:
    """Whether every user may pass through this folder and its parents."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))


class PostgresServer(ServerProcess):
    """One local server from the machine's binaries; its data, port and password outlive restarts.

    It has a folder of its own, because a server that drops root cannot enter the test run's folder. `remove` ends it
    and deletes the folder.
    """

    name = "postgresql"
    stop_signal = signal.SIGINT  # its "fast shutdown"

    def __init__(self) -> None:
        found = binaries()
        if found is None:
            raise NoPostgres(HOW_TO_GET_ONE)
        self._binaries = found
        self._user = _unprivileged() if os.geteuid() == 0 else None
        places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
        place = next((path for path in places if self._user is None or _reachable(path)), None)
        super().__init__(Path(tempfile.mkdtemp(prefix="opsledger-postgresql-", dir=place)))
        self.port, self.password = free_port(), secrets.token_hex(16)
        self._made = False

    @property
    def data_dir(self) -> Path:
        """Where the server keeps its files."""
        return self.folder / "data"

    @property
    def url(self) -> URL:
        """The server's maintenance database, as a superuser."""
        return URL.create("postgresql+asyncpg", USER, self.password, "127.0.0.1", self.port, "postgres")

    def start(self) -> None:
        """Start it, on the first time after making its data folder, and wait until it accepts connections."""
        if not self._made:
            self._initialise()
        self._launch([*self._as_user(), str(self._binaries / "postgres"), "-D", str(self.data_dir)], self._ready)

    def restart(self) -> None:
        """Stop it in good order if it runs, then start it on the same data and port."""
        self.stop()
        self.start()

    def kill9(self) -> None:
        """End the server and all its helpers at once, as a crash of the machine would, bar the disk."""
        helpers = psutil.Process(self.pid).children(recursive=True) if self.alive else []
        super().kill9()
        for helper in helpers:
            with contextlib.suppress(psutil.NoSuchProcess):
                helper.kill()
        psutil.wait_procs(helpers, timeout=10)

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(self.password, encoding="utf-8")
        if self._user is not None:
            for path in (self.folder, password):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        options = ["--username", USER, "--pwfile", str(password), "--auth", "scram-sha-256", "--no-sync"]
        options += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--pgdata", str(self.data_dir)]
        made = subprocess.run(
            [*self._as_user(), str(self._binaries / "initdb"), *options], capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise ServerFailed(f"initdb: {made.stdout}{made.stderr}")
        with (self.data_dir / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\n"
                "fsync = off\n"  # a killed process loses nothing by it, and no test pulls this server's plug
            )
        self._made = True

    def _as_user(self) -> list[str]:
        return become(self._user)

    def _ready(self) -> bool:
        # The server writes its own process id and, when it accepts connections, "ready" into this file.
        lines = (self.data_dir / "postmaster.pid").read_text(encoding="utf-8").split()
        return lines[:1] == [str(self.pid)] and lines[-1:] == ["ready"]


def chosen() -> str:
    """Which PostgreSQL the run will share, in words, and why; starts nothing."""
    if os.environ.get("OPSLEDGER_TEST_DATABASE_URL"):
        return "the one OPSLEDGER_TEST_DATABASE_URL names"
    image = compose_image("postgres")
    if image_at_hand(image):
        return f"container {image} (Docker {engine_version()})"
    found = binaries()
    return f"child process {found / 'postgres'}" if found else HOW_TO_GET_ONE


@contextlib.contextmanager
def shared() -> Iterator[URL]:
    """The run's shared server, as the URL of its maintenance database; NoPostgres where none can be had."""
    url = os.environ.get("OPSLEDGER_TEST_DATABASE_URL")
    image = compose_image("postgres")
    if url:
        yield make_url(url).set(drivername="postgresql+asyncpg")
    elif image_at_hand(image):
        fetch(image)
        with PostgresContainer(image, username=USER, password=secrets.token_hex(16), dbname="tests") as container:
            yield make_url(container.get_connection_url(driver="asyncpg"))
    else:
        server = PostgresServer()
        try:
            server.start()
            yield server.url
        finally:
            server.remove()


@contextlib.contextmanager
def fresh_database(server: URL) -> Iterator[URL]:
    """A database made for one test and dropped after it, also while connections to it are open."""
    name = f"test_{secrets.token_hex(8)}"
    _execute(server, f"CREATE DATABASE {name}")
    try:
        yield server.set(database=name)
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server: URL, statement: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(
            server.set(drivername="postgresql").render_as_string(hide_password=False), timeout=20
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    _outside_the_loop(execute)


def _outside_the_loop(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a coroutine in a thread, so that the caller may or may not stand inside an event loop."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(work())).result(60)
