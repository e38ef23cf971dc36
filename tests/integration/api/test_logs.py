"""The log of a subtask: OCP's text, lines by the page, found, followed and downloaded; from its end when it is long."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from services.api.access import Role
from services.api.rest import logs as routes
from services.api.rest.live import log_page
from services.api.rest.schemas import Answer, LogShape
from services.api.rest.shapes_logs import LinesShape
from shared.messages import subjects
from shared.runtime.clock import now
from shared.runtime.nats import api as jetstream
from shared.store.logs import LogStore
from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused, served
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer
from tests.support.sse import events

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Subtask:
    """The first subtask of a new task, and ways to ask for its log."""

    def __init__(self, api: ServedApi, task: dict[str, Any]) -> None:
        self.api, self.task = api, task["id"]
        self.path = f"{INSTANCES}/{task['id']}/subtasks/{task['subtasks'][0]['id']}/log"

    async def say(self, *lines: tuple[str, str], generation: int = 1, attempt: int = 1) -> None:
        """Store one batch as an executor does."""
        at = now().timestamp()
        shown = [{"t": at, "l": level, "m": text} for level, text in lines]
        head = {"v": 1, "generation": generation, "attempt": attempt, "phase": "execute", "lines": shown}
        await self.api.logs.append(self.task, 1, json.dumps(head, separators=(",", ":")).encode())

    async def text(self) -> str:
        """OCP's answer."""
        answer = await self.api.admin.get(self.path)
        Answer[LogShape].model_validate_json(answer.content)
        found: str = answer.json()["data"]["log"]
        return found

    async def page(self, **params: Any) -> dict[str, Any]:
        """One page of lines."""
        answer = await self.api.admin.get(self.path, params=params)
        assert answer.status_code == 200, answer.text
        Answer[LinesShape].model_validate_json(answer.content)
        found: dict[str, Any] = answer.json()["data"]
        return found

    async def texts(self, **params: Any) -> list[str]:
        """What the lines of one page say."""
        return [line["text"] for line in (await self.page(**params))["lines"]]


async def new(api: ServedApi) -> Subtask:
    """A subtask of its own."""
    return Subtask(api, await api.create(plan("a")))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spoken(api: ServedApi) -> AsyncIterator[Subtask]:
    """A subtask that failed in its first run and runs for the second time; 300 lines a run in batches of 3."""
    subtask = await new(api)
    neighbour = await new(api)
    for run, generation, attempt in ((1, 1, 1), (2, 2, 2)):
        fence = await api.claim(subtask.task, 1)
        for batch in range(100):
            lines = []
            for place in range(3):
                number = batch * 3 + place + 1
                level = "ERROR" if number % 100 == 0 else "WARN" if number % 50 == 0 else "INFO"
                lines.append((level, f'line {number} of run {run}, "ß" Ähre'))
            await subtask.say(*lines, generation=generation, attempt=attempt)
            if batch % 10 == 0:
                await neighbour.say(("INFO", "between"))
        if run == 1:
            failure = cmd.Failed(Problem(kind="EXIT_CODE", message="exit code 3"))
            await api.act(subtask.task, cmd.Settle(1, fence, failure, now()))
            await api.admin.post(f"{INSTANCES}/{subtask.task}/retry")
    yield subtask


async def test_the_end_comes_first(spoken: Subtask) -> None:
    """The last lines; pages before them join without a gap to the very first; forwards likewise, with numbers."""
    page = await spoken.page(tail=5)
    assert [line["text"].split(",")[0] for line in page["lines"]] == [f"line {n} of run 2" for n in range(296, 301)]
    assert not page["more"]
    backwards = [line["cursor"] for line in page["lines"]]
    while "before" in page:
        page = await spoken.page(before=page["before"], size=83)
        backwards = [line["cursor"] for line in page["lines"]] + backwards
    assert len(backwards) == len(set(backwards)) == 600

    page = await spoken.page(size=71)
    forwards = page["lines"]
    while page["more"]:
        page = await spoken.page(after=page["cursor"], size=71)
        forwards += page["lines"]
    assert [line["number"] for line in forwards] == list(range(1, 601))
    assert [line["cursor"].rpartition(".")[0] for line in forwards] == backwards
    assert (await spoken.page(after=page["cursor"]))["lines"] == []


