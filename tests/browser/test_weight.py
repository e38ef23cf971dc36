"""Pages are light: what a browser that has nothing yet must fetch, packed, and from nowhere else."""

import asyncio
import re
from typing import Final

import httpx2
import pytest

from tests.browser.addresses import VISITED, Stage
from tests.browser.site import Site, shell

pytestmark = pytest.mark.asyncio(loop_scope="session")
MOST: Final = 30 * 1024
BROWSER: Final = {"Accept": "text/html", "Accept-Encoding": "gzip, deflate, br"}
NAMED: Final = re.compile(r'(?:href|src)="((?:[a-z]+:)?//[^"]*|/static/[^"]+)"')


async def test_every_page_is_below_thirty_kilobytes(site: Site, stage: Stage) -> None:
    """With style, script and icon, with fifty rows in the list; and all of it lies here."""
    await asyncio.gather(*(site.create(shell("a", "true"), name=f"Rotate logs of host {n}") for n in range(50)))
    weights: dict[str, int] = {}
    for address in (*VISITED, *stage.of_tasks()):
        text, weight = await fetched(site.rest, address)
        files = set(NAMED.findall(text))
        assert {file for file in files if not file.startswith("/static/")} == set(), address
        weights[address] = weight + sum([(await fetched(site.rest, file))[1] for file in files])

    assert {address: weight for address, weight in weights.items() if weight > MOST} == {}
    assert min(weights.values()) > 1000  # there was something to weigh


async def fetched(rest: httpx2.AsyncClient, address: str) -> tuple[str, int]:
    """A text and how many bytes of it went over the wire."""
    async with rest.stream("GET", address, headers=BROWSER) as answer:
        assert answer.status_code == 200, address
        text = (await answer.aread()).decode()
        return text, answer.num_bytes_downloaded
