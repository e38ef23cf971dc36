"""The page of one task."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.site import Site, shell

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_failed_task_says_why(site: Site, page: Page) -> None:
    """In one sentence, with the step that failed."""
    task_id = await site.create(
        shell("a", "echo fine"), shell("b", "echo broken >&2; exit 3", ["a"]), name="ends badly"
    )
    await site.ended(task_id, "FAILED")
    await page.goto(f"/tasks/{task_id}")
    await expect(page.locator("#cause")).to_contain_text("Failed at b")
