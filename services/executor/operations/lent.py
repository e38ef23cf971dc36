"""What an executor lends an operation: a log, secrets, connections, result files, and its rules.

Responsible for the ports an attempt fills in, and for what stands in their place where an operation runs alone. Refuses
to know the log, the queue and NATS behind them.
"""

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field, JsonValue, StringConstraints

from services.executor.fault import PermanentFault, TransientFault

Level = Literal["DEBUG", "INFO", "WARN", "ERROR"]
_SECRET: dict[str, JsonValue] = {"format": "secret"}


class LineFeed(Protocol):
    """Turns raw bytes into log lines; `end` hands over a last line that had no newline."""

    async def feed(self, data: bytes) -> None:
        """Take bytes; waits while the log is behind."""

    async def end(self) -> None:
        """Say that no more bytes will come."""


class Log(Protocol):
    """Where an operation says what it does. Lines are stored before the result is committed.

    `info` and its siblings never wait and are meant for a handful of lines; whoever prints much uses `write` or
    `lines`, which wait while the log is behind.
    """

    def debug(self, text: str) -> None:
        """Say something only a maintainer wants to read."""

    def info(self, text: str) -> None:
        """Say what is going on."""

    def warning(self, text: str) -> None:
        """Say what deserves a look although work goes on."""

    def error(self, text: str) -> None:
        """Say what went wrong."""

    async def write(self, level: Level, text: str) -> None:
        """Say something, waiting while the log is behind."""

    def lines(self, level: Level) -> LineFeed:
        """Return a feed that logs raw bytes line by line."""


Ask = Callable[[str, Mapping[str, Any], float], Coroutine[Any, Any, dict[str, Any]]]
"""Sends a question to an API and waits so many seconds for its answer. Raises a fault when none comes."""


Secret = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,30}:[A-Za-z0-9_./@#:-]{1,200}$"),
    Field(
        description="Where the value is, never the value: env:NAME, file:NAME or kv:NAME.", json_schema_extra=_SECRET
    ),
]
"""A parameter that names a secret. `await ctx.secret(params.it)` gives the value, at run time and nowhere else."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A named target with its secrets resolved: `secrets` maps what they are for (`password` …) to their values.

    `url` holds no password. Made for one attempt; never log it, never return it.
    """

    name: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class ResultWriter(Protocol):
    """A result file being written; memory stays bounded."""

    @property
    def reference(self) -> dict[str, Any]:
        """Name, size and hash; belongs into the operation's output. Raises `RuntimeError` before the file is whole."""

    async def write(self, data: bytes) -> None:
        """Add bytes; waits for the store. Raises a fault when it cannot be reached."""


class ResultStore(Protocol):
    """Where result files and outputs too large for the log go."""

    async def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Store `data`; the returned reference (name, size, hash) belongs into the operation's output."""

    def writer(self, name: str) -> AbstractAsyncContextManager[ResultWriter]:
        """Write a file of any size piece by piece; it exists once the context was left without an error, whole."""

    def read(self, reference: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """Give a file piece by piece. Raises a fault when it is not there or not what was stored."""

    async def find(self, name: str) -> dict[str, Any] | None:
        """Return the reference of the file of this name, None when there is none. Raises a fault."""


@dataclass(frozen=True, slots=True)
class ExecutorPolicy:
    """What this executor lets operations do. Set by whoever runs the executor, never by a task.

    `env_allow`: names (shell patterns) a command inherits. `egress_allow`: what `http.request` may reach beyond
    public addresses: `host`, `.domain`, IP or CIDR, each with an optional `:port`. `file_roots`: where absolute
    paths may be written. `output_limit_bytes`: log bytes kept per attempt. `cancel_grace`: seconds from TERM to
    KILL.
    """

    env_allow: tuple[str, ...] = ("PATH", "LANG", "LC_*", "TZ", "HOME")
    egress_allow: tuple[str, ...] = ()
    file_roots: tuple[Path, ...] = ()
    output_limit_bytes: int = 16 * 1024 * 1024
    cancel_grace: float = 10.0

    def inherited_env(self) -> dict[str, str]:
        """Return the part of the executor's environment that commands may see; secrets are never among it."""
        return {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("OPSLEDGER_") and any(fnmatchcase(name, pattern) for pattern in self.env_allow)
        }


async def no_secrets(reference: str) -> str:
    """Give no secret: where an operation runs alone, there are none."""
    raise PermanentFault(f"The secret {reference} cannot be read: nothing here keeps secrets.")


async def no_keeper(reference: str, value: str) -> None:  # noqa: ARG001
    """Keep no secret: where an operation runs alone, there is no place for them."""
    raise PermanentFault(f"The secret {reference} cannot be kept: nothing here keeps secrets.")


async def no_connections(name: str) -> Connection:
    """Give no connection: where an operation runs alone, there are none."""
    raise PermanentFault(f"There is no connection '{name}' here.")


async def no_api(subject: str, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:  # noqa: ARG001
    """Answer nothing: where an operation runs alone, there is nobody to ask."""
    raise TransientFault("No API can be asked from here.")
