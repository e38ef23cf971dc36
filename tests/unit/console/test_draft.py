"""A task about to be created: rows come and go, parameters turn to JSON and back, faults lie beside their fields."""

import json
from typing import Any

from services.api.catalog import Schema
from services.api.console.create_draft import Draft
from services.api.console.inputs import Input
from services.api.invalid import Fault, pointer
from services.executor.catalog import discover
from shared.task.plan import TypeCard

CARDS = {card.name: card for card in discover().type_cards("default")}
MOCK = {"connection": "db", "tables": [{"table": name, "total": 7} for name in ("a", "b", "c")]}


def draft(name: str, params: dict[str, Any] | None = None, **more: Any) -> Draft:
    """A draft of an installed type, filled in."""
    found = Draft(CARDS[name], {}, **more)
    found.fill({"params": params or {}})
    return found


def faults(card: TypeCard, params: dict[str, Any]) -> list[Fault]:
    """What the API would say of these parameters."""
    return [Fault(pointer(["params", *path]), said) for path, said in Schema("it", card.params_schema).errors(params)]


def every(inputs: Any) -> list[Input]:
    """All controls, those within others too."""
    return [found for one in inputs for found in (one, *every((*one.inside, *one.more, *one.rows)))]


def test_a_row_is_added_at_the_end_and_any_can_be_removed() -> None:
    """Those behind a removed row move up, with all that was typed."""
    made = draft("data.mock", MOCK)

    made.add("/params/tables")
    made.texts["/params/tables/3/table"] = "d"
    made.remove("/params/tables/1")

    tables = made.body()[0]["params"]["tables"]
    assert [table["table"] for table in tables] == ["a", "c", "d"]
    assert tables[1]["total"] == 7
    assert "total" not in tables[2], "a new row has its defaults"


def test_what_is_no_list_is_neither_added_to_nor_removed_from() -> None:
    """A button that nobody of ours drew changes nothing."""
    made = draft("data.mock", MOCK)
    before = dict(made.texts)

    for name in ("/params/connection", "/params/nothing", ""):
        made.add(name)
    for name in ("/params/tables/9", "/params/tables/x", "/params/connection", ""):
        made.remove(name)

    assert made.texts == before


def test_parameters_turn_to_json_and_back() -> None:
    """Nothing that was typed is lost on the way."""
    made = draft("data.mock", MOCK)

    made.switch(as_json=True)
    written = json.loads(made.texts["/params"])
    made.switch(as_json=False)

    assert written == MOCK
    assert made.body()[0]["params"] == MOCK


def test_json_that_cannot_be_read_stays_as_it_was_typed() -> None:
    """And is not swapped for an empty form."""
    made = draft("data.mock", as_json=True)
    made.texts["/params"] = "{"

    assert [fault.pointer for fault in made.switch(as_json=False)] == ["/params"]
    assert (made.as_json, made.texts["/params"]) == (True, "{")


def test_faults_lie_beside_their_fields() -> None:
    """A missing value beside its own field, one in a list with its line, one in a nullable field in plain words."""
    params = {"tables": [{"table": "a", "total": 0}], "locale": "english", "pool": "not a pool!"}
    made = draft("data.mock", params)
    body, _ = made.body()

    made.blame(faults(CARDS["data.mock"], body["params"]), body)

    assert made.errors.others == []
    assert made.errors.by_name["/params/connection"] == "This is needed."
    assert "minimum of 1" in made.errors.by_name["/params/tables/0/total"]
    assert "not of the form" in made.errors.by_name["/params/pool"], "not: none of the anyOf schemas"
    assert [label for _, label, _ in made.wrong()] == ["Connection", "Total", "Locale", "Pool"]


def test_a_line_of_a_list_is_named() -> None:
    """So nobody has to look for it."""
    made = draft("host.prepare", {"packages": ["htop", "No Such"]})
    body, _ = made.body()

    made.blame(faults(CARDS["host.prepare"], body["params"]), body)

    assert made.errors.by_name["/params/packages"].startswith("Line 2: ")


def test_what_belongs_to_no_field_is_told_all_the_same() -> None:
    """At the head of the form."""
    made = draft("data.mock", MOCK)

    made.blame([Fault("/type", "is gone"), Fault("", "is odd")], {})

    assert made.errors.others == ["/type: is gone", "The form: is odd"]


def test_folded_settings_open_when_something_in_them_is_wrong() -> None:
    """An error is never out of sight."""
    made = draft("sql.script", {"connection": "db", "sql": "SELECT 1", "query_limit": 0})
    body, _ = made.body()
    assert not made.inputs()["more_open"]

    made.blame(faults(CARDS["sql.script"], body["params"]), body)

    assert made.inputs()["more_open"]


def test_whoever_sees_some_teams_chooses_among_them() -> None:
    """Of one team, it is chosen already."""
    red = draft("sql.script", {"connection": "db", "sql": "SELECT 1"}, teams=("red",))
    both = draft("sql.script", {"connection": "db", "sql": "SELECT 1"}, teams=("blue", "red"))

    assert red.body()[0]["labels"] == {"team": "red"}
    assert "labels" not in both.body()[0]
    chosen = next(one for one in every(both.inputs()["about"]) if one.name == "/labels/team")
    assert [value for value, _ in chosen.options] == ["", "blue", "red"]


def test_a_request_has_no_parameters_of_its_standing_task() -> None:
    """`of` is filled in from the parent, which is chosen from those that run."""
    made = draft("object.sync.sweep", parents={12: "12 · nightly"})
    made.texts |= {"/parent": "12", "/params/prefix": "2026/"}

    body, _ = made.body()

    assert (body["parent"], body["params"]) == (12, {"prefix": "2026/"})
    assert not [one for one in every(made.inputs()["shown"]) if "/of" in one.name]


def test_a_whole_body_can_be_pasted_as_a_plan() -> None:
    """The form's own fields outweigh it; a bare plan is one too."""
    plan = {"subtasks": [{"key": "a", "operation": "noop"}]}
    whole = Draft(None, {"/plan": json.dumps({"plan": plan, "name": "pasted"}), "/labels": "a = b"})
    bare = Draft(None, {"/plan": json.dumps(plan)})

    assert whole.body() == ({"plan": plan, "name": "pasted", "labels": {"a": "b"}}, [])
    assert bare.body() == ({"plan": plan}, [])
    assert [fault.pointer for fault in Draft(None, {}).body()[1]] == ["/plan"]
