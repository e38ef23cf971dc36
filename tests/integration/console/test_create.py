"""Creating tasks by form: the same checks, the same task as REST makes; nothing twice, nothing by accident."""

import json
import re
from html import unescape
from typing import Any

import pytest
from nats.aio.msg import Msg

from services.api.access import Role
from shared.messages import subjects
from shared.messages.foresee import Outlook, Wish
from shared.store.kv import Bucket
from shared.task.plan import PlannedSubtask, TypeCard
from tests.integration.api.harness import INSTANCES, ServedApi, plan
from tests.integration.console.signed import Person, with_user
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

HARD = {
    "type": "object",
    "properties": {
        "who": {"type": "string", "minLength": 1, "description": "Whom to greet: <b>everybody</b>."},
        "times": {"type": "integer", "minimum": 1, "default": 1},
        "pool": {"anyOf": [{"type": "string", "pattern": "^[a-z]+$"}, {"type": "null"}], "default": None},
        "steps": {
            "type": "array",
            "items": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
        },
        "free": {},
    },
    "required": ["who"],
    "additionalProperties": False,
}
"""What a type's author may ask for."""
HELLO = PlannedSubtask(
    key="a", name="Say <hello>", operation="greet", timeout_s=1, pool="default", delivery="at_least_once"
)
OUTLOOK = Outlook(total=1, subtasks=(HELLO,))


async def offer(api: ServedApi, name: str, **more: Any) -> str:
    """Announce a type as an executor would; return its name."""
    card = TypeCard(name=name, params_schema=HARD, **more)
    await Bucket(api.nats, subjects.CATALOG).put(f"type/{name}/default", card.model_dump_json().encode())
    await eventually(lambda: name in api.gate._app.state.api.catalog.types if hasattr(api.gate, "_app") else True)
    return name


def value(text: str, name: str) -> str:
    """What stands in a field of this name."""
    box = re.search(rf'<input[^>]*name="{re.escape(name)}" value="([^"]*)"', text)
    area = re.search(rf'<textarea[^>]*name="{re.escape(name)}"[^>]*>\n(.*?)</textarea>', text, re.DOTALL)
    found = box or area
    assert found is not None, f"no field {name}"
    return unescape(found[1])


def error(text: str, name: str) -> str:
    """What stands beside a field as wrong, empty for nothing."""
    found = re.search(rf'id="{re.escape(name)}-error"><span aria-hidden="true">✕</span> ([^<]*)', text)
    return unescape(found[1]) if found is not None else ""


async def count(api: ServedApi, name: str) -> int:
    """How many tasks of this name there are."""
    answer = await api.admin.get(INSTANCES, params={"name": name, "min_seq": await api.last_seq()})
    return int(answer.json()["data"]["page"]["totalElements"])


async def test_a_form_creates_what_it_says(api: ServedApi) -> None:
    """Parameters, name, object and labels, and the audit knows that the console was the door."""
    name = await offer(api, "hard.form")
    async with Person(api) as person:
        made = await person.post(
            f"/create/{name}",
            **{
                "do": "create", "key": "form-1", "/params/who": "ada", "/params/times": "3", "/params/steps": "1",
                "/params/steps/0/word": "hi", "/params/free": '{"a": [1, null]}', "/name": "by form",
                "/object/kind": "host", "/object/name": "db-17", "/labels": "stage = prod", "/labels/team": "red",
            },
        )  # fmt: skip

    assert made.status_code == 303, made.text
    task = (await api.admin.get(f"/api/v2{made.headers['location'].replace('tasks', 'tasks/instances')}")).json()[
        "data"
    ]
    assert task["name"] == "by form"
    stored = await api.log.load(task["id"])
    assert stored is not None
    assert stored.params == {"who": "ada", "times": 3, "steps": [{"word": "hi"}], "free": {"a": [1, None]}}
    assert stored.labels == {"stage": "prod", "team": "red"}
    assert stored.object is not None
    assert (stored.object.kind, stored.object.name) == ("host", "db-17")
    assert (stored.creator.name, stored.creator.via) == ("admin", "console")


