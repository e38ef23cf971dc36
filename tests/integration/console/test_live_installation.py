"""Executors and queue stay fresh by themselves, and say nothing while nothing looks different."""

import asyncio
from typing import Any
from unittest.mock import patch

import pytest

from services.api.access import Role
from services.api.console import live_installation
from tests.integration.api.executor import Executor
from tests.integration.api.harness import ServedApi, plan
from tests.support.sse import Reading, events

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def until(reading: Reading, part: str) -> str:
    """The first patch that has this part."""
    async with asyncio.timeout(10):
        while True:
            data: dict[str, Any] = (await reading.next("patch")).data
            assert list(data) == ["installation"]
            if part in data["installation"]:
                return str(data["installation"])


async def test_what_an_executor_does_is_seen_by_itself(api: ServedApi) -> None:
    """It comes, drains and goes; nothing of a session is in what all readers get."""
    with patch.object(live_installation, "EVERY", 0.05):
        async with events(api.admin, "/live/executors") as reading:
            await until(reading, "No executor is alive")
            async with Executor(api, "1-aa") as one:
                shown = await until(reading, "named-1-aa")
                await one.say(draining=True)
                await until(reading, "Drained")
            await until(reading, "No executor is alive")

    assert shown.startswith('<div id="installation">')
    assert "csrf" not in shown


async def test_nothing_is_sent_while_nothing_looks_different(api: ServedApi) -> None:
    """That time goes by is no difference: browsers count by themselves."""
    with patch.object(live_installation, "EVERY", 0.05):
        async with Executor(api, "2-bb") as one, events(api.admin, "/live/executors/2-bb") as reading:
            await until(reading, "named-2-bb")
            waiting = asyncio.create_task(reading.next("patch"))
            done, _ = await asyncio.wait({waiting}, timeout=1.2)
            assert not done
            await one.say(held=3)
            assert "3 of 4 taken" in (await asyncio.wait_for(waiting, 5)).data["installation"]


async def test_the_page_of_one_that_is_gone_is_fetched_anew(api: ServedApi) -> None:
    """The stream says so and ends; the page then says that there is none."""
    with patch.object(live_installation, "EVERY", 0.05):
        async with events(api.admin, "/live/executors/3-cc") as reading:
            assert (await asyncio.wait_for(reading.next(), 5)).name == "reset"
            with pytest.raises(EOFError):
                await asyncio.wait_for(reading.next(), 5)


async def test_what_waits_is_seen_by_itself(api: ServedApi) -> None:
    """A reader who sees one team alone is sent the same, without the task that waits longest."""
    viewer = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"red"}), name="live-viewer")
    with patch.object(live_installation, "EVERY", 0.05):
        async with events(api.admin, "/live/queue") as everything, events(viewer, "/live/queue") as bounded:
            await until(everything, "default")
            task = int((await api.create(plan(name="waits")))["id"])
            seen = await until(everything, f"/tasks/{task}?subtask=1")
            other = await until(bounded, "No executor takes work of this pool")

    assert "No executor takes work of this pool" in seen
    assert "/tasks/" not in other
