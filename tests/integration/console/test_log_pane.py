"""The log pane as pages: at the end, around lines, searched and filtered, without a script; and as a stream of rows."""

import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio

from services.api.access import Role
from services.api.console import log_read, log_search
from services.api.rest.live import log_page
from shared.messages import subjects
from shared.runtime.clock import now
from shared.runtime.nats import api as jetstream
from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import INSTANCES, ServedApi, plan, served
from tests.support.nats_server import NatsServer
from tests.support.sse import events

pytestmark = pytest.mark.asyncio(loop_scope="module")
HTML = {"Accept": "text/html"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row as a reader sees it."""

    kind: str
    id: str
    text: str
    marked: tuple[str, ...]
    here: bool


def rows_of(text: str) -> list[Row]:
    """The rows in a piece of HTML."""
    found = []
    for attributes, body in re.findall(r"<li ([^>]*)>(.*?)</li>", text, re.DOTALL):
        kind, id_ = re.search(r'class="([^" ]+)', attributes), re.search(r'id="([^"]*)"', attributes)
        marked = tuple(html.unescape(one) for one in re.findall(r"<mark>(.*?)</mark>", body))
        shown = re.sub(r'<(?:a|span) class="(?:when|level)".*?</(?:a|span)>', "", body)
        plain = html.unescape(re.sub(r"<[^>]*>", "", shown))
        assert kind is not None
        found.append(Row(kind[1], id_[1] if id_ else "", plain, marked, "aria-current" in attributes))
    return found


class Pane:
    """The pane of one task's only subtask."""

    def __init__(self, api: ServedApi, task_id: int) -> None:
        self.api, self.task = api, task_id

    async def page(self, address: str = "", **params: Any) -> str:
        """The whole page, with these parameters or at this address."""
        path = address or f"/tasks/{self.task}"
        answer = await self.api.admin.get(path, params=params or None, headers=HTML)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def rows(self, address: str = "", **params: Any) -> list[Row]:
        """The rows on a page."""
        return rows_of(await self.page(address, **params))

    async def texts(self, address: str = "", **params: Any) -> list[str]:
        """What the lines on a page say."""
        return [row.text for row in await self.rows(address, **params) if row.id.startswith("L")]

    async def say(self, *lines: tuple[str, str], run: int = 1) -> None:
        """Store one batch."""
        shown = [{"t": now().timestamp(), "l": level, "m": text} for level, text in lines]
        head = {"v": 1, "generation": run, "attempt": run, "phase": "execute", "lines": shown}
        await self.api.logs.append(self.task, 1, json.dumps(head, separators=(",", ":")).encode())


def link(page: str, word: str) -> str:
    """Where a link with this text leads, without its fragment."""
    found = re.search(rf'<a [^>]*href="([^"#]*)[^>]*>{re.escape(word)}</a>', page)
    return html.unescape(found[1]) if found else ""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spoken(api: ServedApi) -> Pane:
    """A subtask that failed in its first run and runs for the second time; 600 lines a run."""
    pane = Pane(api, (await api.create(plan("copy")))["id"])
    for run in (1, 2):
        fence = await api.claim(pane.task, 1)
        for batch in range(60):
            numbers = range(batch * 10 + 1, batch * 10 + 11)
            lines = [("ERROR" if n % 300 == 0 else "WARN" if n % 100 == 0 else "INFO", f"{run}/{n}.") for n in numbers]
            await pane.say(*lines, run=run)
        if run == 1:
            failure = cmd.Failed(Problem(kind="EXIT_CODE", message="exit code 3"))
            await api.act(pane.task, cmd.Settle(1, fence, failure, now()))
            await api.admin.post(f"{INSTANCES}/{pane.task}/retry")
    return pane


async def test_it_opens_at_its_end_and_leads_to_its_beginning_and_back(spoken: Pane) -> None:
    """Pages of earlier lines join without a gap to the very first, and pages of later ones lead back."""
    whole = [f"{run}/{n}." for run in (1, 2) for n in range(1, 601)]
    page = await spoken.page()
    found = [row.text for row in rows_of(page) if row.id[:1] == "L"]
    assert found == whole[-log_read.SIZE :]
    steps = 0
    while address := link(page, "Earlier"):
        page = await spoken.page(address)
        found = [row.text for row in rows_of(page) if row.id[:1] == "L"] + found
        steps += 1
        assert 'class="log end"' in page  # it is read upwards, so it opens at its end without a script, too
    assert (found, steps) == (whole, 2)
    found = [row.text for row in rows_of(page) if row.id[:1] == "L"]
    while address := link(page, "Later"):
        page = await spoken.page(address)
        found += [row.text for row in rows_of(page) if row.id[:1] == "L"]
        assert 'class="log"' in page
    assert found == whole
    assert "data-follow" in page


async def test_runs_are_told_apart(spoken: Pane) -> None:
    """Where each begins and how it ended stands between the lines; one that goes on has no end yet."""
    between = [row.text for row in await spoken.rows(level="ERROR") if row.id[:1] != "L"]
    assert between == [
        "Attempt 1 on worker-1",
        "EXIT_CODE: exit code 3",
        f"Set state for subtask: {spoken.task}0001, operation:EXECUTE, state: FAILED",
        "Attempt 2 on worker-1",
    ]
    first = await spoken.rows(attempt="1", level="Alert")
    assert [row.text for row in first if row.id[:1] == "L"] == [f"1/{n}." for n in range(100, 601, 100)]
    assert [row.text for row in first if row.kind == "run"] == ["Attempt 1 on worker-1"]
    assert await spoken.texts(attempt="2", level="ERROR") == ["2/300.", "2/600."]
    for name in ("2", "2-2"):
        assert re.findall(r'aria-current="true">(\w+)</a>', await spoken.page(attempt=name)) == ["All", "2"]


async def test_a_line_can_be_sent_as_a_link(spoken: Pane) -> None:
    """Its address opens it among its neighbours, marked; so do filters, whose links keep to the task's page."""
    rows = await spoken.rows()
    there = next(row for row in rows if row.text == "2/250.")
    around = [row for row in await spoken.rows(line=there.id[1:]) if row.id[:1] == "L"]
    assert [row.text for row in around if row.here] == ["2/250."]
    assert [row.text for row in around] == [f"2/{n}." for n in range(50, 450)]
    gone = await spoken.page(line="1.1")
    assert "not there any more" in gone or rows_of(gone)


async def test_text_is_found_up_and_down_over_the_whole_log(spoken: Pane) -> None:
    """From the end upwards first; each hit leads to the one before or the next; where there is none, that is said."""
    page = await spoken.page(find="/7.", go="prev")
    assert [(row.text, row.marked) for row in rows_of(page) if row.here] == [("2/7.", ("/7.",))]
    at = next(row.id[1:] for row in rows_of(page) if row.here)
    page = await spoken.page(find="/7.", go="prev", line=at)
    assert [row.text for row in rows_of(page) if row.here] == ["1/7."]
    at = next(row.id[1:] for row in rows_of(page) if row.here)
    page = await spoken.page(find="/7.", go="prev", line=at)
    assert "No more before that line; this is the last." in page
    assert [row.text for row in rows_of(page) if row.here] == ["2/7."]
    page = await spoken.page(find="/7.", go="next", line=at)
    assert [row.text for row in rows_of(page) if row.here] == ["2/7."]
    assert f'name="line" value="{next(row.id[1:] for row in rows_of(page) if row.here)}"' in page
    assert "There is no “nowhere” in this log." in await spoken.page(find="nowhere", go="prev")
    assert [row.text for row in await spoken.rows(find="/7.", go="next") if row.here] == ["1/7."]


async def test_errors_are_jumped_to_one_by_one(spoken: Pane) -> None:
    """The first of the log or of the attempt that is chosen, then the next one, until there is no more."""
    page = await spoken.page()
    seen = []
    for _ in range(4):
        page = await spoken.page(link(page, "First error") or link(page, "Next error"))
        seen += [row.text for row in rows_of(page) if row.here]
    assert seen == ["1/300.", "1/600.", "2/300.", "2/600."]
    page = await spoken.page(link(page, "Next error"))
    assert "No more behind that line; this is the first." in page
    assert [row.text for row in rows_of(page) if row.here] == ["1/300."]
    assert "There is no line of level ERROR in this log." in await spoken.page(go="error", level="Alert", attempt="9-9")
    assert [row.text for row in await spoken.rows(attempt="2", go="error") if row.here] == ["2/300."]


async def test_a_long_search_goes_on_by_hand(spoken: Pane, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads so much and no more, says so, and its link finds what lies behind."""
    monkeypatch.setattr(log_page, "BUDGET", 500)
    monkeypatch.setattr(log_search, "ROUNDS", 1)
    page, steps = await spoken.page(find="1/9.", go="prev"), 0
    while address := link(page, "Search on"):
        assert "Nothing found so far" in page
        page, steps = await spoken.page(address), steps + 1
    assert [row.text for row in rows_of(page) if row.here] == ["1/9."]
    assert steps > 0


async def test_what_makes_no_sense_is_refused(spoken: Pane) -> None:
    """400 for each parameter that cannot be understood; 404 for what the caller may not see."""
    for name in ("level", "line", "earlier", "later", "go", "attempt", "zone"):
        answer = await spoken.api.admin.get(f"/tasks/{spoken.task}", params={name: "no such thing!"}, headers=HTML)
        assert (answer.status_code, name in answer.text) == (400, True)
    red = await spoken.api.bearer(Role.TASK_VIEWER, teams=frozenset({"red"}), name="log-red")
    about: dict[str, Any] = {"task": spoken.task, "subtask": 1}
    assert (await red.get("/live/log", params=about)).status_code == 404
    wrongs: tuple[dict[str, Any], ...] = ({"task": spoken.task}, {**about, "after": "x"}, {**about, "after": "1.1~x"})
    for wrong in wrongs:
        assert (await spoken.api.admin.get("/live/log", params=wrong)).status_code == 400
    assert (await spoken.api.admin.get("/live/log", params={**about, "subtask": 9})).status_code == 404


async def test_times_wrap_and_download_are_the_readers_choice(spoken: Pane) -> None:
    """A zone by name or offset; long lines on one line each; the file has what is chosen."""
    page = await spoken.page(zone="+05:30", wrap="off", level="Alert", attempt="2")
    assert "+05:30" in page
    assert 'class="log end long"' in page
    answer = await spoken.api.admin.get(link(page, "Download"))
    assert re.findall(r"\w+ \d/\d+\.", answer.text) == [
        f"{'ERROR' if n % 300 == 0 else 'WARN'} 2/{n}." for n in range(100, 601, 100)
    ]


async def test_what_is_printed_can_do_no_harm(api: ServedApi) -> None:
    """Markup is text, whether it is found or not."""
    pane = Pane(api, (await api.create(plan("a")))["id"])
    evil = "</li><script>alert(1)</script><img src=x onerror=alert(1)>&lt;"
    await pane.say(("INFO", evil), ("<b>", "x"))
    for params in ({}, {"find": "<script>"}):
        page = await pane.page(**params)
        assert "<script>alert" not in page
        assert "<img" not in page
        assert [row.text for row in rows_of(page)] == ["Lines of run 1-1", evil, "x"]
    assert 'class="<b>' not in page


async def test_nothing_printed_is_said(api: ServedApi) -> None:
    """An empty log is no empty pane."""
    pane = Pane(api, (await api.create(plan("a")))["id"])
    assert [(row.kind, row.text) for row in await pane.rows()] == [("none", "Nothing was printed.")]


async def test_the_past_has_the_log_of_then(api: ServedApi) -> None:
    """What was printed and how runs had ended up to there, and nothing comes behind it."""
    pane = Pane(api, (await api.create(plan("a")))["id"])
    fence = await api.claim(pane.task, 1)
    await pane.say(("INFO", "one"))
    failure = cmd.Failed(Problem(kind="EXIT_CODE", message="exit code 3"))
    then = await api.act(pane.task, cmd.Settle(1, fence, failure, now()))
    await api.admin.post(f"{INSTANCES}/{pane.task}/retry")
    await api.claim(pane.task, 1)
    await pane.say(("INFO", "two"), run=2)
    page = await pane.page(at=then)
    assert [row.text for row in rows_of(page)] == [
        "Attempt 1 on worker-1",
        "one",
        "EXIT_CODE: exit code 3",
        f"Set state for subtask: {pane.task}0001, operation:EXECUTE, state: FAILED",
    ]
    assert "data-follow" not in page
    assert "two" in await pane.texts()


async def test_what_is_gone_is_said(nats_server: NatsServer, tmp_path: Path) -> None:
    """Lines that may have expired, and a log that cannot be read: the page is there and says so."""
    async with served(nats_server.url, f"sqlite:///{tmp_path}/view.db") as api:
        pane = Pane(api, (await api.create(plan("a")))["id"])
        await api.claim(pane.task, 1)
        await pane.say(("INFO", "old"))
        await jetstream(api.nats, f"STREAM.PURGE.{subjects.LOGS}")
        await pane.say(("INFO", "new"))
        said = [row.text for row in await pane.rows()]
        assert (said[0], said[2:]) == ("Attempt 1 on worker-1", ["new"])
        assert "may be missing here" in said[1]
        await jetstream(api.nats, f"STREAM.DELETE.{subjects.LOGS}")
        page = await pane.page()
        assert "The log cannot be read now" in page
        assert rows_of(page) == []


@asynccontextmanager
async def following(pane: Pane, page: str, last_id: str = "") -> AsyncIterator[Any]:
    """The stream that a page names."""
    found = re.search(r'data-follow="([^"]*)"', page)
    assert found is not None
    parts = urlsplit(html.unescape(found[1]))
    async with events(pane.api.admin, parts.path, last_id=last_id, **dict(parse_qsl(parts.query))) as reading:
        yield reading


async def test_following_shows_what_a_fresh_page_would(api: ServedApi) -> None:
    """Rows that come one after the other, over reconnects anywhere, are those of a page that is drawn at the end."""
    pane = Pane(api, (await api.create(plan("a")))["id"])
    page = await pane.page()
    seen: list[Row] = []
    last = ""

    async def take(upto: str) -> None:
        nonlocal last
        async with following(pane, page, last) as reading:
            while upto not in {row.text for row in seen}:
                seen.extend(rows_of((await reading.next("lines")).data["html"]))
            last = reading.last_id or last

    fence = await api.claim(pane.task, 1)
    await take("Attempt 1 on worker-1")
    await pane.say(("INFO", "one"), ("WARN", "two"))
    await take("two")
    await pane.say(("INFO", "three"))
    failure = cmd.Failed(Problem(kind="EXIT_CODE", message="exit code 3"))
    await api.act(pane.task, cmd.Settle(1, fence, failure, now()))
    await take("EXIT_CODE: exit code 3")
    await api.admin.post(f"{INSTANCES}/{pane.task}/retry")
    await api.claim(pane.task, 1)
    await pane.say(("INFO", "four"), run=2)
    await take("four")
    await pane.say(("INFO", "five"), run=2)
    await take("five")
    assert seen == await pane.rows()
    assert [row.text for row in seen if row.id[:1] == "L"] == ["one", "two", "three", "four", "five"]


async def test_a_flood_is_not_followed_line_by_line(api: ServedApi) -> None:
    """Who is far behind is shown the end, and told that lines are left out; all of them stay on the pages."""
    pane = Pane(api, (await api.create(plan("a")))["id"])
    page = await pane.page()
    for batch in range(20):
        await pane.say(*[("INFO", f"{batch * 250 + n}") for n in range(250)])
    seen: list[Row] = []
    async with following(pane, page) as reading:
        while not seen or seen[-1].text != "4999":
            seen += rows_of((await reading.next("lines")).data["html"])
    numbers = [int(row.text) for row in seen if row.id[:1] == "L"]
    assert numbers == sorted(set(numbers))
    assert len(numbers) < 5000
    assert [row.text for row in seen if "left out" in row.text]
