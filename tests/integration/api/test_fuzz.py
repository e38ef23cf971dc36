"""Schemathesis over the OpenAPI document: whatever is sent, no 5xx and no answer that the document does not name."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import PASSWORD, ServedApi, plan

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method"
)
"""Not `negative_data_rejection`: unknown parameters are ignored on purpose, as OCP's clients need it."""

PEOPLE = "--include-path-regex=^/api/v2/(users|tokens|me)"
WITHOUT_PEOPLE = "--exclude-path-regex=^/api/v2/(users|tokens)"


async def fuzz(api: ServedApi, folder: Path, *more: str) -> None:
    """Run schemathesis in a process of its own, over a task that is there; show what it found."""
    task = await api.create(plan("a", "b"))
    await api.finish(task["id"], 1, cmd.Failed(Problem(kind="EXIT", message="failed on purpose")))
    known: dict[str, object] = {"task_id": task["id"], "subtask_id": task["id"] * 10_000 + 1}
    if PEOPLE in more:
        known |= {"name": "nobody", "token_id": "000000000000"}
    await checked(api, folder, known, *more)


async def checked(api: ServedApi, folder: Path, known: dict[str, object], *more: str) -> None:
    """Run schemathesis with these values for parameters of paths; show what it found."""
    settings = folder / "schemathesis.toml"
    lines = [f'"path.{name}" = {json.dumps(value)}' for name, value in known.items()]
    settings.write_text("\n".join(["[parameters]", *lines, ""]), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())",
        f"--config-file={settings}",
        "run",
        f"{api.url}/openapi.json",
        f"--auth=admin:{PASSWORD}",
        f"--checks={CHECKS}",
        "--exclude-path=/api/v2/events",
        "--request-timeout=20",
        "--no-color",
        *more,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-20_000:]


async def test_a_few_examples_of_everything(api: ServedApi, tmp_path: Path) -> None:
    """Each route with a handful of examples, good and bad."""
    await fuzz(api, tmp_path, "--phases=examples,coverage,fuzzing", "--max-examples=5", WITHOUT_PEOPLE)


async def test_examples_of_users_and_tokens(api: ServedApi, tmp_path: Path) -> None:
    """Likewise, without calls that follow from each other's answers: these would shut the caller out."""
    await fuzz(api, tmp_path, "--phases=examples,coverage,fuzzing", "--max-examples=10", PEOPLE)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_many_examples_and_sequences(api: ServedApi, tmp_path: Path) -> None:
    """Many examples of each route, and calls that follow from each other's answers."""
    await fuzz(api, tmp_path, "--max-examples=60", WITHOUT_PEOPLE)
