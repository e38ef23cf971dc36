"""The program in docs/access.md signs requests as it says."""

import asyncio
import os
import re
import sys

import pytest

from tests.house.matrix import PAGE
from tests.integration.api.harness import ServedApi

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_example_signs(api: ServedApi) -> None:
    """Run as it stands there: a read and a command are answered with 200 and 201."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    made = (await api.admin.post("/api/v2/tokens", json={"name": "ci", "role": "TASK_MANAGER"})).json()["data"]
    keys = {"OPSLEDGER_ACCESS_KEY": made["access_key"], "OPSLEDGER_SECRET_KEY": made["secret_key"]}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        env={**os.environ, **keys, "OPSLEDGER_URL": api.url, "no_proxy": "*"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await asyncio.wait_for(child.communicate(), 30)
    assert (child.returncode, said.decode().split()) == (0, ["200", "201"]), wrong.decode()
