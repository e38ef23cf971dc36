"""The lists of a running API: what a search finds, its numbers, its order and its pages, in three systems' words."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from services.api.access import Role
from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import INSTANCES, ServedApi, plan
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
HTML = {"Accept": "text/html"}
BAD = cmd.Failed(Problem(kind="EXIT", message="disk is full\nin three lines\n<script>alert(1)</script>"))
NASTY = (
    *("\0", '"', "::", ":", "a:" * 200, "😀", "'; drop table tasks --", "%", "<b>", "\u202e", "x" * 5000),
    *("label:", "since:99999999999999999w", "id:" + "9" * 40, "id:" + ",".join("7" * 99), "parent:-1"),
    *("until:0000-00-00", "since:2h until:1970-01-01", "state:failed status:successful", "by:me by:you"),
    *("id", "name,up"),
)
"""What addresses may hold when somebody edits them."""
_numbers = iter(range(1, 10_000))


async def listed(api: ServedApi, path: str = "/tasks", client: httpx2.AsyncClient | None = None, **query: Any) -> str:
    """A list's page once the view has seen everything."""
    query.setdefault("min_seq", await api.last_seq())
    answer = await (client or api.admin).get(path, params=query, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def ids(text: str) -> list[int]:
    """The tasks that a page shows."""
    return [int(found) for found in re.findall(r'<tr id="task-(\d+)"', text)]


def chips(text: str) -> dict[str, str | None]:
    """The states above a list, with their numbers."""
    nav = text[text.index('id="chips"') : text.index("</nav>", text.index('id="chips"'))]
    found = re.findall(r'<a class="chip"[^>]*>([^<]+?)(?: <b[^>]*>([^<]*)</b>)?</a>', nav)
    return {word: count or None for word, count in found}


def link(text: str, rel: str) -> dict[str, list[str]]:
    """What the link of this relation asks for."""
    found = re.search(rf'rel="{rel}" href="([^"]*)"', text)
    assert found is not None, f"no link to {rel}"
    return parse_qs(urlsplit(unescape(found[1])).query)


async def some(api: ServedApi, *, good: int = 0, bad: int = 0, **more: Any) -> tuple[str, list[int]]:
    """So many tasks under a label that nobody else has, the good ones first; what finds them, and their ids."""
    mark = f"m{next(_numbers)}"
    more = {"labels": {"mark": mark, **more.pop("labels", {})}, **more}
    made = [(await api.create(plan("a", **more)))["id"] for _ in range(good + bad)]
    for place, task_id in enumerate(made):
        await api.finish(task_id, 1, BAD if place >= good else None)
    return f"label:mark={mark}", made


# ---- what is found --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("q", "rest"),
    [
        ("state:failed", {"state": "FAILED"}),
        ("name:left", {"name": "left"}),
        ("object:host/db-9", {"objectKind": "host", "objectName": "db-9"}),
        ("by:me since:1h", {"operator": "admin", "since": "1h"}),
        ("left", {"text": "left"}),
        ("state:cancelled", {"state": "CANCELLED"}),
        ("type:nothing", {"taskType": "nothing"}),
    ],
)
async def test_page_and_api_find_the_same(api: ServedApi, q: str, rest: dict[str, str]) -> None:
    """In the same order: the page asks by the API's own functions."""
    await some(api, good=1, bad=1, name=f"left {next(_numbers)}", object={"kind": "host", "name": "db-91"})
    seq = await api.last_seq()
    answer = await api.admin.get(INSTANCES, params={**rest, "size": 50, "min_seq": seq})
    found = [task["id"] for task in answer.json()["data"]["contents"]]
    assert ids(await listed(api, q=q, min_seq=seq)) == found


async def test_a_row_shows_the_last_error_in_one_line(api: ServedApi) -> None:
    """The first line of it, as text."""
    search, _ = await some(api, bad=1)
    text = await listed(api, q=search)
    assert ">a: disk is full</span>" in text
    assert "in three lines" not in text
    assert "<script>alert" not in text


async def test_the_numbers_are_those_of_the_search(api: ServedApi) -> None:
    """Whatever state it names: the other chips say what one would find there."""
    search, _ = await some(api, good=2, bad=1)
    here = chips(await listed(api, q=f"state:failed {search} by:admin"))
    assert (here["All"], here["Failed"], here["Successful"], here["Running"]) == ("3", "1", "2", "0")
    words = chips(await listed(api, q=f"{search} disk"))
    assert words["All"] is None, "counting what words leave would cost a search"


