"""The operation contract: what an author of an operation writes, and what an attempt hands to it.

Responsible for the words `Operation`, `Params` and `Context`. Refuses to know the log, the queue, NATS and who is
waiting for the result: an operation that imports nothing but this module can be tested without any of them.
"""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from services.executor.child import Exit, OnData, Stream
from services.executor.fault import Cancelled, Fault, PermanentFault, TransientFault
from services.executor.processes import Children

__all__ = [
    "Ask",
    "Cancelled",
    "Children",
    "Connection",
    "Context",
    "ExecutorPolicy",
    "Exit",
    "Fault",
    "Level",
    "LineFeed",
    "Log",
    "NoParams",
    "OnData",
    "Operation",
    "Params",
    "PermanentFault",
    "Phase",
    "ResultStore",
    "ResultWriter",
    "Secret",
    "Stream",
    "TransientFault",
    "explain",
]

_SECRET: dict[str, JsonValue] = {"format": "secret"}

Phase = Literal["execute", "undo"]
Level = Literal["DEBUG", "INFO", "WARN", "ERROR"]
Delivery = Literal["at_least_once", "at_most_once"]


class Params(BaseModel):
    """Base of every operation's parameters: frozen, and an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoParams(Params):
    """The parameters of an operation that has none."""


P = TypeVar("P", bound=BaseModel)
T = TypeVar("T")


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


def _unheard(fraction: float, note: str) -> None:
    """Drop a progress report nobody listens to."""


@dataclass(frozen=True, slots=True)
class Context:
    """One attempt as the operation sees it.

    `token` is `task/subtask/generation`: the same for every attempt of one generation, so hand it to whatever can
    recognise a repetition. `fence` is the log sequence of the claim. `upstreams` maps the keys of the direct
    upstreams to their outputs. `cancelled` is set when somebody wants the end. `files` is the folder the operation
    may write to.
    """

    task_id: int
    subtask: int
    key: str
    generation: int
    attempt: int
    phase: Phase
    token: str
    fence: int
    log: Log
    upstreams: Mapping[str, Any]
    cancelled: asyncio.Event
    files: Path
    policy: ExecutorPolicy
    children: Children
    results: ResultStore
    resolve_secret: Callable[[str], Awaitable[str]] = no_secrets
    resolve_connection: Callable[[str], Awaitable[Connection]] = no_connections
    keep_secret: Callable[[str, str], Awaitable[None]] = no_keeper
    ask: Ask = no_api
    """Asks an API, on the few subjects open to operations; ours alone have a use for it."""
    on_progress: Callable[[float, str], None] = _unheard

    def progress(self, fraction: float, note: str = "") -> None:
        """Report how far the work is, 0.0 to 1.0; a hint for readers, never kept for ever."""
        self.on_progress(min(1.0, max(0.0, fraction)), note)

    async def unless_cancelled(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something of this process, such as an answer, and drop it as soon as somebody wants the end.

        What has come by then counts. Raises `Cancelled`. Commands that `run` started need no such care.
        """
        doing, asked = asyncio.create_task(work), asyncio.create_task(self.cancelled.wait())
        try:
            await asyncio.wait({doing, asked}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise Cancelled
        finally:
            asked.cancel()
            doing.cancel()
            await asyncio.gather(doing, asked, return_exceptions=True)

    async def secret(self, reference: str) -> str:
        """Return the value behind a reference (`env:`, `file:`, `kv:`); from here on it is masked in all that is kept.

        Raises `PermanentFault` when it cannot be had. Never put it into an argument list.
        """
        return await self.resolve_secret(reference)

    async def store_secret(self, reference: str, value: str) -> None:
        """Keep a value under `kv:NAME`, replacing what was there; an empty one removes it. Raises a fault."""
        await self.keep_secret(reference, value)

    async def connection(self, name: str) -> Connection:
        """Return a named target with its secrets. Raises `PermanentFault` when there is none, or not for this task."""
        return await self.resolve_connection(name)

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the child's, not the coroutine's
        on_data: OnData | None = None,
        host_pids: bool = False,
    ) -> Exit:
        """Run a contained command: nothing of its process tree is alive when this returns (T28).

        `env` is added to what the policy lets through and to `TASK_TOKEN`; `timeout` is in seconds. Without
        `on_data` the output goes to the log, stdout as INFO and stderr as WARN. Raises `PermanentFault` when the
        program cannot start.
        """
        environment = {**self.policy.inherited_env(), **(env or {}), "TASK_TOKEN": self.token}
        feeds = {"stdout": self.log.lines("INFO"), "stderr": self.log.lines("WARN")}

        async def to_log(stream: Stream, data: bytes) -> None:
            await feeds[stream].feed(data)

        try:
            return await self.children.run(
                argv,
                env=environment,
                cwd=str(cwd or self.files),
                stdin=stdin,
                timeout=timeout,
                grace=self.policy.cancel_grace,
                cancel=self.cancelled,
                on_data=on_data or to_log,
                host_pids=host_pids,
            )
        finally:
            for feed in feeds.values():
                await feed.end()


class Operation(ABC, Generic[P]):
    """One kind of subtask: `class Greet(Operation[GreetParams])`.

    `delivery` says what becomes of a subtask whose executor was lost in the middle: `at_least_once` runs it again
    with the same token, `at_most_once` fails it with UNKNOWN_OUTCOME and lets a person look. `timeout` is the
    default for plans that name none. `pool` ties the operation to executors of that pool; None means every executor
    that has it. One instance serves all attempts at once: keep state in local variables.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    Params: type[P]
    can_retry: ClassVar[bool] = True
    can_skip: ClassVar[bool] = True
    can_cancel: ClassVar[bool] = True
    prohibit_rollback: ClassVar[bool] = False
    delivery: ClassVar[Delivery] = "at_least_once"
    timeout: ClassVar[timedelta] = timedelta(hours=1)
    pool: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the parameter model from `Operation[...]` and refuse a definition that could not work."""
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            origin = get_origin(base)
            model = next(iter(get_args(base)), None)
            if isinstance(origin, type) and issubclass(origin, Operation) and isinstance(model, type):
                cls.Params = model
        if "name" not in cls.__dict__:
            return
        if not isinstance(getattr(cls, "Params", None), type):
            raise TypeError(f"operation '{cls.name}' names no parameter model: write class X(Operation[XParams])")
        if cls.version < 1 or cls.delivery not in get_args(Delivery):
            raise TypeError(f"operation '{cls.name}': version starts at 1 and delivery is one of {get_args(Delivery)}")

    @abstractmethod
    async def execute(self, ctx: Context, params: P) -> Any:
        """Do the work; return a JSON-able output or None. Raise a fault when the world is in the way."""

    async def undo(self, ctx: Context, params: P, output: Any) -> None:
        """Take the work back; must be safe to repeat. `output` is None when the attempt to undo never finished."""

    @classmethod
    def has_undo(cls) -> bool:
        """Whether this operation declares an undo of its own."""
        return cls.undo is not Operation.undo

    def parse(self, params: Mapping[str, Any]) -> P:
        """Check parameters. Raises `PermanentFault` that names each wrong field."""
        try:
            return self.Params.model_validate(dict(params))
        except ValidationError as error:
            raise PermanentFault(f"parameters of {self.name} do not fit: {explain(error)}") from None


def explain(error: ValidationError) -> str:
    """Return one line that names every wrong field and what is wrong with it, without repeating its value."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(str(part) for part in item['loc']) or '(whole)'}: {item['msg']}" for item in errors)
