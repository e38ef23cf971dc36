"""Chained subtasks a second: chains of five with two executors, created beforehand, and all at once.

The clock of the first starts when the broker stores the first commit that starts a subtask, and stops when the view
shows the last task's end.
"""

import time

from benchmarks import create, plans
from benchmarks.create import Created
from benchmarks.figures import rate
from benchmarks.report import per_s
from benchmarks.run import Run
from benchmarks.system import EXECUTORS, SLOTS, Shares
from benchmarks.view import NotInTime, View
from shared.log.jetstream import JetStreamStorage
from shared.runtime.nats import connect

STARTED = b'"subtask.started"'


def backlog(run: Run) -> None:
    """Create a backlog while no executor runs, then let two work it off. Executors must not run yet."""
    sizes, figures, report = run.sizes, run.figures, run.report
    with run.system.view() as view:
        already = view.counts().get("SUCCESSFUL", 0)
        with report.watching():
            created = run.do(create.many(run.system, plans.chain(), sizes.backlog, sizes.connections))
        figures.creates_per_s = rate(sizes.backlog, created.seconds)
        how = f"{sizes.backlog:,} plans of 5, {sizes.connections} connections, no executor"
        report.row("creates", per_s(figures.creates_per_s), how)
        view.wait_until("READY", sizes.backlog)

        behind = run.do(_tail(run.system.nats_url))
        with report.watching():
            run.system.start_executors(wait=False)
            view.wait_until("SUCCESSFUL", already + 1, every=0.01)
            shares = Shares(run.system)
            view.wait_until("SUCCESSFUL", already + sizes.backlog, every=0.005)
            ended, cores = time.time(), shares.so_far()
            run.system.start_executors()  # both have lived through it, or this says which one has not
        began = run.do(_first_started(run.system.nats_url, behind))
        _check(view, created, sizes.backlog)
    figures.chained_subtasks_per_s = rate(sizes.backlog * plans.CHAIN, ended - began)
    how = f"{sizes.backlog:,} chains of 5, {EXECUTORS} executors of {SLOTS} slots, to the visible end"
    report.row("chained subtasks", per_s(figures.chained_subtasks_per_s), how)
    report.fact("  cores used meanwhile", cores)


def at_once(run: Run) -> None:
    """Create chains while the executors run; the clock starts with the first request."""
    sizes, report = run.sizes, run.report
    with run.system.view() as view:
        already = view.counts().get("SUCCESSFUL", 0)
        with report.watching():
            began = time.monotonic()
            created = run.do(create.many(run.system, plans.chain(), sizes.at_once, sizes.connections))
            view.wait_until("SUCCESSFUL", already + sizes.at_once)
            taken = time.monotonic() - began
        _check(view, created, sizes.at_once)
        how = f"{sizes.at_once:,} chains created and run at once, creates {per_s(sizes.at_once / created.seconds)}"
        report.row("  all at once", per_s(rate(sizes.at_once * plans.CHAIN, taken)), how)

        with report.watching():
            keyed = run.do(create.many(run.system, plans.chain(), sizes.keyed, sizes.connections, keyed=True))
        how = f"{sizes.keyed:,} plans of 5 with an Idempotency-Key each, while they run"
        report.row("  creates with keys", per_s(rate(sizes.keyed, keyed.seconds)), how)
        view.wait_until("SUCCESSFUL", already + sizes.at_once + sizes.keyed)


def _check(view: View, created: Created, count: int) -> None:
    """Count row by row what the view's counts have said; NotInTime when they differ."""
    found = view.successful(created.ids)
    if found != (count, count * plans.CHAIN):
        raise NotInTime(f"of {count} chains the view has {found[0]} tasks and {found[1]} subtasks that succeeded")


async def _tail(nats_url: str) -> int:
    client = await connect(nats_url, name="benchmark")
    try:
        return int((await JetStreamStorage(client).tail())["last_seq"])
    finally:
        await client.close()


async def _first_started(nats_url: str, behind: int) -> float:
    """Return when the broker stored the first commit behind a sequence that starts a subtask, as a Unix time."""
    client = await connect(nats_url, name="benchmark")
    try:
        storage, seq = JetStreamStorage(client), behind
        while (found := await storage.get(seq := seq + 1)) is not None:
            if STARTED in found.body:
                return found.stored_at.timestamp()
    finally:
        await client.close()
    raise NotInTime("no commit has started a subtask")
