"""How long one chain of five takes when nothing else is to do: from the POST to the view that shows its end."""

import asyncio

from benchmarks import create, plans
from benchmarks.figures import percentile
from benchmarks.http import Connection
from benchmarks.run import Run

PAUSE_SECONDS = 0.005
"""Between two chains, so that the executor has acknowledged the one before."""


def measure(run: Run) -> None:
    """Run one chain after another. Two executors must run."""
    sizes, figures, report = run.sizes, run.figures, run.report
    with report.watching():
        answered, ended = run.do(_chains(run))
    figures.idle_chain_p50_ms, figures.idle_chain_p99_ms = percentile(ended, 50), percentile(ended, 99)
    how = f"{sizes.idle} one at a time, POST to visible end, view asked every ms"
    report.row("idle chain, median", f"{figures.idle_chain_p50_ms:.1f} ms", how)
    report.row("idle chain, p99", f"{figures.idle_chain_p99_ms:.1f} ms", f"slowest {max(ended):.1f} ms")
    report.row("  until the 201, median", f"{percentile(answered, 50):.1f} ms", "")


async def _chains(run: Run) -> tuple[list[float], list[float]]:
    """Return the milliseconds to each 201 and to each visible end."""
    connection = await Connection.open(run.system.url, run.system.password)
    request = connection.request(create.PATH, plans.chain())
    taken = []
    with run.system.view() as view:
        for _ in range(run.sizes.warm_up + run.sizes.idle):
            taken.append(await create.one(connection, request, view))
            await asyncio.sleep(PAUSE_SECONDS)
    connection.close()
    measured = taken[run.sizes.warm_up :]
    return [answered * 1000 for answered, _ in measured], [ended * 1000 for _, ended in measured]
