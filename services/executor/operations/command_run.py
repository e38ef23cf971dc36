"""`command.run`: run one program, without a shell, contained (T28), and keep what it said.

Refuses to know what the program is for. The command's environment is what the executor's policy lets through, plus
`env` of the parameters as literal values, plus the values that `secret_env` refers to, plus `TASK_TOKEN`. An argv that
begins with `@python` runs the interpreter of the executor it lands on, whatever its path there.
"""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import from_json, to_json

from services.executor.line import harmless
from services.executor.masking import Masker
from services.executor.masking import Stream as Masked
from services.executor.operations.contract import (
    Cancelled,
    Context,
    Delivery,
    Exit,
    Operation,
    Params,
    PermanentFault,
    Secret,
    Stream,
    TransientFault,
)

MAX_ARGUMENT = 32 * 1024
MAX_JSON = 1024 * 1024
OWN_PYTHON = "@python"


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character cannot be passed to a command")
    return text


def _not_reserved(name: str) -> str:
    if name == "TASK_TOKEN" or name.startswith("OPSLEDGER_"):
        raise ValueError("TASK_TOKEN and OPSLEDGER_* are set by the executor")
    return name


Argument = Annotated[str, StringConstraints(max_length=MAX_ARGUMENT), AfterValidator(_without_nul)]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"), AfterValidator(_not_reserved)]
LogLevel = Literal["NONE", "DEBUG", "INFO", "WARN", "ERROR"]


class UpstreamsAsJson(Params):
    """Standard input is a JSON object: the direct upstreams' outputs by their keys."""

    upstreams: Literal[True]