async def test_what_is_wrong_lies_beside_its_field_and_nothing_typed_is_lost(api: ServedApi) -> None:
    """Every fault at once, in words, linked from the head of the page; nothing is created."""
    name = await offer(api, "hard.wrong")
    async with Person(api) as person:
        answer = await person.post(
            f"/create/{name}",
            **{
                "do": "create", "/params/times": "often", "/params/pool": "NOT <b>", "/params/steps": "1",
                "/params/free": "{", "/name": "wrong",
            },
        )  # fmt: skip
        again = await person.post(
            f"/create/{name}",
            **{"do": "create", "/params/times": "often", "/params/pool": "NOT <b>", "/params/steps": "1"},
        )

    assert (answer.status_code, again.status_code) == (422, 422)
    assert "not JSON" in error(answer.text, "/params/free"), "what cannot be read comes first"
    assert error(again.text, "/params/who") == "This is needed."
    assert error(again.text, "/params/times") == "This is not a whole number."
    assert error(again.text, "/params/pool") == "This is not of the form that is needed: ^[a-z]+$."
    assert error(again.text, "/params/steps/0/word") == "This is needed."
    assert '<a href="#/params/who">Who</a>' in again.text
    assert [value(again.text, f"/params/{one}") for one in ("times", "pool")] == ["often", "NOT <b>"]
    assert value(answer.text, "/params/free") == "{"
    assert "<b>" not in re.sub(r"</?b>(?=[A-Z])|</b>", "", answer.text), "what people write is text"
    assert await count(api, "wrong") == 0


async def test_a_double_click_creates_one_task(api: ServedApi) -> None:
    """The key in the form names the task; sent with other contents it is said so, and a new key is given."""
    async with Person(api) as person:
        fields = {"do": "create", "key": "twice", "/params/name": "ada", "/name": "only once"}
        first, second = [await person.post("/create/greeting", **fields) for _ in range(2)]
        other = await person.post("/create/greeting", **{**fields, "/params/name": "bob"})

    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert await count(api, "only once") == 1
    assert other.status_code == 409
    assert "was sent before" in other.text
    assert value(other.text, "key") != "twice"


async def test_a_preview_stores_nothing(api: ServedApi) -> None:
    """A plan is drawn; a type that no executor of this test can plan says so in words."""
    before = await api.last_seq()
    body = json.dumps(plan("first", "second")["plan"])
    async with Person(api) as person:
        drawn = await person.post("/create/plan", **{"do": "preview", "/plan": body})
        told = await person.post("/create/greeting", **{"do": "preview", "/params/name": "ada"})

    assert drawn.status_code == told.status_code == 200
    assert drawn.text.count("<rect") == 2
    assert "2 subtasks in pool default" in drawn.text
    assert "No executor of pool default answers now" in told.text
    assert await api.last_seq() == before


async def test_an_executor_of_the_pool_is_asked_for_the_plan(api: ServedApi) -> None:
    """One that does not have the type is passed over; what it would refuse is shown, and nothing can be clicked.

    A dry run over REST tells the same.
    """
    asked: list[Wish] = []
    answers = [Outlook(known=False), OUTLOOK, Outlook(refused="No room <b>here</b>."), OUTLOOK]

    async def answer(message: Msg) -> None:
        asked.append(Wish.model_validate_json(message.data))
        await message.respond(answers[len(asked) - 1].encode())

    served = await api.nats.subscribe("foresee.default", queue="executors", cb=answer)
    try:
        async with Person(api) as person:
            drawn = await person.post("/create/greeting", **{"do": "preview", "/params/name": "ada"})
            refused = await person.post("/create/greeting", **{"do": "preview", "/params/name": "ada"})
        body = {"type": "greeting", "params": {"name": "ada"}}
        dry = await api.admin.post(INSTANCES, json=body, params={"dry_run": "true"})
    finally:
        await served.unsubscribe()

    assert asked == [Wish(type="greeting", params={"name": "ada"})] * 4
    assert "Say &lt;hello&gt;" in drawn.text
    assert drawn.text.count("<rect") == 1
    assert "it would fail at once: No room &lt;b&gt;here" in refused.text
    assert "Create it" not in refused.text
    step = {"key": "a", "name": "Say <hello>", "operation": "greet", "pool": "default", "upstreams": []}
    assert dry.json()["data"]["plan"] == {"total": 1, "concurrency": 10, "subtasks": [step]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "paste a plan"),
        ("{", "not JSON"),
        ("[]", "valid dictionary"),
        ('{"subtasks": []}', "1 to 5000 subtasks"),
        ('{"subtasks": [{"key": "a", "operation": "gone"}]}', "No executor offers operation"),
        ('{"subtasks": [{"key": "a", "operation": "noop", "upstreams": ["a"]}]}', "names itself as upstream"),
        ('{"subtasks": [{"key": "a", "operation": "noop", "color": 1}]}', "subtasks/0/color"),
    ],
)
async def test_a_pasted_plan_that_is_none_is_explained(api: ServedApi, text: str, said: str) -> None:
    """Beside the box it was pasted into, and the text stays."""
    async with Person(api) as person:
        answer = await person.post("/create/plan", **{"do": "create", "/plan": text})

    assert answer.status_code == 422
    assert said.lower() in error(answer.text, "/plan").lower()
    assert value(answer.text, "/plan") == text


