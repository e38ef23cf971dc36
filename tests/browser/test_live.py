"""Pages that change under the reader's eyes, and what her hands do with them: no reload, nothing lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import Watch
from tests.browser.site import Site, shell
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Held:
    """A task whose only subtask waits for a file, then fails."""

    def __init__(self, task_id: int, file: Path) -> None:
        self.id, self._file = task_id, file

    def let_go(self) -> None:
        """Let it fail."""
        self._file.touch()


@pytest_asyncio.fixture(loop_scope="session")
async def held(site: Site, tmp_path: Path) -> AsyncIterator[Held]:
    """A task at work."""
    file = tmp_path / "go"
    script = f"echo begun; while [ ! -e {file} ]; do sleep 0.05; done; echo broken >&2; exit 3"
    found = Held(await site.create(shell("held", script), name="Waits for a file"), file)
    await site.ended(found.id, "RUNNING")
    yield found
    found.let_go()


async def mark(page: Page) -> None:
    """Leave a mark that a reload would wipe out."""
    await page.evaluate("window.mark = true")


async def marked(page: Page) -> bool:
    """Whether the page is the very one that was marked."""
    return bool(await page.evaluate("window.mark === true"))


async def test_a_list_and_a_task_follow_what_happens(site: Site, page: Page, held: Held) -> None:
    """Row, cause, title and icon change by themselves; focus and tick stay where they are; new tasks are counted."""
    await page.goto("/tasks")
    row = page.locator(f"#task-{held.id}")
    await expect(row).to_contain_text("Running")
    await expect(page.locator("#live")).to_have_text("live")
    task = await page.context.new_page()
    await task.goto(f"/tasks/{held.id}")
    await expect(task.locator("#cause")).to_contain_text("Running held")
    for each in (page, task):
        await mark(each)
    await row.get_by_role("checkbox").check()
    await row.get_by_role("link").first.focus()

    held.let_go()
    await expect(row).to_contain_text("Failed")
    await expect(task.locator("#cause")).to_contain_text("Failed at held")
    assert await task.title() == "✕ Waits for a file · opsledger"
    assert "bad.svg" in (await task.locator("#favicon").get_attribute("href") or "")
    await expect(task.get_by_role("link", name="Retry").first).not_to_have_attribute("aria-disabled", "true")
    await expect(row.get_by_role("checkbox")).to_be_checked()
    await expect(row.get_by_role("link").first).to_be_focused()

    other = await site.create(shell("a", "true"), name="Comes later")
    await expect(page.locator("#new")).to_have_text("1 new")
    await expect(page.locator(f"#task-{other}")).to_have_count(0)
    await page.locator("#new a").click()
    await expect(page.locator("#rows tr").first).to_have_attribute("id", f"task-{other}")
    await expect(page.locator("#new")).to_have_text("")
    assert await marked(page)
    assert await marked(task)
    await task.close()


async def test_a_page_follows_what_runs(site: Site, page: Page, tmp_path: Path) -> None:
    """Panel and log go on to the next subtask when one has ended, without a reload."""
    first, second = tmp_path / "first", tmp_path / "second"
    task_id = await site.create(
        shell("one", f"echo in one; while [ ! -e {first} ]; do sleep 0.05; done"),
        shell("two", f"echo in two; while [ ! -e {second} ]; do sleep 0.05; done", ["one"]),
        name="Two steps",
    )
    await page.goto(f"/tasks/{task_id}?subtask=running")
    await mark(page)
    await expect(page.locator("#log")).to_contain_text("in one")
    await expect(page.locator("#live")).to_have_text("live")
    first.touch()
    await expect(page.locator("#step h2")).to_have_text("two")
    await expect(page.locator("#log")).to_contain_text("in two")
    await expect(page.locator("#log")).not_to_contain_text("in one")
    second.touch()
    await expect(page.locator("#cause")).to_contain_text("All is done")
    assert await marked(page)


async def test_a_page_nobody_looks_at_gives_its_streams_back(site: Site, page: Page, held: Held) -> None:
    """A hidden tab has no stream open at the server; shown again, it has what it missed."""
    await page.goto(f"/tasks/{held.id}")
    await expect(page.locator("#live")).to_have_text("live")
    await expect(page.locator("#cause")).to_contain_text("Running held")
    before = await streams(site)
    await hide(page, hidden=True)
    await eventually(lambda: fewer(site, before), what="the tab's streams are closed")
    held.let_go()
    await site.ended(held.id, "FAILED")
    await expect(page.locator("#cause")).to_contain_text("Running held")
    await hide(page, hidden=False)
    await expect(page.locator("#cause")).to_contain_text("Failed at held")
    await expect(page.locator("#live")).to_have_text("live")


async def hide(page: Page, *, hidden: bool) -> None:
    """Turn the tab away from the reader, or back."""
    await page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


async def streams(site: Site) -> int:
    """How many streams the server has open."""
    lines = (await site.rest.get("/metrics")).text.splitlines()
    return int(float(next(line for line in lines if "live_streams " in line and not line.startswith("#")).split()[-1]))


async def fewer(site: Site, before: int) -> bool:
    """Whether the page and its log gave their streams back."""
    return await streams(site) <= before - 1


async def test_a_refused_stream_does_not_leave_a_page_behind(page: Page, held: Held, watch: Watch) -> None:
    """A server that has no place for a stream is asked again; meanwhile the page says that it is not live."""
    watch.expected = ("503",)
    refused = 0

    async def refuse(route: Route) -> None:
        nonlocal refused
        refused += 1
        if refused == 1:
            await route.fulfill(status=503)
        else:
            await route.continue_()

    await page.route(f"**/live/tasks/{held.id}?*", refuse)
    await page.goto(f"/tasks/{held.id}")
    await mark(page)
    await expect(page.locator("#live")).to_have_text("reconnecting")
    held.let_go()
    await expect(page.locator("#live")).to_have_text("live")
    await expect(page.locator("#cause")).to_contain_text("Failed at held")
    assert await marked(page)


async def test_tabs_change_without_a_reload_and_back_goes_back(site: Site, page: Page) -> None:
    """The address says what is shown, each view can be sent as a link, Back and Forward go through them."""
    task_id = await site.create(shell("a", "exit 3"), name="Ends badly")
    await site.ended(task_id, "FAILED")
    await page.goto(f"/tasks/{task_id}")
    await mark(page)
    await page.get_by_role("link", name="List", exact=True).click()
    await expect(page.locator("#subtasks, #view table").first).to_be_visible()
    assert "view=list" in page.url
    await expect(page.get_by_role("link", name="List", exact=True)).to_be_focused()
    await page.go_back()
    await expect(page.locator("#view svg").first).to_be_visible()
    assert "view=list" not in page.url
    await page.go_forward()
    await expect(page.locator("#subtasks, #view table").first).to_be_visible()
    assert await marked(page)


async def test_hands_on_the_keys(site: Site, page: Page) -> None:
    """A dialog opens by key and closes by Escape and Back; rows are gone through; nothing happens while one types."""
    task_id = await site.create(shell("a", "exit 3"), name="Ends badly too")
    await site.ended(task_id, "FAILED")
    await page.goto(f"/tasks/{task_id}")
    await mark(page)
    dialog = page.get_by_role("dialog")
    for close in (lambda: page.keyboard.press("Escape"), page.go_back, lambda: dialog.locator("[data-close]").click()):
        await page.keyboard.press("Shift+R")
        await expect(dialog.get_by_role("heading").first).to_be_visible()
        await close()
        await expect(dialog).to_have_count(0)
        await expect(page).to_have_url(f"{site.url}/tasks/{task_id}")
    await page.keyboard.press("?")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    assert await marked(page)

    await page.keyboard.press("g")
    await page.keyboard.press("t")
    await expect(page).to_have_url(f"{site.url}/tasks")
    await page.keyboard.press("/")
    await expect(page.locator("#q")).to_be_focused()
    await page.keyboard.type("jxgt?")
    await expect(page.locator("#q")).to_have_value("jxgt?")
    await page.locator("#q").fill("")
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.keyboard.press("x")
    first = page.locator("#rows tr").first
    await expect(first.get_by_role("checkbox")).to_be_checked()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{site.url}/tasks/{task_id}")


async def test_a_command_is_sent_from_its_dialog(site: Site, page: Page) -> None:
    """Retry is previewed, sent once, and the page behind goes on without a reload."""
    task_id = await site.create(shell("a", "exit 3"), name="Tried again")
    await site.ended(task_id, "FAILED")
    await page.goto(f"/tasks/{task_id}?view=list")
    await mark(page)
    await page.keyboard.press("Shift+R")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Retry").click()
    await expect(dialog).to_have_count(0)
    await expect(page.locator("#view")).to_contain_text("Failed")
    await eventually(lambda: twice(site, task_id), what="it was tried again")
    assert "view=list" in page.url
    assert await marked(page)


async def twice(site: Site, task_id: int) -> bool:
    """Whether the first subtask ran for a second time."""
    return bool((await site.task(task_id))["subtasks"][0]["runTime"] == 2)


async def test_a_day_of_patches_leaves_no_nodes_behind(site: Site, page: Page) -> None:
    """Thousands of patches and swaps do not make the page grow."""
    task_id = await site.create(shell("a", "true"), name="Patched")
    await site.ended(task_id)
    await page.goto(f"/tasks/{task_id}")
    session = await page.context.new_cdp_session(page)

    async def nodes() -> dict[str, int]:
        await session.send("HeapProfiler.collectGarbage")
        found: dict[str, int] = await session.send("Memory.getDOMCounters")
        return found

    await page.evaluate("visit(shown)")
    before = await nodes()
    await page.evaluate(
        """async () => {
            const view = document.getElementById("view").outerHTML;
            const views = [view, '<div id="view"><p>x</p></div>'];
            for (let n = 0; n < 3000; n++) patch({ cause: `<p id="cause">${n}</p>`, view: views[n % 2] });
            for (let n = 0; n < 5; n++) await visit(shown);
        }"""
    )
    after = await nodes()
    assert after["nodes"] < before["nodes"] * 1.5
    assert after["jsEventListeners"] <= before["jsEventListeners"] + 5
