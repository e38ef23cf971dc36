"""Without JavaScript every page can be read, and every form be sent."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, StorageState, expect

from tests.browser.addresses import Stage
from tests.browser.conftest import Watch
from tests.browser.site import Site, shell

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def plain(site: Site, browser: Browser, signed_in: StorageState, watch: Watch) -> AsyncIterator[Page]:
    """A page of a browser that runs no script."""
    context = await browser.new_context(storage_state=signed_in, base_url=site.url, java_script_enabled=False)
    context.on("page", watch.add)
    yield await context.new_page()
    await context.close()
    assert watch.verdict() == []


async def test_everything_has_something_to_read(plain: Page, stage: Stage) -> None:
    """A heading, and what the page is about."""
    for address in stage.addresses():
        answer = await plain.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        await expect(plain.locator("h1").first).to_be_visible()


async def test_a_task_is_found_read_and_retried(site: Site, plain: Page) -> None:
    """By links and forms alone: from the list to its log, to the past, and through the dialog's own page."""
    task_id = await site.create(
        shell("look", "echo looking"), shell("change", "echo no room on db-17 >&2; exit 3", ["look"]),
        name="Grow the volume of db-17",
    )  # fmt: skip
    await site.ended(task_id, "FAILED")

    await plain.goto("/tasks")
    await plain.get_by_label("Search", exact=True).fill('state:failed "Grow the volume"')
    await plain.get_by_label("Search", exact=True).press("Enter")
    await plain.get_by_role("link", name="Grow the volume of db-17").click()
    await expect(plain.locator("#cause")).to_contain_text("no room on db-17")
    await expect(plain.locator("#log")).to_contain_text("no room on db-17")
    await plain.get_by_role("link", name="List", exact=True).click()
    await plain.get_by_role("link", name="look", exact=True).first.click()
    await expect(plain.locator("#log")).to_contain_text("looking")
    await plain.get_by_role("link", name="Retry", exact=False).first.click()
    await plain.get_by_label("Reason").fill("there is room now")
    await plain.get_by_role("button", name="Retry").click()
    await expect(plain.get_by_role("heading", name="Grow the volume of db-17")).to_be_visible()
    await expect(plain).to_have_url(f"{site.url}/tasks/{task_id}")

    task = await site.ended(task_id, "FAILED")
    assert task["subtasks"][1]["generation"] == 2


async def test_theme_and_signing_out_are_forms(plain: Page) -> None:
    """Like everything that changes something."""
    await plain.goto("/help")
    await plain.get_by_role("button", name="Dark theme").click()
    await expect(plain.locator("html")).to_have_attribute("data-theme", "dark")
    await plain.get_by_role("button", name="Light theme").click()
    await expect(plain.locator("html")).to_have_attribute("data-theme", "light")
    await expect(plain.get_by_role("heading", name="Keys and help")).to_be_visible()
