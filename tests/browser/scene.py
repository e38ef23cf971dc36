"""A believable morning of a team of DBAs, as tasks: what screenshots show. Made over REST, run by real executors."""

import asyncio
from dataclasses import dataclass
from typing import Final

from tests.browser.site import Site, shell

_COMPARE: Final = """
echo orders: 18,204,112 rows on both sides
echo payments: 9,118,020 and 9,117,998 rows >&2
echo lock timeout on shop.payments after 30 s, held by pid 4471 >&2
exit 1
"""
RELEASE: Final = (
    ("lock", "Announce the change", "echo dba: shop 4.2 goes live", ()),
    ("backup", "Take a backup", "echo 41 GB in 96 s; sleep 0.4", ("lock",)),
    ("replica", "Stop the replica", "echo replica-2 stopped at 0/9A3F", ("lock",)),
    ("schema", "Migrate the schema", "echo ALTER TABLE orders ADD COLUMN channel text", ("backup", "replica")),
    ("index", "Build the index", "echo CREATE INDEX CONCURRENTLY orders_channel; sleep 0.2", ("schema",)),
    ("stats", "Refresh statistics", "echo ANALYZE orders", ("schema",)),
    ("check", "Compare row counts", _COMPARE, ("index", "stats")),
    ("open", "Open it for traffic", "echo open", ("check",)),
)
SHARDS: Final = 48


@dataclass(frozen=True, slots=True)
class Scene:
    """The tasks that have pages worth showing, by id."""

    failed: int
    running: int
    script: int

    def pages(self) -> dict[str, tuple[str, str]]:
        """What to show, by the name of the picture: an address, and what to press on it."""
        failed, running = f"/tasks/{self.failed}", f"/tasks/{self.running}"
        return {
            "tasks": ("/tasks", ""),
            "task": (failed, ""),
            "retry": (failed, "Retry"),
            "fan": (running, ""),
            "timeline": (f"{failed}?view=timeline", ""),
            "events": (f"{failed}?view=events", ""),
            "results": (f"/tasks/{self.script}?view=results", ""),
            "create": ("/create/host.inspect", "Preview"),
            "sync": ("/sync", ""),
            "executors": ("/executors", ""),
            "queue": ("/queue", ""),
            "audit": ("/audit", ""),
        }


async def play(site: Site) -> Scene:
    """Make the tasks and wait until they are where the pictures want them."""
    await site.ended(
        await site.make(
            {
                "type": "data.mock",
                "name": "Believable customers for the test shop",
                "params": {"connection": "sample-db", "tables": [{"table": "customers", "total": 500}]},
                "object": {"kind": "database", "name": "sample-db"},
            }
        )
    )
    await _synchronise(site)
    sales = "SELECT id, name, city FROM customers ORDER BY id DESC LIMIT 40"
    script = await site.make(
        {"type": "sql.script", "name": "Newest customers", "params": {"connection": "sample-db", "sql": sales}}
    )
    inspect = await site.make({"type": "host.inspect", "name": "Inspect this host", "params": {}})
    failed = await site.create(
        *[shell(key, script, ups, name=name) for key, name, script, ups in RELEASE],
        name="Release shop 4.2",
        object={"kind": "database", "name": "shop-prod"},
        labels={"team": "dba", "stage": "prod"},
    )
    for name, target in (("Rotate certificates", "edge-3"), ("Vacuum orders", "shop-prod"), ("Resize disk", "db-17")):
        await site.create(
            shell("a", "echo looking"), shell("b", "echo done", ["a"]),
            name=name, object={"kind": "host", "name": target}, labels={"team": "dba"},
        )  # fmt: skip
    for task_id in (script, inspect):
        await site.ended(task_id)
    await site.ended(failed, "FAILED")
    running = await site.create(
        shell("plan", "echo 48 shards", name="List the shards"),
        *[shell(f"s{n}", _shard(n), ["plan"], name=f"Copy shard {n}") for n in range(1, SHARDS + 1)],
        shell("verify", "echo same", [f"s{n}" for n in range(1, SHARDS + 1)], name="Verify all shards"),
        name="Copy orders to the archive",
        object={"kind": "cluster", "name": "archive-1"},
        labels={"team": "dba"},
    )
    await asyncio.sleep(3)  # some shards are done, some run: a picture of work under way
    return Scene(failed, running, script)


async def _synchronise(site: Site) -> None:
    """Keep the two sample folders in step, once."""
    params = {"source": "sample-source", "destination": "sample-destination"}
    standing = await site.make({"type": "object.sync", "name": "Invoices to the archive", "params": params})
    sweep = {"type": "object.sync.sweep", "name": "Sweep of all invoices", "parent": standing, "params": {}}
    await site.ended(await site.make(sweep))


def _shard(number: int) -> str:
    return f"echo shard {number}: 380,211 rows; sleep {600 if number % 5 == 0 else 0.05}"