async def test_a_page_around_a_line_joins_both_ways(spoken: Subtask) -> None:
    """From the address of a line to what lies before and behind it."""
    hit = (await spoken.page(find="line 150 of run 1"))["lines"][0]
    before, after = await spoken.page(before=hit["cursor"], size=2), await spoken.page(after=hit["cursor"], size=2)
    assert [line["text"].split()[1] for line in [*before["lines"], hit, *after["lines"]]] == [
        "148",
        "149",
        "150",
        "151",
        "152",
    ]
    assert (await spoken.page(after=before["cursor"], size=1))["lines"][0]["text"] == hit["text"]


async def test_levels_and_text_choose_lines(spoken: Subtask) -> None:
    """Alert is warnings and errors; text is literal and case-free; numbers count the lines left out as well."""
    assert len(await spoken.texts(level="Alert")) == 12
    assert len(await spoken.texts(level="error")) == 6
    assert len(await spoken.texts(level="WARN", tail=100)) == 6
    assert await spoken.texts(level="DEBUG") == []
    assert len(await spoken.texts(level="INFO", size=5000)) == 588
    assert len(await spoken.texts(level="All", size=5000)) == 600
    found = (await spoken.page(find="LINE 29"))["lines"]
    assert [line["number"] for line in found] == [29, *range(290, 300), 329, *range(590, 600)]
    assert len(await spoken.texts(find='"SS"', size=5000)) == 0
    assert len(await spoken.texts(find='"ß" äHRE', size=5000)) == 600
    assert len(await spoken.texts(find='"', size=5000)) == 600
    assert await spoken.texts(find="line .* of") == []
    assert await spoken.texts(find="run 2", level="ERROR", tail=1) == ['line 300 of run 2, "ß" Ähre']


async def test_runs_are_named_and_chosen(spoken: Subtask) -> None:
    """By generation and attempt, or by OCP's runTime."""
    runs = (await spoken.page(tail=0))["runs"]
    assert [(run["run"], run["phase"], run.get("number")) for run in runs] == [
        ("1-1", "execute", 1),
        ("2-2", "execute", 2),
    ]
    assert (runs[0]["number"], runs[0]["phase"], runs[0]["executor"]) == (1, "execute", "worker-1")
    assert len(await spoken.texts(attempt="1-1", size=5000)) == 300
    assert len(await spoken.texts(attempt="1", size=5000)) == 300
    for run in ("2-2", "2"):
        assert (await spoken.texts(attempt=run, tail=1))[0].startswith("line 300 of run 2")
    assert await spoken.texts(attempt="9-9") == []
    assert await spoken.texts(attempt="7") == []


async def test_what_makes_no_sense_is_refused(spoken: Subtask) -> None:
    """400 for each parameter that cannot be understood, and for those that exclude each other."""
    bad: tuple[dict[str, str], ...] = (
        {"level": "LOUD"},
        {"tail": "-1"},
        {"tail": "5001"},
        {"size": "0"},
        {"after": "x"},
        {"before": "1"},
        {"attempt": "first"},
        {"follow": "perhaps"},
        {"tail": "1", "after": "1.1"},
        {"follow": "true", "before": "1.1"},
        {"find": "x" * 301},
        {"find": "\0"},
    )
    for params in bad:
        refused(await spoken.api.admin.get(spoken.path, params=params), 400, 1001)
    headers = {"Last-Event-ID": "what"}
    refused(await spoken.api.admin.get(spoken.path, params={"follow": "true"}, headers=headers), 400, 1001)
    red = await spoken.api.bearer(Role.TASK_VIEWER, teams=frozenset({"red"}), name="red")
    for path in (spoken.path, f"{spoken.path}/download"):
        refused(await red.get(path), 404, 4001)


async def test_a_poll_gives_only_what_is_new(api: ServedApi) -> None:
    """From an empty log on: each answer's cursor leads to exactly the lines said since."""
    subtask = await new(api)
    page = await subtask.page(tail=10)
    assert (page["lines"], page["more"]) == ([], False)
    for turn in range(4):
        await subtask.say(*[("INFO", f"{turn}-{number}") for number in range(turn)])
        page = await subtask.page(after=page["cursor"])
        assert [line["text"] for line in page["lines"]] == [f"{turn}-{number}" for number in range(turn)]


