"""The example producer, run as its first lines say, and the pages that describe the bus."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from services.api.access import Role
from services.api.bus.asyncapi import document
from tests.integration.api.harness import INSTANCES, ServedApi, plan
from tests.integration.bus.producer import producer

pytestmark = pytest.mark.asyncio(loop_scope="module")
EXAMPLE = Path(__file__).parents[3] / "examples" / "producer.py"


async def test_the_example_creates_a_task(api: ServedApi) -> None:
    """A program that knows nothing of ours but the documentation."""
    keys = await producer(api)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLE),
        json.dumps(plan(name="by the example")),
        env={
            "PATH": os.environ["PATH"],
            "NATS_URL": api.settings.nats_url,
            "ACCESS_KEY": keys.access_key,
            "SECRET_KEY": keys.secret,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 0, complained.decode()
    answer = json.loads(said)
    assert (answer["status"], answer["state"]) == (201, "READY")
    shown = (await api.admin.get(f"{INSTANCES}/{answer['task']}")).json()["data"]
    assert shown["name"] == "by the example"


async def test_the_bus_is_documented_for_those_who_may_read(api: ServedApi) -> None:
    """The document as JSON and as a page that loads nothing."""
    viewer = await api.bearer(Role.TASK_VIEWER)
    assert (await viewer.get("/asyncapi.json")).json() == document()
    page = await viewer.get("/asyncapi")
    assert "commands.create" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    async with api.client() as stranger:
        assert (await stranger.get("/asyncapi")).status_code == 401