async def test_another_one_like_this(api: ServedApi) -> None:
    """Of a type: its parameters and labels. Of a plan: the plan as somebody would write it."""
    typed = await api.create({"type": "greeting", "params": {"name": "ada"}, "labels": {"stage": "test"}})
    nodes = [
        {"key": "a", "operation": "noop"},
        {"key": "b", "operation": "greet", "params": {"name": "x"}, "upstreams": ["a"]},
    ]
    planned = await api.create({"name": "mine", "plan": {"subtasks": nodes, "concurrency": 3}})
    async with Person(api) as person:
        form = (await person.get(f"/create/greeting?like={typed['id']}")).text
        pasted = (await person.get(f"/create/plan?like={planned['id']}")).text
        wrong = await person.get(f"/create/plan?like={typed['id']}")
        nowhere = await person.get("/create/greeting?like=99999")
        nonsense = await person.get("/create/greeting?like=x")

    assert value(form, "/params/name") == "ada"
    assert value(form, "/labels") == "stage = test"
    assert json.loads(value(pasted, "/plan")) == {"subtasks": nodes, "concurrency": 3}
    assert value(pasted, "/name") == "mine"
    assert [one.status_code for one in (wrong, nowhere, nonsense)] == [404, 404, 400]


async def test_an_address_can_fill_a_form_in(api: ServedApi) -> None:
    """So a runbook can link to it; what the form does not have is left out."""
    async with Person(api) as person:
        page = (await person.get("/create/greeting?/params/name=a%3Cb%3E&/params/gone=1&key=mine")).text

    assert value(page, "/params/name") == "a<b>"
    assert 'name="/params/gone"' not in page
    assert value(page, "key") != "mine"


async def test_who_sees_some_teams_creates_for_one_of_them(api: ServedApi) -> None:
    """With one team it is chosen already; another one's is refused beside the field, and `like` sees none."""
    foreign = await api.create({"type": "greeting", "params": {"name": "ada"}, "labels": {"team": "green"}})
    async with await with_user(api, "red-manager", Role.TASK_MANAGER, ["red"]) as red:
        blank = (await red.get("/create/greeting")).text
        made = await red.post("/create/greeting", **{"do": "create", "/params/name": "x", "/labels/team": "red"})
        refused = await red.post("/create/greeting", **{"do": "create", "/params/name": "x", "/labels/team": "green"})
        hidden = await red.get(f"/create/greeting?like={foreign['id']}")

    assert re.search(r'<option value="red" selected>', blank)
    assert made.status_code == 303
    assert (refused.status_code, "a team of yours" in error(refused.text, "/labels/team")) == (422, True)
    assert hidden.status_code == 404


async def test_a_request_names_one_of_the_standing_tasks(api: ServedApi) -> None:
    """Those that run are offered by name; without one the form says so."""
    await offer(api, "stands", standing=True)
    await offer(api, "asks", child_of="stands")
    standing = await api.create({"type": "stands", "params": {"who": "nightly"}, "name": "the nightly one"})
    async with Person(api) as person:
        blank = (await person.get("/create/asks")).text
        none = await person.post("/create/asks", **{"do": "create", "/params/who": "x"})

    assert f'<option value="{standing["id"]}">{standing["id"]} · the nightly one</option>' in blank
    assert (none.status_code, "parent" in error(none.text, "/parent")) == (422, True)


async def test_types_are_found_by_their_words(api: ServedApi) -> None:
    """In name or description; a type that nobody offers is 404."""
    await offer(api, "findable", description="Mends <i>things</i>.")
    async with Person(api) as person:
        found = (await person.get("/create?q=mends")).text
        gone = await person.get("/create/no.such.type")

    assert 'href="/create/findable"' in found
    assert 'href="/create/greeting"' not in found
    assert "<i>" not in found
    assert gone.status_code == 404


async def test_buttons_change_the_form_and_create_nothing(api: ServedApi) -> None:
    """A row more, a row less, JSON and back: each answer is the form again."""
    name = await offer(api, "hard.rows")
    async with Person(api) as person:
        one = await person.post(
            f"/create/{name}", **{"do": "add:/params/steps", "/params/steps": "0", "/params/who": "a"}
        )
        none = await person.post(
            f"/create/{name}", **{"do": "remove:/params/steps/0", "/params/steps": "1", "/params/steps/0/word": "x"}
        )
        raw = await person.post(f"/create/{name}", **{"do": "json", "/params/who": "a", "/params/times": "2"})
        back = await person.post(f"/create/{name}", **{"do": "fields", "as": "json", "/params": '{"who": "b"}'})

    assert value(one.text, "/params/steps/0/word") == ""
    assert 'name="/params/steps/0/word"' not in none.text
    assert json.loads(value(raw.text, "/params")) == {"who": "a", "times": 2}
    assert value(back.text, "/params/who") == "b"
