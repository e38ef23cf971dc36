"""The operation contract: what an author of an operation writes, and what an attempt hands to it.

Responsible for the words `Operation`, `Params` and `Context`; `lent.py` has what the context lends. Refuses to know the
log, the queue, NATS and who is waiting for the result: an operation that imports nothing but this module can be tested
without any of them.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from services.executor.child import Exit, OnData, Stream
from services.executor.fault import Cancelled, Fault, PermanentFault, TransientFault
from services.executor.operations.lent import (
    Ask,
    Connection,
    ExecutorPolicy,
    Level,
    LineFeed,
    Log,
    ResultStore,
    ResultWriter,
    Secret,
    no_api,
    no_connections,
    no_keeper,
    no_secrets,
)
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
    "no_api",
    "no_connections",
    "no_keeper",
    "no_secrets",
]

Phase = Literal["execute", "undo"]
Delivery = Literal["at_least_once", "at_most_once"]


class Params(BaseModel):
    """Base of every operation's parameters: frozen, and an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoParams(Params):
    """The parameters of an operation that has none."""


P = TypeVar("P", bound=BaseModel)
T = TypeVar("T")


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
