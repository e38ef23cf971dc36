"""How long a task of one root, a thousand branches at once and a join takes: from the POST to the visible end."""

import asyncio

from benchmarks import create, plans
from benchmarks.figures import median
from benchmarks.http import Connection
from benchmarks.run import Run

PAUSE_SECONDS = 0.1


def measure(run: Run) -> None:
    """Run one fan-out after another. Two executors must run."""
    with run.report.watching():
        answered, ended = run.do(_fanouts(run))
    run.figures.fanout_1000_s = median(ended)
    how = f"median of {len(ended)}, best {min(ended):.2f}, worst {max(ended):.2f}; 201 after {median(answered):.2f} s"
    run.report.row(f"fan-out 1 + {plans.WIDTH:,} + 1", f"{run.figures.fanout_1000_s:.2f} s", how)


async def _fanouts(run: Run) -> tuple[list[float], list[float]]:
    """Return the seconds to each 201 and to each visible end."""
    connection = await Connection.open(run.system.url, run.system.password)
    request = connection.request(create.PATH, plans.fanout())
    taken = []
    with run.system.view() as view:
        for _ in range(run.sizes.fanouts):
            taken.append(await create.one(connection, request, view))
            await asyncio.sleep(PAUSE_SECONDS)
    connection.close()
    return [answered for answered, _ in taken], [ended for _, ended in taken]
