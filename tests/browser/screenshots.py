"""Draws docs/screenshots anew: `python -m tests.browser.screenshots [FOLDER]`: main pages, two widths, light and dark.

Starts an installation of its own, fills it with tasks that a team of DBAs might have, and looks at it with Chromium.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

import httpx2
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.scene import Scene, play
from tests.browser.site import Site
from tests.support import chromium
from tests.support.up import Up

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SIZES: Final = {"wide": (1440, 900), "narrow": (420, 860)}
THEMES: Final = ("light", "dark")


async def main(folder: Path) -> None:
    """Draw every page into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, Up(Path(place), executors=2) as up:
        auth = ("admin", up.password)
        async with httpx2.AsyncClient(base_url=up.url, auth=auth, timeout=30.0, trust_env=False) as rest:
            scene = await play(Site(up, rest))
            async with async_playwright() as playwright:
                program = chromium.program()
                browser = await playwright.chromium.launch(executable_path=program, args=chromium.FLAGS)
                for theme in THEMES:
                    for size in SIZES:
                        await _draw(browser, up, scene, folder, theme, size)
                await browser.close()


async def _draw(browser: Browser, up: Up, scene: Scene, folder: Path, theme: str, size: str) -> None:
    width, height = SIZES[size]
    context = await browser.new_context(
        base_url=up.url,
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.goto("/login")
    await page.get_by_label("Name").fill("admin")
    await page.get_by_label("Password").fill(up.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/tasks*")
    for name, (address, press) in scene.pages().items():
        await _shot(page, address, press, folder / f"{name}-{size}-{theme}.png")
    await context.close()


async def _shot(page: Page, address: str, press: str, path: Path) -> None:
    """Draw the page at this address, after pressing a link to a dialog or a button, if any."""
    answer = await page.goto(address)
    assert answer is not None
    assert answer.status == 200, f"{address}: {answer.status}"
    link, button = (page.get_by_role(kind, name=press, exact=True) for kind in ("link", "button"))
    if press and await link.count():
        await link.first.click()
        await page.get_by_role("dialog").wait_for()
    elif press:
        await button.click()
        await page.locator("svg").first.wait_for()
    await page.screenshot(path=path)
    sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