async def test_following_ends_with_the_subtask(api: ServedApi) -> None:
    """Lines come as they are said, once, also over a reconnect in the middle; `end` says how it ended."""
    subtask = await new(api)
    fence = await api.claim(subtask.task, 1)
    await subtask.say(("INFO", "0"), ("INFO", "1"))
    seen: list[str] = []

    async def speak() -> None:
        for number in range(2, 60):
            await subtask.say(("INFO", str(number)))
        await api.act(subtask.task, cmd.Settle(1, fence, cmd.Succeeded({}), now()))

    async with events(api.admin, subtask.path, follow="true", tail=1) as reading:
        event = await reading.next("lines")
        seen += [line["text"] for line in event.data["lines"]]
        speaking = asyncio.create_task(speak())
        while len(seen) < 10:
            seen += [line["text"] for line in (await reading.next("lines")).data["lines"]]
        position = reading.last_id
    async with events(api.admin, subtask.path, last_id=position, follow="true") as reading:
        async for event in reading:
            if event.name == "end":
                assert event.data["status"] == "SUCCESSFUL"
            else:
                seen += [line["text"] for line in event.data["lines"]]
    await speaking
    assert seen == [str(number) for number in range(1, 60)]
    live = api.running._live
    assert live is not None
    await eventually(lambda: len(live.streams) == 0)
    async with events(api.admin, subtask.path, follow="true", find="5", level="All") as reading:
        event = await reading.next("lines")
        assert [line["text"] for line in event.data["lines"]] == ["5", "15", "25", "35", "45", *map(str, range(50, 60))]


async def test_the_download_is_ocps_text(spoken: Subtask) -> None:
    """The same lines in the same order with the same separators; packed, filtered and as an attachment."""
    answer = await spoken.api.admin.get(f"{spoken.path}/download")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="task-')
    assert answer.text == await spoken.text() + "\n"
    packed = await spoken.api.admin.get(f"{spoken.path}/download", params={"gzip": "true"})
    assert packed.headers["content-type"] == "application/gzip"
    assert gzip.decompress(packed.content) == answer.content
    errors = (await spoken.api.admin.get(f"{spoken.path}/download", params={"level": "ERROR"})).text
    assert [line.split(" ")[1] for line in errors.splitlines() if " of run " in line] == ["ERROR"] * 6
    assert errors.count("############{") == answer.text.count("############{")


async def test_a_long_log_is_shown_from_its_end(spoken: Subtask, monkeypatch: pytest.MonkeyPatch) -> None:
    """OCP's answer is bounded: the run that is cut keeps its separator and says where the whole is."""
    whole = await spoken.text()
    for most in (100, 2000, 8000, 18000, len(whole) + 100):
        monkeypatch.setattr(routes, "MOST", most)
        text = await spoken.text()
        assert len(text) < most + 400
        if most > len(whole):
            assert text == whole
            continue
        head, note, *rest = text.split("\n")
        assert head.startswith("############{")
        assert "left out" in note
        assert f"{spoken.path}/download" in note
        assert whole.endswith("\n".join(rest))


