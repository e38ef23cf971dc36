"""Reading a log: found, followed, linked to; live through the death of the replica that serves it."""

import re
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Watch
from tests.browser.site import Site, shell
from tests.support.eventually import eventually
from tests.support.process import free_port
from tests.support.proxy import Proxy

pytestmark = pytest.mark.asyncio(loop_scope="session")
COUNTING = "for i in $(seq 1 {upto}); do echo counted $i; sleep {pause}; done"


async def counted(page: Page) -> list[int]:
    """What the lines on the page count, in their order."""
    texts = await page.locator("#log li .text").all_inner_texts()
    return [int(text.split()[1]) for text in texts if text.startswith("counted ")]


async def test_a_live_log_outlives_the_replica_that_serves_it(site: Site, page: Page, watch: Watch) -> None:
    """Two processes behind one address, one is killed while it sends: no line is lost, none comes twice."""
    port, own = free_port(), urlsplit(site.url).port
    assert own is not None
    with site.up.joined("api", "--port", str(port)) as replica:

        async def ready() -> bool:
            try:
                async with httpx2.AsyncClient(trust_env=False) as client:
                    return (await client.get(f"http://127.0.0.1:{port}/health/live")).status_code == 200
            except httpx2.TransportError:
                return False

        await eventually(ready, timeout=30, what="the second replica serves")
        async with Proxy(port) as proxy:
            watch.host = f"127.0.0.1:{proxy.port}"
            watch.expected = ("Failed to load resource", "net::ERR")
            task_id = await site.create(shell("count", COUNTING.format(upto=80, pause=0.05)))
            await page.goto(f"http://{watch.host}/tasks/{task_id}?view=list")
            await expect(page.locator("#log")).to_contain_text("counted 10\n", use_inner_text=True)
            assert proxy.connections > 0
            proxy.turn_to(own)
            replica.kill()
            await site.ended(task_id)
            await expect(page.locator("#log")).to_contain_text("state: SUCCESSFUL")
            assert await counted(page) == list(range(1, 81))
            await expect(page.locator("#log li.run")).to_have_text([re.compile("Attempt 1 on")])


async def test_following_stops_for_who_scrolls_up(site: Site, page: Page) -> None:
    """New lines do not move what is read; the button says so and leads back to the end."""
    task_id = await site.create(shell("count", COUNTING.format(upto=150, pause=0.03)))
    await page.goto(f"/tasks/{task_id}?view=list")
    log, follow = page.locator("#log"), page.locator("#follow")
    await expect(log).to_contain_text("counted 60\n", use_inner_text=True)
    await expect(follow).to_have_text("Following")
    await log.hover()
    await page.mouse.wheel(0, -300)
    await expect(follow).to_have_text("Follow")
    line = log.get_by_text("counted 40", exact=True)
    await line.scroll_into_view_if_needed()
    before = await line.bounding_box()
    await expect(log).to_contain_text("counted 150\n", use_inner_text=True)
    after = await line.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2
    await page.keyboard.press("f")
    await expect(follow).to_have_text("Following")
    await expect(log.get_by_text("state: SUCCESSFUL")).to_be_in_viewport()


async def test_a_word_is_found_and_sent_as_a_link(site: Site, page: Page) -> None:
    """Enter finds upwards from the end; the hit is in view and marked; its link opens it for somebody else."""
    script = "seq -f 'row %g of many' 1 1500; echo it broke >&2; exit 1"
    task_id = await site.create(shell("rows", script))
    await site.ended(task_id, "FAILED")
    await page.goto(f"/tasks/{task_id}")
    await expect(page.locator("#log").get_by_text("it broke", exact=True)).to_be_in_viewport()
    await page.keyboard.press("/")
    await page.keyboard.type("row 77 of")
    await page.keyboard.press("Enter")
    hit = page.locator("#log li[aria-current]")
    await expect(hit).to_contain_text("row 77 of many")
    await expect(hit).to_be_in_viewport()
    await expect(hit.locator("mark")).to_have_text("row 77 of")
    address = await hit.locator("a.when").get_attribute("href")
    other = await page.context.new_page()
    await other.goto(f"{site.url}{address}")
    await expect(other.locator("#log li[aria-current]")).to_contain_text("row 77 of many")
    await expect(other.locator("#log li[aria-current]")).to_be_in_viewport()
    await page.get_by_role("link", name="Next error").click()
    await expect(hit).to_contain_text("exited with 1")
    await page.get_by_role("link", name="Alert").click()
    await expect(page.locator("#log li .level").first).to_have_text("WARN")
