"""The lists, as somebody uses them: search, look closer, come back, and command many at once."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.site import Site, shell

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _three(site: Site, mark: str) -> list[int]:
    """Two tasks that fail until a file is there, and one that succeeds; all with this label."""
    flag = site.up.data_dir / f"{mark}.flag"
    made = [
        await site.create(
            shell("check disk", f"test -e {flag} || {{ echo 'disk is full' >&2; exit 3; }}"),
            name=f"{mark} {number}",
            labels={"mark": mark},
        )
        for number in range(2)
    ]
    made.append(await site.create(shell("look", "true"), name=f"{mark} good", labels={"mark": mark}))
    for task_id in made[:2]:
        await site.ended(task_id, "FAILED")
    await site.ended(made[2])
    return made


async def test_many_failed_tasks_are_retried_at_once(site: Site, page: Page) -> None:
    """Found by the search box, ticked, read in the preview, confirmed with a reason and a pace, and seen to go."""
    first, second, _ = await _three(site, "bulkstory")
    await page.goto("/tasks")
    await page.keyboard.press("/")
    await page.keyboard.type("label:mark=bulkstory")
    await page.keyboard.press("Enter")
    await expect(page.locator("#rows tr")).to_have_count(3)
    await expect(page.get_by_role("link", name="Failed 2")).to_be_visible()
    await page.get_by_role("link", name="Failed 2").click()
    await expect(page.locator("#rows tr")).to_have_count(2)
    await expect(page.locator(f"#task-{first}")).to_contain_text("disk is full")

    await expect(page.get_by_role("button", name="Retry…")).to_be_hidden()
    await page.get_by_label("Select all tasks of this page").check()
    await expect(page.get_by_label(f"Select task {second}")).to_be_checked()
    (site.up.data_dir / "bulkstory.flag").write_text("")
    await page.get_by_role("button", name="Retry…").click()
    await expect(page.get_by_role("heading", name="Retry 2 tasks")).to_be_visible()
    await expect(page.locator("#verdict")).to_contain_text("2 would be retried")
    await page.get_by_label("Reason (optional)").fill("the disk was emptied")
    await page.get_by_label("Pace, tasks a minute").fill("600")
    await page.get_by_role("button", name="Retry 2 tasks").click()

    await expect(page.get_by_role("heading", name="Retry 2 tasks")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"/tasks/\d+$"))
    for task_id in (first, second):
        await site.ended(task_id)


async def test_a_search_is_an_address_that_back_returns_to(site: Site, page: Page) -> None:
    """Chips, order and columns change the address; a link to it shows the same, and Back undoes each."""
    await _three(site, "backstory")
    await page.goto("/tasks?q=label:mark%3Dbackstory")
    await page.get_by_role("link", name="Successful 1").click()
    await expect(page).to_have_url(re.compile("state%3Asuccessful"))
    await expect(page.locator("#rows tr")).to_have_count(1)
    await page.go_back()
    await expect(page.locator("#rows tr")).to_have_count(3)

    await page.get_by_role("columnheader", name="Name").get_by_role("link").click()
    await expect(page.locator("#rows tr").first).to_contain_text("backstory 0")
    await expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    await page.locator("summary", has_text="Columns").click()
    await page.get_by_label("Labels").check()
    await expect(page.get_by_role("columnheader", name="Labels")).to_be_visible()
    await expect(page.locator("#rows tr").first).to_contain_text("mark=backstory")

    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.get_by_role("columnheader", name="Labels")).to_be_visible()
    await expect(other.locator("#rows tr").first).to_contain_text("backstory 0")


async def test_criteria_are_filled_in_instead_of_typed(site: Site, page: Page) -> None:
    """The form writes the search, and what is wrong with a search is said where it was typed."""
    await _three(site, "formstory")
    await page.goto("/tasks")
    await page.locator("summary", has_text="More criteria").click()
    await page.get_by_label("Label", exact=True).fill("mark=formstory")
    await page.get_by_label("Failed", exact=True).check()
    await page.locator(".criteria").get_by_role("button", name="Search").click()
    await expect(page.get_by_label("Search", exact=True)).to_have_value("state:failed label:mark=formstory")
    await expect(page.locator("#rows tr")).to_have_count(2)
    await page.get_by_label("Search", exact=True).fill("sate:failed")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Did you mean state:?")


@pytest.mark.parametrize("path", ["/tasks", "/oms", "/odc", "/tasks/bulk?word=retry&every=1&q=since:1d"])
async def test_a_phone_shows_lists_without_scrolling_sideways(site: Site, page: Page, path: str) -> None:
    """At 360 px everything has its place."""
    await site.create(shell("a", "exit 1"), name="A name that is long enough to be a burden for small screens " * 2)
    await page.set_viewport_size({"width": 360, "height": 780})
    await page.goto(path)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over == 0
