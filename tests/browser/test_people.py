"""Users and tokens, as an administrator works with them."""

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Watch
from tests.browser.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")
PASSWORD = "correct horse battery staple"


async def test_an_administrator_makes_a_user_and_lets_go_of_one(site: Site, page: Page, watch: Watch) -> None:
    """In dialogs over the list: what is wrong is said beside the field, what was typed stays, the list is fresh."""
    watch.expected = ("status of 422",)
    await page.goto("/people")
    await page.get_by_role("link", name="New user").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("nina")
    await dialog.get_by_label("Password", exact=False).first.fill("too short")
    await dialog.get_by_label("Teams").fill("red, blue")
    await dialog.get_by_role("button", name="Make the user").click()
    await expect(dialog).to_contain_text("It should have at least 12 characters.")
    await expect(dialog.get_by_label("Name")).to_have_value("nina")
    await dialog.get_by_label("Password", exact=False).first.fill(PASSWORD)
    await dialog.get_by_role("button", name="Make the user").click()
    await expect(page.locator("#user-nina")).to_contain_text("blue, red")
    await expect(dialog).to_have_count(0)

    await page.get_by_role("link", name="Role and teams of nina").click()
    await dialog.get_by_label("Role").select_option("TASK_VIEWER")
    await dialog.get_by_role("button", name="Change").click()
    await expect(page.locator("#user-nina")).to_contain_text("TASK_VIEWER")
    await page.get_by_role("link", name="Remove nina").click()
    await dialog.get_by_role("button", name="Remove the user").click()
    await expect(page.locator("#user-nina")).to_have_count(0)
    await expect(page).to_have_url(f"{site.url}/people")


async def test_a_token_is_copied_once(site: Site, page: Page) -> None:
    """The page after making it has it to copy; going back to the list it is gone."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    await page.goto("/people")
    await page.get_by_role("link", name="New token").click()
    await page.get_by_label("Name").fill("night-shift")
    await page.get_by_role("button", name="Make the token").click()
    await expect(page.get_by_role("heading", name="Token of night-shift")).to_be_visible()
    token = await page.get_by_label("Token", exact=True).input_value()
    await page.get_by_role("button", name="Copy the token").click()
    assert await page.evaluate("navigator.clipboard.readText()") == token
    async with httpx2.AsyncClient(base_url=site.url, trust_env=False) as program:
        answer = await program.get("/api/v2/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["data"]["name"] == "night-shift"
    await page.get_by_role("link", name="Done").click()
    await expect(page.get_by_role("region", name="Tokens")).to_contain_text("night-shift")
    assert token not in await page.content()


async def test_the_help_sheet_opens_by_key_and_by_button(site: Site, page: Page) -> None:
    """It names the keys; single keys can be switched off there, and then do nothing."""
    await page.goto("/people")
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("heading", name="Keys and help")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await page.get_by_role("link", name="Help and keyboard shortcuts").click()
    await expect(dialog).to_contain_text("next, previous failed subtask")
    await page.goto("/help")
    await page.get_by_role("button", name="Switch single keys off").click()
    await expect(page.get_by_role("button", name="Switch single keys on")).to_be_visible()
    await page.goto("/people")
    await page.keyboard.press("?")
    await page.keyboard.press("g")
    await page.keyboard.press("t")
    await expect(dialog).to_have_count(0)
    await expect(page).to_have_url(f"{site.url}/people")
