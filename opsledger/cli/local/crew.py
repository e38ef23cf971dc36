"""The children of one `up`, in the order they were started, and the end of them all.

Responsible for: noticing the first death and stopping the rest in reverse. Refuses to know: what each child does.
"""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from opsledger.cli.failure import CliError, Exit
from opsledger.cli.local import child as children
from opsledger.cli.local.child import Child


class Crew:
    """Starts children, waits for the first that dies, stops the others rank by rank."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._ranks: list[tuple[float, list[Child]]] = []
        self._members: list[Child] = []
        self._changed = asyncio.Event()

    @property
    def pids(self) -> dict[str, int]:
        """Process id by name."""
        return {member.name: member.process.pid for member in self._members}

    def rank(self, grace: float) -> None:
        """Open a new rank: its children get `grace` seconds to end, after those of later ranks have ended."""
        self._ranks.append((grace, []))

    async def start(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        orphan_signal: signal.Signals = signal.SIGKILL,
    ) -> Child:
        """Start a child in the current rank; from now on its death is everybody's."""
        log = self._logs / f"{name}.log"
        child = await children.start(name, argv, log=log, env=env, orphan_signal=orphan_signal)
        self._ranks[-1][1].append(child)
        self._members.append(child)
        self._changed.set()
        return child

    async def run(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Run a job to its end; CliError with its last words when it fails. Cancelling this kills the job."""
        job = await children.start(name, argv, log=self._logs / f"{name}.log", env=env)
        try:
            code = await job.process.wait()
        finally:
            await job.stop(0.5)
        if code:
            raise death(job)

    async def first_death(self) -> Child:
        """Wait until any child has ended; children started meanwhile are watched too."""
        while True:
            self._changed.clear()
            watched = {asyncio.ensure_future(m.process.wait()): m for m in self._members}
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait([*watched, changed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for waiter in (*watched, changed):
                    waiter.cancel()
            for member in self._members:
                if not member.alive:
                    return member

    async def stop(self) -> None:
        """End everything, last rank first; a rank's children end side by side."""
        for grace, members in reversed(self._ranks):
            await asyncio.gather(*(member.stop(grace) for member in members))

    def kill(self) -> None:
        """End everything now; for the impatient second Ctrl-C."""
        for member in self._members:
            if member.alive:
                member.process.kill()


def death(child: Child) -> CliError:
    """What to say of a child that ended and should not have."""
    code = child.process.returncode or 0
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    words = "".join(f"\n    {line}" for line in child.last_words())
    regression = code == Exit.LOG_REGRESSION
    return CliError(
        f"{child.name} {how}; its log is {child.log}" + (f", which ends with:{words}" if words else ", which is empty"),
        next_step="the log is older than the view: read docs/runbook.md before anything else" if regression else None,
        code=Exit.LOG_REGRESSION if regression else Exit.FAILED,
    )
