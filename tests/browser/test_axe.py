"""Everybody can read every page: axe finds nothing, light and dark, wide and narrow (WCAG 2.2 AA and best practice)."""

from typing import Any, Final

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page

from tests.browser.addresses import BROKEN, VISITED, Stage
from tests.browser.conftest import Watch

pytestmark = pytest.mark.asyncio(loop_scope="session")
ALL: Final[dict[str, Any]] = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
COLOURS: Final[dict[str, Any]] = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}
LAYOUT: Final[dict[str, Any]] = {
    "resultTypes": ["violations"],
    "runOnly": ["scrollable-region-focusable", "target-size"],
}
WIDE, NARROW = 1280, 390
IN_LINES: Final = 'class="when"'
"""Links whose size the lines of a log give: WCAG 2.5.8 leaves them out."""


async def looked_at(page: Page, address: str) -> list[str]:
    """What is wrong with a page, a line each: all rules in the light, colours in the dark, sizes on a telephone."""
    await page.set_viewport_size({"width": WIDE, "height": 900})
    await page.emulate_media(color_scheme="light")
    await page.goto(address)
    light = (await Axe().run(page, options=ALL)).response
    await page.emulate_media(color_scheme="dark")
    dark = await page.evaluate("axe.run", COLOURS)
    await page.set_viewport_size({"width": NARROW, "height": 800})
    narrow = await page.evaluate("axe.run", LAYOUT)
    wide = await page.evaluate("document.documentElement.scrollWidth")
    found = [
        f"{address}: {rule['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for result in (light, dark, narrow)
        for rule in result["violations"]
        for node in rule["nodes"]
        if not (rule["id"] == "target-size" and IN_LINES in node["html"])
    ]
    return found + ([f"{address}: {wide} px wide on a telephone"] if wide > NARROW else [])


async def test_everybody_can_read_the_pages_of_the_installation(page: Page, watch: Watch, stage: Stage) -> None:
    """Lists, forms, administration, and what is said when something does not work."""
    watch.expected = ("status of 404", "status of 400")
    assert stage.failed
    assert [line for address in (*VISITED, *stage.others, *BROKEN) for line in await looked_at(page, address)] == []


async def test_everybody_can_read_the_pages_of_a_task(page: Page, stage: Stage) -> None:
    """Every view of it, its past, and its dialogs."""
    assert [line for address in stage.of_tasks() for line in await looked_at(page, address)] == []
