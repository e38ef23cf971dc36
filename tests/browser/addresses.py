"""Every page of the console: the one list that guards go through. A new page gets its row here.

`VISITED` are pages of the installation, `of_task` those of one task; `Stage` are tasks that have something on all of
them. Knows no test.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.api.console.task_page import VIEWS
from shared.runtime.nats import connect, request
from tests.browser.site import Site, shell
from tests.support.eventually import eventually

VISITED: Final = (
    "/tasks",
    "/tasks?q=state:failed",
    "/tasks?q=nonsense:",
    "/tasks/views",
    "/tasks?sort=name,asc&cols=id&cols=status&cols=name&cols=labels&cols=parent",
    "/tasks/bulk?word=retry&every=1&q=state:failed&look=/tasks",
    "/tasks/bulk?word=skip",
    "/oms",
    "/odc",
    "/sync",
    "/executors",
    "/queue",
    "/audit",
    "/audit/verify?task=1",
    "/create",
    "/create/sql.script",
    "/create/data.mock",
    "/create/host.prepare",
    "/create/object.sync.request",
    "/create/plan",
    "/create/sql.script?as=json",
    "/connections",
    "/connections/edit",
    "/connections/edit?name=sample-db",
    "/connections/remove?name=sample-db",
    "/secrets",
    "/secrets/edit",
    "/people",
    "/people/user",
    "/people/users/admin",
    "/people/users/admin/password",
    "/people/users/admin/remove",
    "/people/token",
    "/me",
    "/help",
    "/login",
)
"""As an administrator sees them."""
BROKEN: Final = ("/nowhere", "/tasks/999999", "/tasks/1?view=none")
"""What is answered with a page that says why not."""
WORDS: Final = ("retry", "skip", "cancel", "rollback", "delete")
QUERY: Final = 'SELECT 1 AS "one", \'two\' AS "two"; SELECT missing FROM nowhere'


def of_task(task_id: int, words: Iterable[str] = WORDS, subtask: int = 1) -> list[str]:
    """Every page of a task: its views, its past, and its dialogs."""
    one = f"/tasks/{task_id}"
    return [
        *(f"{one}?view={view}" for view in VIEWS),
        *(f"{one}?view={view}&subtask={subtask}" for view in ("graph", "list")),
        *(f"{one}/{word}" for word in words),
        f"{one}/subtasks/{subtask}/skip",
    ]


@dataclass(frozen=True, slots=True)
class Stage:
    """Tasks by what they show."""

    failed: int
    running: int
    script: int
    position: int
    """Of the log, when the failed task had begun."""
    others: tuple[str, ...]
    """Pages of an executor, of a message that was set aside, of a synchronization."""

    def addresses(self) -> list[str]:
        """Every page there is."""
        return [
            *VISITED,
            *self.others,
            *self.of_tasks(),
        ]

    def of_tasks(self) -> list[str]:
        """Those of tasks."""
        return [
            *of_task(self.failed, subtask=2),
            f"/tasks/{self.failed}?at={self.position}",
            f"/tasks/{self.failed}?view=events&kind=refused&at={self.position}",
            f"/tasks/{self.failed}?subtask=2&find=broken&go=prev",
            f"/tasks/{self.failed}?subtask=2&find=nowhere&go=prev&attempt=1&wrap=off&zone=Europe/Berlin",
            f"/tasks/{self.running}?view=graph",
            f"/tasks/{self.running}?open=2&subtask=running",
            f"/tasks/{self.running}?view=why",
            f"/tasks/{self.script}?view=results",
            f"/tasks/{self.script}?view=params&subtask=1",
        ]


async def play(site: Site) -> Stage:
    """Make the tasks and wait until they are where they should be."""
    script = await site.make(
        {"type": "sql.script", "name": "One and two", "params": {"connection": "sample-db", "sql": QUERY}}
    )
    failed = await site.create(
        shell("look", "echo looking; echo odd >&2"),
        shell("change", "echo broken >&2; exit 3", ["look"]),
        shell("tell", "echo told", ["change"]),
        name="Change a setting",
        object={"kind": "database", "name": "shop"},
        labels={"team": "dba", "stage": "prod"},
    )
    running = await site.create(
        shell("plan", "echo 24 parts"),
        *[shell(f"part{n}", "sleep 600" if n == 1 else "echo done", ["plan"]) for n in range(24)],
        shell("verify", "echo same", [f"part{n}" for n in range(24)]),
        name="Copy in parts",
    )
    await site.ended(script, "FAILED")
    position = (await site.ended(failed, "FAILED"))["logSeq"]
    await site.ended(running, "RUNNING")
    return Stage(failed, running, script, position, await others(site, failed))


async def others(site: Site, task_id: int) -> tuple[str, ...]:
    """Make what pages about the installation are about; return their addresses."""
    sync, lists = await synchronized(site)
    executor = (await site.rest.get("/api/v2/executors")).json()["data"]["contents"][0]["incarnation"]
    client = await connect(site.up.nats_url, name="stage")
    await request(client, "commands.explode", b'{"of": "no use"}')
    await client.close()

    async def aside() -> int:
        found = (await site.rest.get("/api/v2/set-aside?source=bus")).json()["data"]["contents"]
        return int(found[0]["seq"]) if found else 0

    seq = await eventually(aside, what="a message is set aside")
    return (
        f"/executors/{executor}",
        f"/executors/{executor}/drain",
        f"/queue/set-aside/{seq}",
        f"/queue/set-aside/{seq}/replay",
        f"/queue/set-aside/{seq}/discard",
        f"/audit/verify?task={task_id}",
        f"/sync/{sync}",
        f"/sync/{sync}/request",
        *lists,
    )


async def synchronized(site: Site) -> tuple[int, list[str]]:
    """Synchronize one object, and fail to with another; return the task, and pages of lists of both."""
    folders = {name: site.up.data_dir.parent / f"stage-{name}" for name in ("from", "to")}
    for name, folder in folders.items():
        folder.mkdir()
        defined = await site.rest.put(f"/api/v2/connections/stage-{name}", json={"url": f"file://{folder}"})
        assert defined.status_code == 201, defined.text
    (folders["from"] / "a.txt").write_text("a", encoding="utf-8")
    params = {"source": "stage-from", "destination": "stage-to"}
    sync = await site.make({"type": "object.sync", "name": "In step", "params": params})
    keys = {"keys": ["a.txt", "gone.txt"]}
    child = await site.make({"type": "object.sync.request", "parent": sync, "params": keys})
    await site.ended(child, "FAILED")
    listed = (await site.rest.get(f"/api/v2/sync-tasks/{sync}/lists/failed")).json()["data"]["contents"]
    pages = [f"/sync/{sync}/lists/failed", f"/sync/{sync}/lists/failed/{listed[0]['name']}"]
    return sync, [*pages, f"/sync/{sync}/lists/not_begun", f"/tasks/{child}?view=results"]
