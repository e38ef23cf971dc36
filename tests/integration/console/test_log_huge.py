"""A log of 200 MB in the console: opened at its end, paged, searched."""

import gzip
import json
import time
from pathlib import Path

import psutil
import pytest

from shared.messages import subjects
from shared.runtime.nats import api as jetstream
from tests.integration.api.harness import plan, served
from tests.support.nats_server import NatsServer


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_huge_log_is_read_from_its_end(nats_server: NatsServer, tmp_path: Path) -> None:
    """The page of its task within a second, in bounded memory and weight; so are earlier lines and a rare word."""
    async with served(nats_server.url, f"sqlite:///{tmp_path}/view.db") as api:
        task = (await api.create(plan("a")))["id"]
        await api.claim(task, 1)
        text, batches = "x" * 180, 3300
        for batch in range(batches):
            level = "ERROR" if batch == 40 else "INFO"
            lines = [{"t": 1.7e9 + batch, "l": level, "m": f"{batch * 285 + place} {text}"} for place in range(285)]
            head = {"v": 1, "generation": 1, "attempt": 1, "phase": "execute", "lines": lines}
            await api.logs.append(task, 1, json.dumps(head, separators=(",", ":")).encode())
        info = await jetstream(api.nats, f"STREAM.INFO.{subjects.LOGS}")
        assert info["state"]["bytes"] > 200e6
        process = psutil.Process()
        took: dict[str, tuple[float, int, int]] = {}
        before = process.memory_info().rss
        asked: dict[str, dict[str, str]] = {
            "end": {},
            "again": {},
            "first error": {"go": "error"},
            "find near the end": {"find": f"{batches * 285 - 9_000} x", "go": "prev"},
            "find what is not there": {"find": "no such word", "go": "prev"},
        }
        for name, params in asked.items():
            began = time.perf_counter()
            answer = await api.admin.get(f"/tasks/{task}", params=params, headers={"Accept": "text/html"})
            took[name] = (
                round(time.perf_counter() - began, 3),
                len(answer.content),
                len(gzip.compress(answer.content)),
            )
            assert answer.status_code == 200
        grown = (process.memory_info().rss - before) / 1e6
        print(took, f"{grown:.0f} MB more")  # noqa: T201  its figures
        assert f">{batches * 285 - 1} {text}" in (await api.admin.get(f"/tasks/{task}")).text
        assert took["end"][0] < 1
        assert took["find near the end"][0] < 1
        assert "Search on" in answer.text
        assert grown < 100
