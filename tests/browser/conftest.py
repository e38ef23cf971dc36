"""A browser that is signed in, and what every page is held to: no error, no blocked file, no other host."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, StorageState, async_playwright

from tests.browser.addresses import Stage, play
from tests.browser.site import Site
from tests.support import chromium
from tests.support.up import Up


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[Site]:
    """An installation with two executors, and its administrator's REST client."""
    with Up(folder, executors=2, OPSLEDGER_SSE_PER_PRINCIPAL="200") as up:
        auth = ("admin", up.password)
        async with httpx2.AsyncClient(base_url=up.url, auth=auth, timeout=20.0, trust_env=False) as rest:
            yield Site(up, rest)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The installation."""
    async with installed(tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(site: Site) -> Stage:
    """Tasks that have something on every page."""
    return await play(site)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests of this process."""
    program = chromium.program()
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=program, args=chromium.FLAGS)
        yield found
        await found.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def signed_in(site: Site, browser: Browser) -> StorageState:
    """The cookies of somebody who has signed in as admin."""
    context = await browser.new_context()
    page = await context.new_page()
    await sign_in(page, site.url, "admin", site.up.password)
    state = await context.storage_state()
    await context.close()
    return state


async def sign_in(page: Page, url: str, name: str, password: str) -> None:
    """Sign in as a person would."""
    await page.goto(f"{url}/login")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(lambda address: "/login" not in address)


class Watch:
    """What a page complained of: errors, violations of its policy, and requests to other hosts."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()
        """Parts of complaints that the test provokes."""

    def add(self, page: Page) -> None:
        """Watch one page."""
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", self._said)
        page.on("request", self._asked)

    def _said(self, said: Any) -> None:
        if said.type == "error":
            self.complaints.append(f"console: {said.text} ({said.location.get('url', '')})")

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != self.host:
            self.complaints.append(f"asked another host: {request.url}")

    def verdict(self) -> list[str]:
        """What nobody expected."""
        return [one for one in self.complaints if not any(part in one for part in self.expected)]


@asynccontextmanager
async def window(browser: Browser, url: str, watch: Watch, **more: Any) -> AsyncIterator[BrowserContext]:
    """A browser window's cookies and settings, watched; what its pages complained of fails the test at its end."""
    context = await browser.new_context(
        base_url=url, viewport={"width": 1280, "height": 900}, reduced_motion="reduce", **more
    )
    context.on("page", watch.add)
    yield context
    await context.close()
    assert watch.verdict() == []


@pytest.fixture
def watch(site: Site) -> Watch:
    """What the test's pages complain of; a test may say what it expects."""
    return Watch(urlsplit(site.url).netloc)


@pytest_asyncio.fixture(loop_scope="session")
async def context(site: Site, browser: Browser, signed_in: StorageState, watch: Watch) -> AsyncIterator[BrowserContext]:
    """A browser window's cookies and settings, signed in as admin."""
    async with window(browser, site.url, watch, storage_state=signed_in) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> Page:
    """A page, signed in as admin; what it complains of fails the test."""
    return await context.new_page()
