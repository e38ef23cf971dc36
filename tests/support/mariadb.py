"""MariaDB servers for tests: one shared by the run, ones that a test may kill, and a fresh database for each test.

The shared one is, in this order: the one OPSLEDGER_TEST_MYSQL_URL names (its user must be allowed to create databases
and users), a container when a Docker engine can give one, or the machine's own binaries in a temporary folder. Where
there is none of these, tests that need it are skipped and say how to get one; with OPSLEDGER_TEST_REQUIRE_MARIADB=1
they fail instead.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pymysql
from testcontainers.core.container import DockerContainer

from tests.support.docker import engine_version, fetch, image_at_hand
from tests.support.eventually import eventually_sync
from tests.support.process import ServerFailed, ServerProcess, become, free_port, setpriv

USER = "tests"
IMAGE = "mariadb:10.11"  # not among those we ship: it stands for the databases of others
HOW_TO_GET_ONE = (
    "no MariaDB for tests: set OPSLEDGER_TEST_MYSQL_URL=mysql://user:password@host:port, "
    "or start a Docker engine, or install the server (Debian: apt-get install mariadb-server)"
)


class NoMariadb(Exception):  # noqa: N818  (a fact about the machine)
    """This machine has no MariaDB to lend; says how to get one."""


@dataclass(frozen=True)
class Place:
    """Where a server, or one of its databases, is, and as whom to go there."""

    host: str
    port: int
    user: str
    password: str
    database: str = ""

    @property
    def url(self) -> str:
        """The URL of a connection: no password in it."""
        return f"mysql://{quote(self.user)}@{self.host}:{self.port}/{self.database}"

    def connect(self) -> Any:
        """Open an autocommit connection of the test's own."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=self.database or None,
            autocommit=True,
            charset="utf8mb4",
            connect_timeout=10,
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        finally:
            connection.close()


@dataclass(frozen=True)
class Binaries:
    """The programs of a server on this machine."""

    server: Path
    install: Path


def binaries() -> Binaries | None:
    """This machine's `mariadbd` and `mariadb-install-db`, or None; also None when root cannot be dropped."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    server, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    if server is None or install is None or (os.geteuid() == 0 and (not setpriv() or _unprivileged() is None)):
        return None
    return Binaries(Path(server), Path(install))


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to be instead of root, which the server refuses to run as."""
    for name in ("mysql", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


class MariadbServer(ServerProcess):
    """One local server from the machine's binaries; its data, port and password outlive restarts."""

    name = "mariadb"

    def __init__(self) -> None:
        found = binaries()
        if found is None:
            raise NoMariadb(HOW_TO_GET_ONE)
        self._binaries = found
        self._user = _unprivileged() if os.geteuid() == 0 else None
        place = "/tmp" if self._user is not None else None  # a folder that others may pass through
        super().__init__(Path(tempfile.mkdtemp(prefix="opsledger-mariadb-", dir=place)))
        self.place = Place("127.0.0.1", free_port(), USER, secrets.token_hex(16))
        self._made = False

    @property
    def data_dir(self) -> Path:
        """Where the server keeps its files."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it, on the first time after making its data folder, and wait until it accepts connections."""
        if not self._made:
            self._initialise()
        self._launch([*self._as_user(), str(self._binaries.server), *self._options()], self._ready, timeout=60)

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _options(self) -> list[str]:
        return [
            "--no-defaults",
            f"--datadir={self.data_dir}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--tmpdir={self.folder}",  # the test run's own may be closed to the server's user
            f"--port={self.place.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--innodb-buffer-pool-size=64M",
            "--innodb-flush-log-at-trx-commit=2",  # a killed process loses nothing by it, and no test pulls the plug
            "--performance-schema=OFF",
            f"--init-file={self.folder / 'init.sql'}",
        ]

    def _initialise(self) -> None:
        init = self.folder / "init.sql"
        made = f"CREATE OR REPLACE USER {USER}@'%' IDENTIFIED BY '{self.place.password}'"
        init.write_text(f"{made};\nGRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;\n", encoding="utf-8")
        if self._user is not None:
            for path in (self.folder, init):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        options = ["--no-defaults", f"--datadir={self.data_dir}", "--auth-root-authentication-method=normal"]
        made_db = subprocess.run(
            [*self._as_user(), str(self._binaries.install), *options, "--skip-test-db", "--skip-name-resolve"],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.folder)},
        )
        if made_db.returncode:
            raise ServerFailed(f"mariadb-install-db: {made_db.stdout}{made_db.stderr}")
        self._made = True

    def _as_user(self) -> list[str]:
        return become(self._user)

    def _ready(self) -> bool:
        return _answers(self.place)


def _answers(place: Place) -> bool:
    try:
        return place.rows("SELECT 1") == [(1,)]
    except pymysql.MySQLError:
        return False


def chosen() -> str:
    """Which MariaDB the run will share, in words, and why; starts nothing."""
    if os.environ.get("OPSLEDGER_TEST_MYSQL_URL"):
        return "the one OPSLEDGER_TEST_MYSQL_URL names"
    if image_at_hand(IMAGE):
        return f"container {IMAGE} (Docker {engine_version()})"
    found = binaries()
    return f"child process {found.server}" if found else HOW_TO_GET_ONE


@contextlib.contextmanager
def shared() -> Iterator[Place]:
    """The run's shared server; NoMariadb where none can be had."""
    url = os.environ.get("OPSLEDGER_TEST_MYSQL_URL")
    if url:
        parts = urlsplit(url)
        yield Place(
            parts.hostname or "127.0.0.1",
            parts.port or 3306,
            unquote(parts.username or "root"),
            unquote(parts.password or ""),
        )
    elif image_at_hand(IMAGE):
        fetch(IMAGE)
        password = secrets.token_hex(16)
        container = DockerContainer(IMAGE).with_env("MARIADB_ROOT_PASSWORD", password).with_exposed_ports(3306)
        with container:
            place = Place(container.get_container_host_ip(), int(container.get_exposed_port(3306)), "root", password)
            eventually_sync(lambda: _answers(place), timeout=60, what="MariaDB answers")
            yield place
    else:
        server = MariadbServer()
        try:
            server.start()
            yield server.place
        finally:
            server.remove()


@contextlib.contextmanager
def fresh_database(server: Place) -> Iterator[Place]:
    """A database made for one test and dropped after it."""
    name = f"test_{secrets.token_hex(8)}"
    server.rows(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        yield replace(server, database=name)
    finally:
        server.rows(f"DROP DATABASE {name}")