async def test_a_search_that_takes_long_goes_on_where_it_stopped(
    spoken: Subtask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page reads so much and no more; cursors lead on, forwards and backwards, until all was found."""
    monkeypatch.setattr(log_page, "BUDGET", 3000)
    found: list[str] = []
    page = await spoken.page(find="line 299 of")
    pages = 1
    while page["more"]:
        found += [line["text"] for line in page["lines"]]
        page = await spoken.page(find="line 299 of", after=page["cursor"])
        pages += 1
    found += [line["text"] for line in page["lines"]]
    assert (len(found), pages > 4) == (2, True)
    page = await spoken.page(find="line 1 of", tail=10)
    found = [line["text"] for line in page["lines"]]
    while "before" in page:
        page = await spoken.page(find="line 1 of", before=page["before"])
        found = [line["text"] for line in page["lines"]] + found
    assert len(found) == 2


async def test_lines_that_cannot_be_read_are_named(api: ServedApi) -> None:
    """A broken batch is one line everywhere, and hides no other."""
    subtask = await new(api)
    await subtask.say(("INFO", "before"))
    await api.logs.append(subtask.task, 1, b'{"t": broken')
    await subtask.say(("INFO", "after"))
    assert await subtask.texts(size=9) == ["before", "[12 bytes of log cannot be read]", "after"]
    assert await subtask.texts(tail=3) == await subtask.texts(size=9)
    assert "cannot be read" in await subtask.text()


async def test_what_has_expired_is_said(tmp_path: Path, nats_server: NatsServer) -> None:
    """Once LOGS has dropped something, runs that began before what it still has say so."""
    async with served(nats_server.url, f"sqlite:///{tmp_path}/view.db") as api:
        await expire(api)


async def expire(api: ServedApi) -> None:
    """Let LOGS lose what was printed so far in the middle of a run."""
    subtask = await new(api)
    fence = await api.claim(subtask.task, 1)
    await subtask.say(("INFO", "old"))
    assert "may be missing" not in await subtask.text()
    await jetstream(api.nats, f"STREAM.PURGE.{subjects.LOGS}")
    assert "may be missing" in await subtask.text()
    await subtask.say(("INFO", "new"))
    await api.act(subtask.task, cmd.Settle(1, fence, cmd.Succeeded({}), now()))
    text = await subtask.text()
    head, note, line, _ = text.split("\n")
    assert head.startswith("############{EXECUTE}")
    assert "may be missing" in note
    assert line.endswith(" INFO new")
    assert "expired" in await subtask.page(tail=5)
    assert (await api.admin.get(f"{subtask.path}/download")).text == text + "\n"
    late = await new(api)
    await api.claim(late.task, 1)
    await late.say(("INFO", "x"))
    assert "may be missing" not in await late.text()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_huge_log_opens_at_its_end(api: ServedApi) -> None:
    """200 MB among other subtasks' lines: the end within a second, everything in bounded memory."""
    subtask, neighbour = await new(api), await new(api)
    text = "x" * 180
    stores = [LogStore(api.nats, timeout=30) for _ in range(2)]
    number = 0
    batches = 3300
    for batch in range(batches):
        lines = [{"t": 1.7e9 + batch, "l": "INFO", "m": f"{number + place} {text}"} for place in range(285)]
        number += len(lines)
        head = {"v": 1, "generation": 1, "attempt": 1, "phase": "execute", "lines": lines}
        await stores[0].append(subtask.task, 1, json.dumps(head, separators=(",", ":")).encode())
        if batch % 3 == 0:
            await stores[1].append(neighbour.task, 1, json.dumps({**head, "lines": lines[:5]}).encode())
    info = await jetstream(api.nats, f"STREAM.INFO.{subjects.LOGS}")
    assert info["state"]["bytes"] > 200e6
    process = psutil.Process()
    before = process.memory_info().rss
    took: dict[str, float] = {}

    async def timed(name: str, **params: Any) -> dict[str, Any]:
        began = time.perf_counter()
        page = await subtask.page(**params)
        took[name] = time.perf_counter() - began
        return page

    page = await timed("tail=1000", tail=1000)
    assert page["lines"][-1]["text"].startswith(f"{number - 1} ")
    assert len(page["lines"]) == 1000
    await timed("tail=1000 again", tail=1000)
    await timed("before", before=page["before"], size=1000)
    await timed("first page", size=1000)
    began = time.perf_counter()
    shown = await subtask.text()
    took["OCP's answer"] = time.perf_counter() - began
    assert len(shown) <= routes.MOST + 1000
    began = time.perf_counter()
    cursor, pages = None, 0
    while True:
        page = await subtask.page(find=f"{number - 3} X", **({"after": cursor} if cursor else {}))
        pages += 1
        if page["lines"] or not page["more"]:
            break
        cursor = page["cursor"]
    took["find near the end"] = time.perf_counter() - began
    assert page["lines"][0]["number"] == number - 2
    began = time.perf_counter()
    size = 0
    async with api.admin.stream("GET", f"{subtask.path}/download") as answer:
        async for chunk in answer.aiter_raw():
            size += len(chunk)
    took["download"] = time.perf_counter() - began
    grown = (process.memory_info().rss - before) / 1e6
    print({name: round(seconds, 3) for name, seconds in took.items()}, f"{pages} pages", f"{size / 1e6:.0f} MB", grown)  # noqa: T201  its figures
    assert took["tail=1000"] < 1
    assert took["OCP's answer"] < 3
    assert grown < 150