async def test_numbers_of_all_are_those_that_the_api_tells(api: ServedApi) -> None:
    """Without a search they are the view's own."""
    await some(api, good=1)
    told = (await api.admin.get("/api/v2/tasks/counts", params={"min_seq": await api.last_seq()})).json()["data"]
    here = chips(await listed(api))
    assert here["All"] == f"{told['total']:,}"
    assert here["Successful"] == f"{told['states']['SUCCESSFUL']:,}"


@pytest.mark.parametrize(
    ("q", "said"),
    [
        ("sate:failed", "no qualifier sate. Did you mean state:?"),
        ("state:fialed", "state: has words of"),
        ("since:yesterday", "since: is a time in ISO-8601"),
        ("parent:x", "parent: is a whole number"),
        ('name:"open', "not closed"),
    ],
)
async def test_what_is_not_understood_is_said_in_the_words_that_were_typed(api: ServedApi, q: str, said: str) -> None:
    """It is said where it was typed, which is kept, and nothing is listed as if it had been found."""
    text = await listed(api, q=q)
    problem = re.search(r'role="alert" id="problem">([^<]*)<', text)
    assert problem is not None
    assert said in unescape(problem[1])
    assert f'value="{q}"' in unescape(text).replace("&#34;", '"')
    assert ids(text) == []


@pytest.mark.parametrize("name", ["q", "sort", "cursor", "cols"])
async def test_no_address_breaks_a_list(api: ServedApi, name: str) -> None:
    """Whatever stands in it, there is a page with the search field, which says what is wrong."""
    for path in ("/tasks", "/oms", "/odc"):
        for value in NASTY:
            answer = await api.admin.get(path, params={name: value}, headers=HTML)
            assert answer.status_code == 200, f"{path} {name}={value!r}: {answer.status_code} {answer.text[:300]}"
            assert 'id="q"' in answer.text


async def test_an_address_with_a_broken_cursor_leads_back(api: ServedApi) -> None:
    """Somebody cut the link short: the page says so instead of failing."""
    text = await listed(api, cursor="nonsense")
    assert "Go back to the first page" in text
    assert "cursor" not in link(text, "first")


async def test_a_type_that_nobody_offers_is_guessed_at(api: ServedApi) -> None:
    """Nothing fits, and the page says what may have been meant."""
    text = await listed(api, q="type:greting")
    assert "Did you mean type:greeting?" in text
    assert "No task fits." in text


async def test_a_number_is_a_task_of_that_number(api: ServedApi) -> None:
    """Whoever pastes one from a ticket gets there, unless the task is another team's."""
    task_id = (await api.create(plan("a", name="from a ticket", labels={"team": "red"})))["id"]
    for q in (str(task_id), f"#{task_id}"):
        assert f'<a href="/tasks/{task_id}">{task_id}: from a ticket</a>' in await listed(api, q=q)
    client = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"blue"}), name="bert")
    assert "from a ticket" not in await listed(api, client=client, q=str(task_id))


async def test_suggestions_are_there_without_a_script(api: ServedApi) -> None:
    """As options of the search field, each going on from what is searched for."""
    text = await listed(api, q="by:me")
    assert '<option value="by:me state:failed"></option>' in text
    assert '<option value="by:me type:greeting"></option>' in text


# ---- order, pages, columns ------------------------------------------------------------------------------------


async def test_pages_have_every_task_once_while_new_ones_come(api: ServedApi) -> None:
    """Older ones follow by a cursor; a link leads back to the newest."""
    search, made = await some(api, good=1, labels={"many": "yes"})
    mark = search.partition("=")[2]
    made += [(await api.create(plan("a", labels={"mark": mark})))["id"] for _ in range(59)]
    first = await listed(api, q=search)
    await api.create(plan("a", labels={"mark": mark}))
    older = link(first, "next")
    second = await listed(api, q=search, cursor=older["cursor"][0])
    assert ids(first) + ids(second) == made[::-1]
    assert "1 to 50 of 60" in first
    assert "51 to 60 of 61" in second
    assert older["q"] == [search]
    assert "cursor" not in link(second, "first")