class CommandRunParams(Params):
    """What to run. `expect` lists the exit codes that mean success; `keep_bytes` of each stream stay in the output."""

    argv: Annotated[list[Argument], Field(min_length=1, max_length=1_000)]
    env: Annotated[dict[EnvName, Argument], Field(max_length=200)] = Field(default_factory=dict)
    secret_env: Annotated[dict[EnvName, Secret], Field(max_length=50)] = Field(
        default_factory=dict,
        description="Variables and the secrets that are their values, as `kv:NAME`.",
    )
    cwd: Annotated[str, StringConstraints(pattern=r"^/", max_length=4_096), AfterValidator(_without_nul)] | None = None
    stdin: Annotated[str, StringConstraints(max_length=MAX_JSON)] | UpstreamsAsJson | None = None
    parse: Literal["text", "json"] = "text"
    expect: Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=1, max_length=256)] = Field(
        default_factory=lambda: [0]
    )
    keep_bytes: Annotated[int, Field(ge=0, le=256 * 1024)] = 16 * 1024
    log_stdout: LogLevel = "INFO"
    log_stderr: LogLevel = "WARN"
    host_pids: bool = Field(
        default=False, description="Leave the pid namespace out, for a command that must signal processes of the host."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        twice = sorted(self.env.keys() & self.secret_env.keys())
        if twice:
            raise ValueError(f"{', '.join(twice)}: in env and in secret_env")
        return self


class Kept:
    """The head and the tail of a stream, within a budget of bytes."""

    def __init__(self, budget: int) -> None:
        self._half = budget // 2
        self._budget = budget
        self._head = bytearray()
        self._tail = bytearray()
        self.size = 0

    @property
    def truncated(self) -> bool:
        """Whether something in the middle is missing."""
        return self.size > self._budget

    def add(self, data: bytes) -> None:
        """Take more of the stream."""
        self.size += len(data)
        room = self._budget - self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > self._half:
            del self._tail[: len(self._tail) - self._half]

    def text(self) -> str:
        """Return head and tail as text, saying how much is missing between them."""
        if not self.truncated:
            return (self._head + self._tail).decode(errors="replace")
        gap = self.size - len(self._head) - len(self._tail)
        return (
            f"{self._head.decode(errors='replace')}\n[… {gap} bytes left out …]\n{self._tail.decode(errors='replace')}"
        )

    def whole(self) -> bytes:
        """Return everything; only meaningful while nothing is missing."""
        return bytes(self._head + self._tail)

    def last_line(self) -> str:
        """Return the last line that says something."""
        lines = (bytes(self._tail) or bytes(self._head)).decode(errors="replace").splitlines()
        return harmless(next((line.strip() for line in reversed(lines) if line.strip()), ""))[:300]


class CommandRun(Operation[CommandRunParams]):
    """Runs a program and keeps its exit code and output."""

    name: ClassVar[str] = "command.run"
    delivery: ClassVar[Delivery] = "at_most_once"
    timeout: ClassVar[timedelta] = timedelta(hours=1)

    async def execute(self, ctx: Context, params: CommandRunParams) -> dict[str, Any]:
        """Run it; an exit code that is not expected is a failure that a retry may mend."""
        kept: dict[Stream, Kept] = {
            "stdout": Kept(MAX_JSON if params.parse == "json" else params.keep_bytes),
            "stderr": Kept(max(params.keep_bytes, 1024)),
        }
        levels = {"stdout": params.log_stdout, "stderr": params.log_stderr}
        secrets = {name: await _secret(ctx, name, reference) for name, reference in params.secret_env.items()}
        masked = _masked(secrets)
        feeds = {stream: ctx.log.lines(level) for stream, level in levels.items() if level != "NONE"}

        async def take(stream: Stream, data: bytes) -> None:
            kept[stream].add(masked[stream].feed(data))
            if stream in feeds:
                await feeds[stream].feed(data)

        ctx.log.debug(f"$ {shlex.join(params.argv)}"[:1000])
        try:
            ended = await ctx.run(
                _own_python(params.argv),
                env={**params.env, **secrets},
                cwd=params.cwd,
                stdin=_stdin(ctx, params),
                on_data=take,
                host_pids=params.host_pids,
            )
        finally:
            for feed in feeds.values():
                await feed.end()
        for stream in masked:
            kept[stream].add(masked[stream].end())
        stdout, stderr = kept["stdout"], kept["stderr"]
        _judge(params, ended, stderr)
        output: dict[str, Any] = {
            "exit_code": ended.code,
            "stdout": "" if params.parse == "json" else stdout.text(),
            "stderr": stderr.text(),
            "truncated": stdout.truncated or stderr.truncated,
            "duration_seconds": round(ended.seconds, 3),
        }
        if params.parse == "json":
            output["data"] = _parse(stdout)
        return output


async def _secret(ctx: Context, name: str, reference: str) -> str:
    value = await ctx.secret(reference)
    if "\0" in value:
        raise PermanentFault(f"The secret for {name} has a NUL character, which no variable can hold.")
    return value


def _masked(secrets: Mapping[str, str]) -> dict[Stream, Masked]:
    """Return what masks each stream before its middle is left out: half a value would not be recognised later."""
    masker = Masker()
    for value in secrets.values():
        masker.add(value)
    return {"stdout": Masked(masker), "stderr": Masked(masker)}


def _own_python(argv: list[str]) -> list[str]:
    return [sys.executable, *argv[1:]] if argv[0] == OWN_PYTHON else argv


def _stdin(ctx: Context, params: CommandRunParams) -> bytes | None:
    match params.stdin:
        case None:
            return None
        case str(text):
            return text.encode()
        case UpstreamsAsJson():
            return to_json(dict(ctx.upstreams))


def _judge(params: CommandRunParams, ended: Exit, stderr: Kept) -> None:
    program = os.path.basename(params.argv[0])  # noqa: PTH119 - a name from a string; no path is meant
    if ended.reason in {"cancelled", "killed"}:
        raise Cancelled(f"{program} was stopped.")
    if ended.reason == "beats":
        raise TransientFault(f"{program} was killed: this executor's lease had run out.")
    if ended.code in params.expect:
        return
    how = f"was killed by signal {ended.signal}" if ended.code is None else f"exited with {ended.code}"
    last = re.sub(r"\s+", " ", stderr.last_line())
    detail = {"exit_code": ended.code, "signal": ended.signal, "stderr": stderr.text()[-2_000:]}
    raise TransientFault(f"{program} {how}{': ' + last if last else '.'}", detail)


def _parse(stdout: Kept) -> Any:
    if stdout.truncated:
        raise PermanentFault(f"stdout is {stdout.size} bytes; at most {MAX_JSON} can be parsed as JSON.")
    try:
        return from_json(stdout.whole(), allow_inf_nan=False)
    except ValueError as error:
        raise PermanentFault(f"stdout is not JSON: {error}") from None
