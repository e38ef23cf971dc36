"""Stories of the other views: going back in time, from the timeline to the log, downloading what a script gave."""

import io
import json
import re
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.async_api import Page, expect

from tests.browser.site import INSTANCES, Site, shell

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPT = """SELECT 1 AS id, NULL AS name;
SELECT no_such_column;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT i, '=1+' || i AS formula FROM n"""


async def test_time_travel(site: Site, page: Page) -> None:
    """A DBA goes back to before the failure, sees the graph of then, cannot act there, and comes back."""
    task_id = await site.create(shell("first", "echo fine"), shell("second", "exit 3", ["first"]), name="travelled")
    await site.ended(task_id, "FAILED")
    await page.goto(f"/tasks/{task_id}?view=events")
    await expect(page.locator("#events")).to_contain_text("second failed")
    slider = page.get_by_role("slider")
    await slider.focus()
    await page.keyboard.press("Home")
    await expect(page.get_by_text("This is the past.")).to_be_visible()
    await expect(page.locator("#events")).not_to_contain_text("second failed")
    await expect(slider).to_have_value("1")
    await expect(page).to_have_url(re.compile(r"view=events&at=\d+$"))

    await page.get_by_role("link", name="Later").click()
    await page.get_by_role("link", name="Graph", exact=True).click()
    await expect(page.get_by_label("first, Running")).to_be_visible()
    await expect(page.get_by_role("link", name="Retry", exact=True).first).to_have_attribute("aria-disabled", "true")
    there = page.url
    await page.get_by_role("link", name="Back to now").click()
    await expect(page.get_by_label("second, Failed")).to_be_visible()
    await expect(page.get_by_text("This is the past.")).to_have_count(0)

    await page.goto(there)
    await expect(page.get_by_label("first, Running")).to_be_visible()


async def test_events_come_while_the_page_is_open(site: Site, page: Page) -> None:
    """A colleague's command stands there with its reason, and the slider knows of it, without a reload."""
    task_id = await site.create(shell("a", "sleep 60"), name="watched")
    await site.ended(task_id, "RUNNING")
    await page.goto(f"/tasks/{task_id}?view=events")
    await expect(page.locator("#live")).to_have_text("live")
    await site.rest.post(f"{INSTANCES}/{task_id}/cancel", json={"reason": "wrong host"})
    await expect(page.locator("#events")).to_contain_text("Reason: wrong host")
    await expect(page.locator("#events")).to_contain_text("the task ended: cancelled")
    await expect(page.locator("#travel")).to_contain_text(re.compile(r"(\d+) of \1"))


async def test_a_bar_of_the_timeline_leads_to_the_log_of_its_attempt(site: Site, page: Page) -> None:
    """The first attempt's bar shows the first attempt's lines alone."""
    step = {**shell("a", "exit 1"), "retry": {"times": 1, "delay_seconds": 0}}
    task_id = await site.create(step, name="twice")
    await site.ended(task_id, "FAILED")
    await page.goto(f"/tasks/{task_id}?view=timeline")
    await page.get_by_role("link", name="attempt 1 ran").click()
    await expect(page.locator("#log")).to_contain_text("Attempt 1 on")
    await expect(page.locator("#log")).not_to_contain_text("Attempt 2 on")


async def test_the_results_of_a_script_are_read_and_downloaded(site: Site, page: Page) -> None:
    """Rows by the page, the statement that failed, and a zip as ODC makes it."""
    params = {"connection": "sample-db", "sql": SCRIPT, "on_error": "CONTINUE"}
    task_id = await site.make({"type": "sql.script", "name": "A look", "params": params})
    await site.ended(task_id)
    await page.goto(f"/tasks/{task_id}?view=results")
    await expect(page.get_by_text("2 done · 1 failed")).to_be_visible()
    await expect(page.get_by_text("no such column: no_such_column")).to_be_visible()
    await expect(page.locator("#rowset")).to_contain_text("NULL")
    await page.get_by_role("link", name="WITH RECURSIVE").click()
    await page.get_by_role("link", name="After").click()
    await expect(page.locator("#rowset")).to_contain_text("Rows 51 to 60 of 60")
    await expect(page.get_by_role("cell", name="=1+60")).to_be_visible()

    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download results").click()
    download = await waiting.value
    assert download.suggested_filename == f"task-{task_id}-results.zip"
    archive = ZipFile(io.BytesIO(Path(await download.path()).read_bytes()))
    index = json.loads(archive.read("csv_execute_result.json"))
    assert [one["fileName"] for one in index] == ["1.csv", "3.csv"]
    assert archive.read("3.csv").startswith(b'"i","formula"\r\n"1","\'=1+1"\r\n')


async def test_what_waits_says_why(site: Site, page: Page) -> None:
    """Nobody serves the pool, so the page names it, and the step behind it names the step it waits for."""
    task_id = await site.create(shell("far", "true", pool="nowhere"), shell("near", "true", ["far"]), name="waits")
    await page.goto(f"/tasks/{task_id}?view=why")
    await expect(page.locator("#why")).to_contain_text(
        "No executor of pool nowhere is alive. Pools with executors: default."
    )
    await page.locator("#why-2").get_by_role("link", name="far").click()
    await expect(page.get_by_label("far, Ready")).to_be_visible()