async def test_heads_sort_and_sort_back(api: ServedApi) -> None:
    """A head leads to the list sorted by it, and says how it is sorted; the search stays."""
    mark = f"m{next(_numbers)}"
    made = [
        (await api.create(plan("a", name=name, labels={"mark": mark})))["id"] for name in ("pear", "apple", "quince")
    ]
    text = await listed(api, q=f"label:mark={mark}")
    assert 'href="/tasks?' in text
    assert ids(text) == made[::-1]
    by_name = await listed(api, q=f"label:mark={mark}", sort="name,asc")
    assert ids(by_name) == [made[1], made[0], made[2]]
    head = re.search(r'<th class="wide" aria-sort="ascending"><a href="([^"]*)">Name', by_name)
    assert head is not None
    assert parse_qs(urlsplit(unescape(head[1])).query)["sort"] == ["name,desc"]


async def test_columns_are_those_of_the_address(api: ServedApi) -> None:
    """Chosen by a form that keeps the search; the choice is part of the link."""
    search, _ = await some(api, good=1, labels={"stage": "prod"})
    text = await listed(api, q=search, cols=["id", "labels"])
    heads = re.findall(r"<th [^>]*>(?:<a [^>]*>)?([A-Z][A-Za-z]+)", text)
    assert heads == ["ID", "Labels"]
    assert "stage=prod" in text
    assert 'name="q" value="' in text[text.index("<legend>Columns") - 400 :]


# ---- the form -------------------------------------------------------------------------------------------------


async def test_the_form_makes_a_search(api: ServedApi) -> None:
    """Several criteria at once, and what they make is what the search box says and fills the form again."""
    words = {"name": "Disks of db", "label": "a=b c=d", "since": "24h", "text": "left", "type": ""}
    params = {"look": "/tasks", "state": ["failed", "running"], **words, "sort": "name,asc"}
    answer = await api.admin.get("/tasks/search", params=params)
    assert answer.status_code == 303
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["q"] == ['state:failed,running name:"Disks of db" label:a=b label:c=d since:24h left']
    assert asked["sort"] == ["name,asc"]
    text = await listed(api, q=asked["q"][0])
    assert 'name="name" value="Disks of db"' in text
    assert 'name="label" value="a=b c=d"' in text
    assert '<option value="24h" selected>' in text
    assert 'name="state" value="running" checked' in text


# ---- the words of the source systems --------------------------------------------------------------------------


async def test_oms_columns_and_words(api: ServedApi) -> None:
    """ID, type, operator, object, times and status; a cancelled task is one that failed there (specification §5)."""
    search, (good, bad) = await some(api, good=1, bad=1, object={"kind": "host", "name": "db-5"})
    text = await listed(api, "/oms", q=f"status:failed {search}")
    heads = re.findall(r"<th [^>]*>(?:<a [^>]*>)?([A-Z][A-Za-z ]+)", text)
    assert [head.strip() for head in heads] == [
        "ID", "Task Type", "Operator", "Object", "Creation Time", "Completion Time", "Status", "Operation",
    ]  # fmt: skip
    assert ids(text) == [bad]
    assert f'href="/tasks/{bad}/retry" data-dialog' in text
    assert set(chips(text)) == {"All", "Ready", "In Progress", "Successful", "Failed"}
    assert ids(await listed(api, "/oms", q=f"status:successful {search}")) == [good]


async def test_odc_shows_its_own_tasks_alone(api: ServedApi) -> None:
    """Scripts and mock data; a search for another type finds nothing there, and its words are ODC's."""
    search, _ = await some(api, good=1)
    text = await listed(api, "/odc", q=search)
    assert ids(text) == []
    assert {"Preparing", "Running", "Completed", "Failed", "Aborted"} < set(chips(text))
    assert ids(await listed(api, "/odc", q="type:greeting")) == []
    assert "status: has words of" in unescape(await listed(api, "/odc", q="status:in_progress"))


# ---- who sees what --------------------------------------------------------------------------------------------


async def test_a_team_sees_and_counts_its_own(api: ServedApi) -> None:
    """Rows, numbers and what is shown in all."""
    mark = f"m{next(_numbers)}"
    mine, _ = [(await api.create(plan("a", labels={"mark": mark, "team": team})))["id"] for team in ("green", "red")]
    client = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"green"}), name="gina")
    text = await listed(api, client=client, q=f"label:mark={mark}")
    assert ids(text) == [mine]
    assert chips(text)["All"] == "1"
    assert "Select task" not in text, "a viewer has nothing to do with ticked tasks"


async def test_a_list_shows_what_its_reader_has_just_done(api: ServedApi) -> None:
    """Without `min_seq`: who creates a task and opens the list finds it there."""
    search, (task_id,) = await some(api, good=1)

    async def there() -> bool:
        return ids((await api.admin.get("/tasks", params={"q": search}, headers=HTML)).text) == [task_id]

    await eventually(there, what="the task is in the list")
