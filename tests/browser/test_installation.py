"""Draining an executor, and what is done with messages that were set aside: by hand, as an administrator would."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from nats.aio.client import Client
from playwright.async_api import Browser, Page, expect

from shared.runtime.nats import connect, request
from tests.browser.conftest import Watch, installed, sign_in, window
from tests.browser.site import Site, shell
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def nats(site: Site) -> AsyncIterator[Client]:
    """A connection to the installation's bus."""
    client = await connect(site.up.nats_url, name="browser test")
    yield client
    await client.close()


@pytest_asyncio.fixture(loop_scope="session")
async def idle(tmp_path: Path) -> AsyncIterator[Site]:
    """An installation where nothing runs but what the test makes."""
    async with installed(tmp_path) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def page_of_idle(idle: Site, browser: Browser) -> AsyncIterator[Page]:
    """A page of it, signed in as admin."""
    async with window(browser, idle.url, Watch(urlsplit(idle.url).netloc)) as context:
        page = await context.new_page()
        await sign_in(page, idle.url, "admin", idle.up.password)
        yield page


async def test_an_executor_is_drained(idle: Site, page_of_idle: Page) -> None:
    """It takes no new work, what it runs goes on, it shows as drained at the end, and works again when told to.

    The page says so by itself: nothing is reloaded.
    """
    site, page = idle, page_of_idle
    long = await site.create(shell("long", "sleep 600"), name="keeps one busy")
    await page.goto("/executors")
    row = page.get_by_role("row").filter(has_text="keeps one busy")
    name = await row.locator("a.name").first.inner_text()
    mine = page.get_by_role("row").filter(has_text=name)
    await row.get_by_role("link", name="Drain").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("It takes no new work. What runs on it, 1 now, goes on to its own end.")
    await dialog.get_by_role("button", name="Drain").click()
    await expect(dialog).to_have_count(0)
    await expect(mine).to_contain_text("Draining")

    others = [await site.create(shell("quick", "echo hi"), name=f"elsewhere {number}") for number in range(8)]
    ended = [await site.ended(one) for one in others]
    assert name not in {run["executor"] for task in ended for run in task["subtasks"]}
    assert (await site.task(long))["status"] == "RUNNING"

    await site.rest.post(f"/api/v2/tasks/instances/{long}/cancel")
    await expect(mine).to_contain_text("Drained")
    await mine.get_by_role("link", name="Resume").click()
    await page.get_by_role("dialog").get_by_role("button", name="Take work again").click()
    await expect(mine).to_contain_text("Ready")


async def test_what_was_set_aside_is_looked_at_and_thrown_away(page: Page, nats: Client, watch: Watch) -> None:
    """From the list to the payload, to a replay that is refused with its reason, to the end of it."""
    watch.expected = ("status of 422",)
    await request(nats, "commands.explode", b'{"look": "at me"}')
    await page.goto("/queue")
    row = page.get_by_role("row").filter(has_text="commands.explode").first
    await expect(row).to_contain_text("There is no such command.")
    await row.locator("a.name").click()
    await expect(page.locator("pre")).to_have_text('{\n  "look": "at me"\n}')
    await page.get_by_role("link", name="Replay").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Replay").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("It stays set aside")
    await page.keyboard.press("Escape")
    seq = page.url.rpartition("/")[2]
    await page.get_by_role("link", name="Discard").click()
    await dialog.get_by_role("button", name="Discard").click()
    await expect(page).to_have_url(re.compile(r"/queue(#set-aside)?$"))
    await expect(page.locator(f'a[href="/queue/set-aside/{seq}"]')).to_have_count(0)


async def test_the_audit_is_searched_by_choosing(site: Site, page: Page) -> None:
    """A choice is a search at once, its address can be sent, and a refusal says why."""
    task = await site.create(shell("a", "echo hi"), name="to be audited")
    await site.ended(task)
    await site.rest.post(f"/api/v2/tasks/instances/{task}/retry", json={"reason": "just to see"})

    async def both() -> bool:
        await page.goto(f"/audit?task={task}")
        return await page.locator("#rows tr").count() == 2

    await eventually(both, timeout=10, what="the view has seen the refusal")
    await page.locator("select[name=command]").select_option("retry")
    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect(page.locator("#rows tr")).to_contain_text("just to see")
    await expect(page.locator("#rows tr")).to_contain_text("because the task")
    await expect(page).to_have_url(re.compile(rf"task={task}"))
    await page.get_by_role("link", name=f"Verify the history of task {task}").click()
    await expect(page.get_by_role("dialog")).to_contain_text("It is what was written")


async def test_objects_are_synchronized_by_hand(site: Site, page: Page, tmp_path: Path) -> None:
    """Named in the dialog, done by a task of their own, counted and drawn on the page of the synchronization."""
    source, destination = tmp_path / "source", tmp_path / "destination"
    for folder in (source, destination):
        folder.mkdir()
        defined = await site.rest.put(f"/api/v2/connections/{folder.name}", json={"url": f"file://{folder}"})
        assert defined.status_code == 201, defined.text
    (source / "a.txt").write_text("a", encoding="utf-8")
    sync = await site.make(
        {"type": "object.sync", "name": "by hand", "params": {"source": "source", "destination": "destination"}}
    )
    await page.goto(f"/sync/{sync}")
    await page.get_by_role("link", name="Synchronize now").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("These objects, one a line").check()
    await dialog.locator("textarea").fill("a.txt\ngone.txt")
    await dialog.get_by_role("button", name="Synchronize").click()
    await expect(page).to_have_url(re.compile(r"/tasks/\d+"))
    await site.ended(int(page.url.partition("?")[0].rpartition("/")[2]), "FAILED")

    await page.goto(f"/sync/{sync}")
    await expect(page.locator(".big")).to_have_text(["2", "1", "1", "0", "1 Byte"])
    await expect(page.locator(".chart rect")).to_have_count(2)
    await expect(page.locator("#rows tr")).to_contain_text("by hand: 2 objects")
    await page.get_by_role("link", name=f"oms/sync_task/{sync}/failed_object_lists").click()
    await page.get_by_role("region", name="Newest lists").locator("a.name").click()
    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect(page.locator("#rows tr")).to_contain_text("gone.txt")
    await expect(page.locator("#rows tr")).to_contain_text("there is no object of this name")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    assert "gone.txt" in (await (await download.value).path()).read_text(encoding="utf-8")
