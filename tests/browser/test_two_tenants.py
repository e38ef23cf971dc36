"""Two teams on one installation: each sees its own tasks, and nothing tells it that there are others."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from services.api.access import Role
from tests.browser.addresses import of_task
from tests.browser.conftest import Watch, sign_in, window
from tests.browser.site import Site, shell

pytestmark = pytest.mark.asyncio(loop_scope="session")
PASSWORD = "correct horse battery staple"


@pytest_asyncio.fixture(loop_scope="session")
async def pages(site: Site, browser: Browser, watch: Watch) -> AsyncIterator[tuple[Page, Page]]:
    """A window of somebody of team ash, and one of somebody of team birch."""
    async with window(browser, site.url, watch) as one, window(browser, site.url, watch) as other:
        found = (await one.new_page(), await other.new_page())
        for page, team in zip(found, ("ash", "birch"), strict=True):
            name = f"of-{team}"
            body = {"name": name, "password": PASSWORD, "role": Role.TASK_MANAGER.value, "teams": [team]}
            answer = await site.rest.post("/api/v2/users", json=body)
            assert answer.status_code in {201, 409}
            await sign_in(page, site.url, name, PASSWORD)
        yield found


async def test_each_team_sees_its_own_tasks(site: Site, pages: tuple[Page, Page], watch: Watch) -> None:
    """In lists and searches; to a link that somebody sent, every page of a task is one that does not exist."""
    ash, birch = pages
    made = {
        team: await site.create(shell("a", f"echo secret of {team}"), name=f"Prune {team}", labels={"team": team})
        for team in ("ash", "birch")
    }
    for task_id in made.values():
        await site.ended(task_id)

    await ash.goto("/tasks?q=Prune")
    await expect(ash.locator("#rows")).to_contain_text("Prune ash")
    await expect(ash.locator("#rows")).not_to_contain_text("birch")
    await birch.goto("/tasks?q=team:ash")
    await expect(birch.locator("#rows")).not_to_contain_text("ash")
    watch.expected = ("status of 404",)
    for address in [*of_task(made["ash"]), f"/t/{made['ash']}"]:
        answer = await birch.goto(address)
        assert answer is not None
        assert answer.status == 404, address
        await expect(birch.locator("main")).to_contain_text(f"The task {made['ash']} does not exist.")
        assert "secret of" not in await birch.content()
    await ash.goto(f"/tasks/{made['ash']}")
    await expect(ash.locator("#log")).to_contain_text("secret of ash")


async def test_what_another_team_does_is_not_live_here(site: Site, pages: tuple[Page, Page]) -> None:
    """A list that is open shows the own team's new task, and never the other one's."""
    ash, _ = pages
    await ash.goto("/tasks")
    await expect(ash.locator("#live")).to_have_attribute("data-state", "live")
    await site.ended(await site.create(shell("a", "true"), name="Felled in birch", labels={"team": "birch"}))
    mine = await site.create(shell("a", "true"), name="Felled in ash", labels={"team": "ash"})
    await site.ended(mine)
    await ash.goto("/tasks?q=Felled")
    await expect(ash.locator(f"#task-{mine}")).to_contain_text("Felled in ash")
    await expect(ash.locator("#rows")).not_to_contain_text("birch")


async def test_nobody_is_led_where_nothing_is_for_them(pages: tuple[Page, Page], watch: Watch) -> None:
    """A manager of a team finds no way to audit and people, and no page there either."""
    ash, _ = pages
    await ash.goto("/tasks")
    places = ash.get_by_role("navigation", name="Main")
    await expect(places.get_by_role("link", name="Executors")).to_be_visible()
    await expect(places.get_by_role("link", name="People")).to_have_count(0)
    await expect(places.get_by_role("link", name="Audit")).to_have_count(0)
    watch.expected = ("status of 403",)
    for address in ("/people", "/audit", "/secrets"):
        answer = await ash.goto(address)
        assert answer is not None
        assert answer.status == 403
        await expect(ash.get_by_role("alert")).to_contain_text("TASK_MANAGER has no permission")
