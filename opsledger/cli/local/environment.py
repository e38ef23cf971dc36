"""What the services are told: their command lines and their environment, from flags and the data directory.

Responsible for: the process contract (`OPSLEDGER_*`). Refuses to know: what the services make of it.
"""

import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opsledger.cli.data_dir import DataDir
from opsledger.cli.failure import CliError, UsageError

HOST = "127.0.0.1"
FREE_PORTS = (20_000, 32_000)
CALLERS_SECRETS = frozenset({"OPSLEDGER_ADMIN_PASSWORD", "OPSLEDGER_PASSWORD", "OPSLEDGER_TOKEN", "OPSLEDGER_USER"})
"""What this process may know and a service must not inherit; the one job that needs the first gets it by name."""


def service(name: str, *verb: str) -> list[str]:
    """The command line of a service; -P keeps a `services` folder of the working directory from shadowing ours."""
    return [sys.executable, "-P", "-m", f"services.{name}", *verb]


@dataclass(frozen=True, slots=True)
class Servers:
    """The broker and the database that the services use, and the directory they share."""

    nats_url: str
    database_url: str
    data_dir: Path
    replicas: int | None = None
    """Copies of each stream; None leaves it to the environment."""

    def environment(self, **extra: str | float | None) -> dict[str, str]:
        """This process's environment plus ours; `extra` keys are setting names without prefix, None leaves one out."""
        ours: Mapping[str, str | float | None] = {
            "nats_url": self.nats_url,
            "database_url": self.database_url,
            "data_dir": str(self.data_dir),
            "replicas": self.replicas,
            **extra,
        }
        named = {f"OPSLEDGER_{key.upper()}": str(value) for key, value in ours.items() if value is not None}
        inherited = {key: value for key, value in os.environ.items() if key not in CALLERS_SECRETS}
        return {**inherited, **named}


def find_servers(data_dir: Path | None, nats_url: str | None, database_url: str | None) -> Servers:
    """Which servers to join: flags, else the running `up` of the directory, else OPSLEDGER_* of the environment.

    An explicit --data-dir outweighs the environment. UsageError when nothing can be joined.
    """
    directory = DataDir.at(data_dir)
    if data_dir is None:
        nats_url = nats_url or os.environ.get("OPSLEDGER_NATS_URL")
        database_url = database_url or os.environ.get("OPSLEDGER_DATABASE_URL")
    if nats_url is not None:
        directory.prepare()
        return Servers(nats_url, database_url or directory.view_url, directory.root)
    runtime = directory.running()
    found = runtime.get("nats_url")
    if not isinstance(found, str):
        raise UsageError(f"{directory.runtime_file} names no NATS server", next_step="restart opsledger up there")
    return Servers(found, database_url or str(runtime.get("database_url") or directory.view_url), directory.root)


def port_is_free(port: int) -> bool:
    """Whether this machine's loopback lets us listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_port(wanted: int) -> int:
    """`wanted` when it is free; any free one for 0. UsageError when it is no port or taken."""
    if not 0 <= wanted <= 65535:
        raise UsageError(f"{wanted} is not a port", next_step="give a number from 0 (any free one) to 65535")
    if wanted and not port_is_free(wanted):
        raise UsageError(
            f"port {wanted} on {HOST} is taken by another program",
            next_step="stop that program, or choose another port: --port 0 picks a free one",
        )
    return wanted or free_port()


def free_port() -> int:
    """Any free port below those that systems hand out for outgoing connections.

    A client that reconnects to a server that is down could otherwise be given that very port and reach itself.
    """
    for _ in range(1000):
        port = FREE_PORTS[0] + secrets.randbelow(FREE_PORTS[1] - FREE_PORTS[0])
        if port_is_free(port):
            return port
    raise CliError(f"no free port between {FREE_PORTS[0]} and {FREE_PORTS[1]} on {HOST}")
