"""`@operation`: an operation made of an async function, its undo of a second one.

Responsible for the decorator and for saying, when the module is imported, what could not work later. Refuses to know
how operations are found and run.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, get_args, get_type_hints, overload

from pydantic import BaseModel, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import to_json

from services.executor.operations.contract import (
    Context,
    Delivery,
    NoParams,
    Operation,
    PermanentFault,
    explain,
)
from shared.task.plan import MAX_TIMEOUT

P = TypeVar("P", bound=BaseModel)
O = TypeVar("O")  # noqa: E741 - what comes out
W = TypeVar("W", bound=Callable[..., Coroutine[Any, Any, Any]])

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_MISSING: Any = object()


class FunctionOperation(Operation[P], Generic[P, O]):
    """An operation that `@operation` made. `undo` is its undo, and the decorator that attaches one."""

    _work: ClassVar[Callable[..., Coroutine[Any, Any, Any]]]
    _undo: ClassVar[Callable[..., Coroutine[Any, Any, None]] | None] = None
    _output: ClassVar[TypeAdapter[Any] | None] = None

    async def execute(self, ctx: Context, params: P) -> O:
        """Do the work."""
        done: O = await (self._work(ctx) if self.Params is NoParams else self._work(ctx, params))
        return done

    @overload
    def undo(self, ctx: Callable[[Context, P, O | None], Coroutine[Any, Any, None]], /) -> Any: ...
    @overload
    def undo(self, ctx: Callable[[Context, O | None], Coroutine[Any, Any, None]], /) -> Any: ...
    @overload
    def undo(self, ctx: Context, params: P, output: Any) -> Coroutine[Any, Any, None]: ...
    def undo(self, ctx: Any, params: Any = _MISSING, output: Any = None) -> Any:
        """Attach a function as the undo; or, with three arguments, take the work back."""
        if params is _MISSING:
            return self._attach(ctx)
        return self._take_back(ctx, params, output)

    @classmethod
    def has_undo(cls) -> bool:
        """Whether an undo was attached."""
        return cls._undo is not None

    def functions(self) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
        """Return the function it was made of, and the one that was attached as its undo."""
        return self._work, self._undo

    async def _take_back(self, ctx: Context, params: P, output: Any) -> None:
        cls = type(self)
        if cls._undo is None:
            return
        if cls._output is not None and output is not None:
            try:
                output = cls._output.validate_json(to_json(output))
            except ValidationError as error:
                raise PermanentFault(
                    f"the output that {self.name} is to undo is not of its form: {explain(error)}"
                ) from None
        await (cls._undo(ctx, output) if self.Params is NoParams else cls._undo(ctx, params, output))

    def _attach(self, undo: W) -> W:
        cls, where = type(self), f"the undo of operation '{self.name}'"
        if cls._undo is not None:
            raise TypeError(f"{where} is there already: an operation has one")
        hints, names = _signature(undo, where)
        if undo.__name__ == cls.__name__:
            raise TypeError(f"{where} needs a name of its own: '{undo.__name__}' is the operation's")
        expected = ("ctx", "output") if self.Params is NoParams else ("ctx", "params", "output")
        if len(names) != len(expected):
            raise TypeError(f"{where} takes {', '.join(expected)}; this function takes {', '.join(names) or 'nothing'}")
        _expect_context(hints.get(names[0], Context), where)
        if self.Params is not NoParams and hints.get(names[1], Any) not in {Any, self.Params}:
            raise TypeError(f"{where} gets the operation's own parameters: annotate {names[1]}: {self.Params.__name__}")
        annotation = hints.get(names[-1], Any)
        if annotation is not Any:
            cls._output = _adapter(annotation, where, names[-1])
        cls._undo = staticmethod(undo)
        return undo


class Maker(Protocol):
    """What `@operation(…)` is before it meets its function."""

    @overload
    def __call__(self, work: Callable[[Context, P], Coroutine[Any, Any, O]], /) -> FunctionOperation[P, O]: ...
    @overload
    def __call__(self, work: Callable[[Context], Coroutine[Any, Any, O]], /) -> FunctionOperation[NoParams, O]: ...


def operation(
    name: str,
    *,
    version: int = 1,
    retry: bool = True,
    skip: bool = True,
    cancel: bool = True,
    rollback: bool = True,
    delivery: Delivery = "at_least_once",
    timeout: float | timedelta = timedelta(hours=1),
    pool: str | None = None,
) -> Maker:
    """Make an operation of `async def work(ctx: Context, params: SomeParams) -> Output`.

    `retry`, `skip`, `cancel`, `rollback`: what people may do with such a subtask. `timeout` in seconds or as a
    timedelta, for plans that name none. Raises `TypeError`, when the module is imported, for what could not work.
    """
    where = f"operation '{name}'"
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    _check(where, name, version, delivery, seconds, pool)
    for word, flag in (("retry", retry), ("skip", skip), ("cancel", cancel), ("rollback", rollback)):
        if not isinstance(flag, bool):
            raise TypeError(
                f"{where}: {word} is True or False; how often a subtask is tried again by itself stands in the plan: "
                "SubtaskPlan(retry=RetryPolicy(times=3))"
            )

    def make(work: Callable[..., Coroutine[Any, Any, Any]]) -> FunctionOperation[Any, Any]:
        model = _parameters(work, where)
        members = {
            "__doc__": inspect.getdoc(work) or "",
            "__module__": work.__module__,
            "__qualname__": work.__qualname__,
            "name": name,
            "version": version,
            "Params": model,
            "can_retry": retry,
            "can_skip": skip,
            "can_cancel": cancel,
            "prohibit_rollback": not rollback,
            "delivery": delivery,
            "timeout": timedelta(seconds=seconds),
            "pool": pool,
            "_work": staticmethod(work),
        }
        made: type[FunctionOperation[Any, Any]] = type(work.__name__, (FunctionOperation,), members)
        return made()

    return make


def _check(where: str, name: str, version: int, delivery: str, seconds: float, pool: str | None) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TypeError(f"{where}: a name has letters, digits, dots, dashes and underscores, at most 100: acme.greet")
    if version < 1:
        raise TypeError(f"{where}: version starts at 1")
    if delivery not in get_args(Literal["at_least_once", "at_most_once"]):
        raise TypeError(f"{where}: delivery is 'at_least_once' or 'at_most_once', not {delivery!r}")
    if not 0 < seconds <= MAX_TIMEOUT:
        raise TypeError(f"{where}: timeout is more than 0 and at most {MAX_TIMEOUT:g} seconds (30 days)")
    if pool is not None and not _POOL.fullmatch(pool):
        raise TypeError(f"{where}: a pool's name has letters, digits, dashes and underscores, at most 32")


def _signature(work: Any, where: str) -> tuple[dict[str, Any], list[str]]:
    if not inspect.iscoroutinefunction(work):
        raise TypeError(f"{where} is an async function: write `async def {getattr(work, '__name__', 'work')}(…)`")
    try:
        return get_type_hints(work, include_extras=True), list(inspect.signature(work).parameters)
    except NameError as error:
        raise TypeError(f"{where}: {error}; define what annotations name before it, at module level") from None


def _parameters(work: Callable[..., Coroutine[Any, Any, Any]], where: str) -> type[BaseModel]:
    hints, names = _signature(work, where)
    if len(names) not in {1, 2}:
        raise TypeError(f"{where} takes ctx and params, or ctx alone; this function takes {', '.join(names) or 'none'}")
    _expect_context(hints.get(names[0], Context), where)
    model = hints.get(names[1]) if len(names) == 2 else NoParams
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(
            f"{where}: annotate '{names[1]}' with a model of its parameters, `class SomeParams(Params)`; "
            f"it is annotated with {'nothing' if model is None else model!r}"
        )
    if "return" in hints:
        _writable(hints["return"], where)
    return model


def _expect_context(annotation: Any, where: str) -> None:
    if annotation is not Context:
        raise TypeError(f"{where}: what comes first is the context: annotate it with opsledger.kit.Context")


def _writable(annotation: Any, where: str) -> None:
    """Refuse an output that JSON cannot hold."""
    try:
        TypeAdapter(annotation).json_schema(mode="serialization")
    except PydanticUserError as error:
        raise TypeError(f"{where} returns what JSON cannot hold: {str(error).splitlines()[0]}") from None


def _adapter(annotation: Any, where: str, parameter: str) -> TypeAdapter[Any]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        adapter.validate_python(None)
    except PydanticUserError as error:
        raise TypeError(f"{where}: '{parameter}' cannot be read: {str(error).splitlines()[0]}") from None
    except ValidationError:
        raise TypeError(
            f"{where} is also called for attempts that failed, and gets None then: "
            f"annotate '{parameter}' with `| None`, and look for what may be half done"
        ) from None
    return adapter
