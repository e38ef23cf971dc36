"""Signing in and out."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import sign_in
from tests.browser.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_stranger_is_led_to_the_sign_in_page_and_back(site: Site, page: Page) -> None:
    """The link somebody was sent opens after signing in, with what it says after the question mark."""
    await page.context.clear_cookies()
    await page.goto("/tasks?q=state%3Afailed")
    await expect(page).to_have_url(f"{site.url}/login?next=%2Ftasks%3Fq%3Dstate%253Afailed")
    await page.get_by_label("Name").fill("admin")
    await page.get_by_label("Password").fill(site.up.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(f"{site.url}/tasks?q=state%3Afailed")


async def test_who_signs_out_is_out_everywhere(site: Site, page: Page) -> None:
    """The cookie opens nothing any more, wherever it was copied to."""
    await page.context.clear_cookies()
    await sign_in(page, site.url, "admin", site.up.password)
    cookies = await page.context.cookies()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.context.add_cookies([{**one} for one in cookies])  # type: ignore[typeddict-item]
    await page.goto("/tasks")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
