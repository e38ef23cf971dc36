"""Whatever text comes in, it stays text: nothing of it runs, is fetched, or reaches the policy, on any page or live."""

from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser import hostile
from tests.browser.addresses import of_task
from tests.browser.conftest import Watch
from tests.browser.site import INSTANCES, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def victim(page: Page) -> Page:
    """A page that writes down what ran."""
    await page.add_init_script(hostile.INIT)
    return page


async def unharmed(page: Page, where: str) -> list[str]:
    """What happened that should not, a line each."""
    hits = await page.evaluate("window.hits")
    strange = await page.locator(hostile.FOREIGN).count()
    return [*(f"{where}: {hit}" for hit in hits), *([f"{where}: {strange} strange elements"] if strange else [])]


async def test_the_trap_catches(victim: Page, watch: Watch) -> None:
    """Had a page let it in, the policy would have stopped it, and these tests would say so."""
    watch.expected = ("Content Security Policy", "status of 404")
    await victim.goto("/help")
    await victim.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=hit(1)>')")
    await victim.wait_for_function("window.hits.length > 0")

    assert await unharmed(victim, "here") == ["here: policy: script-src-attr", "here: 1 strange elements"]


async def test_stored_text_stays_text(site: Site, victim: Page) -> None:
    """Names, labels, objects, parameters, log lines, errors, columns and cells, on every page that shows them."""
    failed = await site.make(hostile.task(hostile.script("")))
    script = await site.make(
        {
            "type": "sql.script",
            "name": hostile.TEXT[:200],
            "params": {"connection": "sample-db", "sql": hostile.query()},
        }
    )
    await site.ended(failed, "FAILED")
    await site.ended(script, "FAILED")
    for word in ("retry", "skip"):  # a reason is kept with what was done, and with what was refused
        await site.rest.post(f"{INSTANCES}/{failed}/{word}", json={"reason": hostile.TEXT[:400]})
    await site.rest.post(f"{INSTANCES}/{script}/cancel", json={"reason": hostile.TEXT[:400]})
    addresses = [
        *of_task(failed),
        *of_task(script, ()),
        "/tasks",
        "/oms",
        "/odc",
        "/audit",
        f"/create/sql.script?like={script}",
    ]
    found: list[str] = []
    for address in addresses:
        answer = await victim.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        found += await unharmed(victim, address)

    assert found == []
    await victim.goto(f"/tasks/{failed}")
    await expect(victim.get_by_role("heading", level=1)).to_have_text(hostile.TEXT[:200])


async def test_text_in_an_address_stays_text(victim: Page, watch: Watch) -> None:
    """Whatever a link brings along, into any parameter of any page."""
    watch.expected = ("status of 4",)
    found: list[str] = []
    text = quote(hostile.TEXT[:700])
    for address in ("/tasks?q={}", "/oms?q={}", "/odc?q={}", "/audit?text={}&by={}", "/login?next={}", "/create/{}",
                    "/tasks/1?view={}", "/tasks/1?find={}&level={}", "/t/by-key/{}", "/{}", "/connections/edit?name={}",
                    "/secrets/edit?name={}", "/people/users/{}"):  # fmt: skip
        await victim.goto(address.replace("{}", text))
        found += await unharmed(victim, address)

    assert found == []


async def test_live_text_stays_text(site: Site, victim: Page, tmp_path: Path) -> None:
    """What comes in while somebody looks goes through the browser's own parser: it brings nothing to life either."""
    gate = tmp_path / "open"
    waits = f"while [ ! -e '{gate}' ]; do sleep 0.05; done"
    task_id = await site.make(hostile.task(hostile.script(waits)))
    await site.ended(task_id, "RUNNING")
    await victim.goto(f"/tasks/{task_id}?subtask=1")
    await expect(victim.locator("#live")).to_have_attribute("data-state", "live")
    gate.touch()
    await expect(victim.locator("#cause")).to_contain_text("Failed")
    await expect(victim.locator("#log")).to_contain_text("<script>hit(1)</script>")

    assert await unharmed(victim, "live") == []
