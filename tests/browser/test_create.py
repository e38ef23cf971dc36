"""Creating tasks: from a form, from a pasted plan, from another task; with and without JavaScript."""

import json

import pytest
from playwright.async_api import Browser, Page, StorageState, expect

from tests.browser.conftest import Watch
from tests.browser.site import Site, shell

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_task_is_created_from_a_form(site: Site, page: Page, watch: Watch) -> None:
    """Pick a type, be told what is missing, see the plan that an executor would make, create it, watch it end."""
    watch.expected = ("422",)  # the browser calls a refused form an error
    await page.goto("/tasks")
    await page.get_by_role("link", name="Create task").click()
    await page.get_by_role("link", name="sql.script").click()
    await page.get_by_label("SQL").fill("SELECT count(*) FROM orders")
    await page.get_by_role("button", name="Create", exact=True).click()

    await expect(page.get_by_role("alert")).to_contain_text("Connection: This is needed.")
    await page.get_by_role("alert").get_by_role("link", name="Connection").click()
    await page.keyboard.type("sample-db")
    await page.keyboard.press("Enter")  # shows the preview, creates nothing
    await expect(page.get_by_label("Preview")).to_contain_text("Execute the script")
    await expect(page.locator("#preview svg g")).to_have_count(1)

    await page.get_by_role("button", name="Create it").click()
    await page.wait_for_url("**/tasks/*")
    task_id = int(page.url.rpartition("/")[2])
    found = await site.ended(task_id)
    assert found["name"] == "sql.script"


async def test_an_executor_says_what_no_schema_can(site: Site, page: Page) -> None:
    """Parameters that fit one by one and not together are found out before anything is stored."""
    await page.goto("/create/host.prepare")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_label("Preview").get_by_role("alert")).to_contain_text("at least one of packages")

    await page.get_by_label("Packages").fill("htop\njq")
    await page.get_by_role("group", name="Directories").get_by_role("button", name="Add one").click()
    await page.get_by_label("Path").fill("/srv/data")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator("#preview svg g")).to_have_count(2)
    await expect(page.get_by_label("Preview")).to_contain_text("Install packages")


async def test_a_form_needs_no_script(site: Site, browser: Browser, signed_in: StorageState, watch: Watch) -> None:
    """Rows are added by a button, the plan is drawn by the server, and the task is created."""
    plan = {"subtasks": [shell("first", "true"), shell("second", "true", ["first"])]}
    context = await browser.new_context(storage_state=signed_in, base_url=site.url, java_script_enabled=False)
    try:
        page = await context.new_page()
        watch.add(page)
        await page.goto("/create/data.mock")
        await page.get_by_role("button", name="Add another").click()
        await expect(page.get_by_role("group", name="Table 2")).to_be_visible()

        await page.goto("/create/plan")
        await page.get_by_label("Plan").fill(json.dumps(plan))
        await page.get_by_role("button", name="Preview").click()
        await expect(page.locator("#preview svg g")).to_have_count(2)
        await page.get_by_role("button", name="Create it").click()
        await page.wait_for_url("**/tasks/*")
        await site.ended(int(page.url.rpartition("/")[2]))
    finally:
        await context.close()


async def test_another_one_like_this(site: Site, page: Page) -> None:
    """The form begins with what the other task was given; what is changed is new."""
    body = {"connection": "sample-db", "sql": "SELECT 1", "retry_times": 2}
    task_id = await site.make({"type": "sql.script", "params": body, "name": "the first"})

    await page.goto(f"/tasks/{task_id}")
    await page.get_by_role("link", name="Again").click()
    await expect(page.get_by_label("SQL")).to_have_value("SELECT 1")
    await page.get_by_text("8 more settings").click()
    await expect(page.get_by_label("Retry times")).to_have_value("2")
    await page.get_by_label("Name of the task").fill("the second")
    await page.get_by_role("button", name="Create", exact=True).click()
    await page.wait_for_url("**/tasks/*")
    assert (await site.task(int(page.url.rpartition("/")[2])))["name"] == "the second"


async def test_a_connection_with_a_secret_is_made_and_removed(site: Site, page: Page) -> None:
    """The secret is set, named, and offered; it stays while a connection names it; a dialog asks before it goes."""
    await page.goto("/secrets")
    await page.get_by_role("link", name="Set one").click()
    await page.get_by_label("Name").fill("shop/password")
    await page.get_by_label("Value").fill("correct horse battery")
    await page.get_by_role("button", name="Set it").click()
    await expect(page.get_by_role("cell", name="kv:shop/password")).to_be_visible()

    await page.goto("/connections/edit")
    await page.get_by_label("Name").fill("shop")
    await page.get_by_label("Address").fill("postgresql://shop@db.example/shop")
    await page.get_by_label("Secrets").fill("password = kv:shop/password")
    await page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name="shop")
    await expect(row).to_contain_text("password = kv:shop/password")

    await row.get_by_role("link", name="Remove").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove shop").click()
    await expect(row).to_have_count(0)
