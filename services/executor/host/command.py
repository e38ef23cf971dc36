"""Programs of a Debian host: run contained, in English, with what they said kept for the fault.

Refuses to know which programs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.executor.line import harmless
from services.executor.operations.contract import Cancelled, Context, Stream, TransientFault

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEPT: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended and what it said."""

    code: int
    stdout: str
    stderr: str

    @property
    def last(self) -> str:
        """The last lines that say something, as one."""
        lines = [harmless(line.strip()) for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return " ".join(lines[-3:])[:600]


async def command(
    ctx: Context, argv: Sequence[str], *, env: Mapping[str, str] | None = None, seconds: float = 60, log: bool = False
) -> Said:
    """Run a program and return what it said; with `log` its lines are the task's. Raises when it was stopped."""
    heard = {"stdout": bytearray(), "stderr": bytearray()}
    feeds = {"stdout": ctx.log.lines("INFO"), "stderr": ctx.log.lines("WARN")} if log else {}

    async def take(stream: Stream, data: bytes) -> None:
        heard[stream] += data[: max(0, KEPT - len(heard[stream]))]
        if stream in feeds:
            await feeds[stream].feed(data)

    environment = {"PATH": PATH, "LC_ALL": "C", **(env or {})}
    ended = await ctx.run(argv, env=environment, cwd="/", timeout=seconds, on_data=take)
    for feed in feeds.values():
        await feed.end()
    if ended.reason in {"cancelled", "killed"}:
        raise Cancelled(f"{argv[0]} was stopped.")
    if ended.reason != "exited" or ended.code is None:
        why = f"took longer than {seconds:g} s" if ended.timed_out else f"was killed (signal {ended.signal})"
        raise TransientFault(f"{argv[0]} {why} and was stopped; retry.")
    out, err = (bytes(heard[name]).decode(errors="replace") for name in ("stdout", "stderr"))
    return Said(ended.code, out, err)
