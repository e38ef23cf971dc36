"""`type run --local`: a whole task in this process, told as it goes, with its undo if somebody wants to see that."""

import asyncio
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from rich.console import Console
from rich.text import Text

from opsledger.cli.failure import CliError, Exit, UsageError
from opsledger.cli.look.console import err, out
from opsledger.cli.look.words import count
from opsledger.workbench.clock import FakeClock, WallClock
from opsledger.workbench.cue import SAYS
from opsledger.workbench.files import snapshot
from opsledger.workbench.offers import installed, start
from opsledger.workbench.order import Order
from opsledger.workbench.ran import TaskRan
from opsledger.workbench.show import Told, print_ran, print_stalls, ran_as_json, write_json
from opsledger.workbench.targets import Targets
from services.executor.connections import BadConnections, from_file
from shared.task.commands import CancelTask
from shared.task.refusals import Refusal
from shared.task.words import TEAM

Snapshot = Mapping[str, bytes | None]


def run(order: Order, params: Mapping[str, Any]) -> int:
    """Run it; return the exit code: 0 done, or rolled back if that was asked for, 1 failed, 3 cancelled."""
    with _folder(order.files) as folder:
        return asyncio.run(_run(order, params, folder, folder.absolute()))


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """The folder to write to; a temporary one is removed again when nothing is in it but what undos knew."""
    folder = given or Path(mkdtemp(prefix="opsledger-run-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        if given is None and not snapshot(folder):
            shutil.rmtree(folder)


async def _run(order: Order, params: Mapping[str, Any], folder: Path, files: Path) -> int:
    told_on = err() if order.json_output else out()
    told = Told(told_on)
    before = snapshot(folder)
    ran = await start(
        str(order.name),
        params,
        files=files,
        task_id=int(time.time() * 10),  # another one each run, as on a server: the folder may be the same
        clock=FakeClock() if order.fast else WallClock(),
        targets=_targets(order),
        labels={TEAM: order.team} if order.team else {},
        heard=told.line,
        told=told.event,
    )
    with _interruptible(ran):
        await ran.go_on(
            crash_at=[_cue(given) for given in order.crash_at], fail_at=[_cue(given) for given in _failing(order, ran)]
        )
        if order.rollback:
            await _roll_back(ran)
    if order.json_output:
        write_json(ran_as_json(ran))
    else:
        print_ran(told_on, ran)
        print_stalls(told_on, ran.stalls)
        after = snapshot(folder)
        if order.files is not None or after:
            _tell_files(told_on, before, after, folder)
    if ran.rolled_back:
        return Exit.DONE
    return {"SUCCESSFUL": Exit.DONE, "CANCELLED": Exit.CANCELLED}.get(ran.state, Exit.FAILED)


def _failing(order: Order, ran: TaskRan) -> list[str]:
    """Return where to fail. A rollback needs something to fail: by default the last step, its effect done."""
    if order.fail_at or not order.rollback or not ran.task.subtasks:
        return order.fail_at
    return [f"{ran.task.subtasks[-1].plan.key}:after"]


def _cue(given: str) -> tuple[str, str]:
    """Read `KEY`, `KEY:before`, `KEY:after` or `KEY:says TEXT`."""
    key, says, text = given.partition(f":{SAYS}")
    if says:
        return key, SAYS + text
    key, colon, place = given.rpartition(":")
    return (key, place) if colon and place in {"before", "after"} else (given, "before")


async def _roll_back(ran: TaskRan) -> None:
    try:
        await ran.rollback()
    except Refusal as refusal:
        raise CliError(refusal.message, next_step="mend what forbids it, or leave out --rollback") from None


def _targets(order: Order) -> Targets:
    try:
        given = json.loads(order.secrets.read_text(encoding="utf-8")) if order.secrets is not None else {}
        specs = from_file(order.connections)
    except (OSError, ValueError) as error:
        raise UsageError(f"--secrets: {order.secrets} cannot be used: {error}") from None
    except BadConnections as error:
        raise UsageError(f"--connections: {error}") from None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise UsageError("--secrets: the file holds one JSON object of references and their values")
    return Targets(given, specs=specs, beyond=True)


@contextmanager
def _interruptible(ran: TaskRan) -> Iterator[None]:
    """Let the first Ctrl-C cancel the task, as an operator would; the second ends this process."""
    loop = asyncio.get_running_loop()
    jobs: set[asyncio.Task[None]] = set()

    def cancel() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        job = asyncio.create_task(ran.bench.command(CancelTask(ran.clock.now())))
        jobs.add(job)
        job.add_done_callback(_quietly)

    loop.add_signal_handler(signal.SIGINT, cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _quietly(job: asyncio.Task[None]) -> None:
    """A cancel that came too late is refused, and nobody needs to know."""
    if not job.cancelled() and isinstance(job.exception(), Exception):
        sys.stderr.write(f"not cancelled: {job.exception()}\n")


def _tell_files(console: Console, before: Snapshot, after: Snapshot, files: Path) -> None:
    names = sorted({name for name, _ in {*before.items()} ^ {*after.items()}})
    if not names:
        console.print(Text(f"files in {files} are as they were before", style="label"), soft_wrap=True)
        return
    shown = ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
    console.print(Text(f"{count(len(names), 'file')} changed in {files}: {shown}", style="label"), soft_wrap=True)


def known_name(order: Order) -> str:
    """Return the name that was asked for. Raises `UsageError` when nothing here is called so."""
    offers = installed()
    if order.name is None or order.name not in {*offers.types, *offers.operations}:
        broken = next((f": {one.reason}" for one in offers.broken if one.name == order.name), "")
        raise UsageError(
            f"nothing installed here is called {order.name}{broken}", next_step="see what there is: opsledger type list"
        )
    return order.name
