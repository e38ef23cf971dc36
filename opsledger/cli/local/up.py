"""`opsledger up`: broker, view, API and executors as one crew, from the first start to the last stop.

Responsible for: the order of things and the one line on stdout. Refuses to know: REST, streams, SQL.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from opsledger.cli.data_dir import DataDir
from opsledger.cli.failure import CliError, Exit
from opsledger.cli.local import admin as admins
from opsledger.cli.local import nats, ready, samples
from opsledger.cli.local.child import Child
from opsledger.cli.local.crew import Crew, death
from opsledger.cli.local.environment import HOST, Servers, choose_port, service

# A stop takes less than ten seconds: these graces, one after another, and a little for the kernel.
EXECUTOR_GRACE_SECONDS = 5.0
EXECUTOR_DRAIN_SECONDS = 2.0
"""Then it hands its work back, which may take as long again."""
API_GRACE_SECONDS = 2.0
NATS_GRACE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for; URLs of None mean: bring your own."""

    home: DataDir
    port: int
    executors: int
    nats_url: str | None
    database_url: str | None


@dataclass(frozen=True, slots=True)
class System:
    """What runs, for whoever greets the operator."""

    url: str
    password: str
    executors: int
    home: DataDir


class Say(Protocol):
    """Tell the operator something: a label, words, and how they look."""

    def __call__(self, label: str, words: str, style: str = "") -> None:
        """Print it on stderr."""
        ...


Greet = Callable[[System], Awaitable[None]]


async def run(wanted: Wanted, *, say: Say, greet: Greet) -> int:
    """Bring the system up and keep it up until a signal (0) or a child's death (CliError), then end all of it."""
    home = wanted.home
    home.prepare()
    with home.lock():
        port = choose_port(wanted.port)
        crew = Crew(home.logs)
        stop = _signals(crew)
        try:
            return await _until_stopped(_live(wanted, port, crew, say, greet), crew, stop, say)
        except CliError:
            say("failed", "stopping the rest")
            raise
        finally:
            await crew.stop()
            home.write_runtime({**home.runtime(), "pids": {}})
            say("stopped", "unfinished tasks go on at the next start")


def _signals(crew: Crew) -> asyncio.Event:
    """Set at the first INT, TERM or HUP; a second one kills at once."""
    stop = asyncio.Event()

    def heard() -> None:
        if stop.is_set():
            crew.kill()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, heard)
    return stop


async def _until_stopped(life: Awaitable[None], crew: Crew, stop: asyncio.Event, say: Say) -> int:
    """Whichever comes first: the signal, a death, or a failure to come up."""
    living = asyncio.ensure_future(life)
    dying = asyncio.ensure_future(crew.first_death())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([living, dying, stopping], return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            say("", "")  # a terminal has just echoed ^C
            say("stopping", "executors, API, broker")
            return Exit.DONE
        if dying.done():
            raise death(dying.result())
        await living
    finally:
        for task in (living, dying, stopping):
            task.cancel()
        await asyncio.gather(living, dying, stopping, return_exceptions=True)
    return Exit.DONE


async def _live(wanted: Wanted, port: int, crew: Crew, say: Say, greet: Greet) -> None:
    """Start everything in order, tell that it is ready, greet, and stay."""
    home = wanted.home
    admin = admins.choose(home)
    if admin.generated:
        say("login", f"admin / {admin.password}")
        say("", f"shown once; kept in {home.password_file}", "label")

    crew.rank(NATS_GRACE_SECONDS)
    nats_url = wanted.nats_url or await nats.start(crew, home)
    say("nats", nats_url.rpartition("@")[2])
    servers = Servers(
        nats_url, wanted.database_url or home.view_url, home.root, replicas=None if wanted.nats_url else 1
    )
    url = f"http://{HOST}:{port}"
    _write_runtime(home, servers, crew, url)
    await crew.run("init", service("api", "init"), servers.environment(admin_password=admin.password))
    home.keep_password(admin.password)  # the one in force from here on; a second terminal needs it

    crew.rank(API_GRACE_SECONDS)
    api = await crew.start("api", service("api", "serve"), servers.environment(host=HOST, port=port))
    await ready.wait_api(api, url, admin.password)
    say("api", url)
    if wanted.nats_url is None:
        await _offer_samples(home, url, admin.password, say)

    crew.rank(EXECUTOR_GRACE_SECONDS)
    await _start_executors(wanted.executors, servers, crew)
    say("executors", str(wanted.executors or "none; start some with: opsledger executor"))
    _write_runtime(home, servers, crew, url)

    _announce(url)
    await greet(System(url, admin.password, wanted.executors, home))
    await asyncio.Event().wait()


async def _offer_samples(home: DataDir, url: str, password: str, say: Say) -> None:
    """At the first start of a directory that is ours alone: something to try things on; it is up without it too."""
    try:
        if await asyncio.to_thread(samples.make, home):
            await samples.offer(home, url, password)
            say("samples", "sample-db, sample-source, sample-destination")
    except (OSError, CliError) as error:
        say("samples", f"not offered: {error}", "warn")


async def _start_executors(count: int, servers: Servers, crew: Crew) -> None:
    started: list[Child] = [
        await crew.start(
            f"executor-{number}", service("executor"), servers.environment(drain_seconds=EXECUTOR_DRAIN_SECONDS)
        )
        for number in range(1, count + 1)
    ]
    await asyncio.gather(*(ready.wait_executor(child) for child in started))


def _write_runtime(home: DataDir, servers: Servers, crew: Crew, url: str) -> None:
    home.write_runtime(
        {
            "nats_url": servers.nats_url,
            "database_url": servers.database_url,
            "api_url": url,
            "pids": {"up": os.getpid(), **crew.pids},
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )


def _announce(url: str) -> None:
    """The one line on stdout; a reader that has gone away is not our problem."""
    with suppress(OSError):
        sys.stdout.write(f"ready {url}\n")
        sys.stdout.flush()
