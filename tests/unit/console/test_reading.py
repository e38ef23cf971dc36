"""Texts of a form and the JSON they mean: there and back, for every installed task type and for odd input."""

from typing import Any

import pytest

from services.api.catalog import Schema
from services.api.console.fields import Field, fields_of
from services.api.console.filling import spelled
from services.api.console.reading import read
from services.executor.catalog import discover

CARDS = {card.name: card for card in discover().type_cards("default")}
LIMIT = {"domain": "oracle", "item": "nofile", "value": "unlimited"}
USED: list[tuple[str, dict[str, Any]]] = [
    ("host.inspect", {}),
    ("host.inspect", {"report": None, "thresholds": {"load_per_cpu": 2.5}}),
    ("host.prepare", {"packages": ["htop", "jq"], "sysctl": {"vm.swappiness": "10"}, "live": False}),
    ("host.prepare", {"users": [{"name": "a", "uid": 7, "groups": ["adm"]}], "limits": [LIMIT, {**LIMIT, "value": 9}]}),
    ("sql.script", {"connection": "db", "sql": "SELECT 1;\nSELECT ' 2 '", "delimiter": "//", "retry_times": 2}),
    ("data.mock", {"connection": "db", "tables": [{"table": "a"}, {"table": "b", "after": ["a"], "truncate": True}]}),
    ("data.mock", {"connection": "db", "tables": [{"table": "a", "columns": {"x": {"values": [1, None, "s"]}}}]}),
    ("object.sync", {"source": "a", "destination": "b", "overwrite": "never", "metadata": False}),
    ("tenant.create", {"connection": "pg", "name": "acme", "allow": ["10.0.0.0/8"], "connections": -1}),
    ("tenant.drop", {"connection": "pg", "name": "acme", "access": True, "secret": "kv:tenant-acme"}),
]


def fields(name: str) -> tuple[Field, ...]:
    """The fields of an installed type."""
    found = fields_of(CARDS[name].params_schema)
    assert found is not None
    return found


@pytest.mark.parametrize(("name", "params"), USED)
def test_what_is_spelled_is_read_again(name: str, params: dict[str, Any]) -> None:
    """A task created like another one has its parameters, and no defaults that nobody asked for."""
    found, faults = read(fields(name), spelled(fields(name), params, "/params"), "/params")

    assert faults == []
    assert found == params
    assert Schema(name, CARDS[name].params_schema).errors(found) == []


@pytest.mark.parametrize("name", sorted(name for name, card in CARDS.items() if card.child_of is None))
def test_every_installed_type_can_be_drawn(name: str) -> None:
    """None of them has to be written as JSON as a whole; an untouched form has no parameters but those needed."""
    needed = set(CARDS[name].params_schema.get("required", ()))

    found, faults = read(fields(name), spelled(fields(name), {}, "/params"), "/params")

    assert faults == []
    assert set(found) <= needed


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, " 42 ", 42),
        ({"type": "integer"}, "4.5", "4.5"),
        ({"type": "integer"}, "9" * 30, "9" * 30),
        ({"type": "number"}, "1e3", 1000.0),
        ({"type": "number"}, "1e999", "1e999"),
        ({"type": "number"}, "80", 80),
        ({"type": "string"}, "80", "80"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "-20", -20),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "soon", "soon"),
        ({"enum": [1, "1", None]}, "1", 1),
        ({"enum": ["a"]}, "b", "b"),
        ({"type": "boolean"}, "true", True),
        ({"type": "array", "items": {"type": "integer"}}, "1\r\n\r\n 2 \r\nx", [1, 2, "x"]),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "a = b = c\r\nd=", {"a": "b = c", "d": ""}),
        ({"type": "string", "maxLength": 2000}, " a\r\nb ", " a\nb "),
        ({}, '{"a": [1]}', {"a": [1]}),
    ],
)
def test_texts_are_read_as_the_schema_says(schema: dict[str, Any], text: str, value: object) -> None:
    """What is no such value stays a text, for the API to say what is wrong with it."""
    found = fields_of({"properties": {"it": schema}})
    assert found is not None

    values, faults = read(found, {"/it": text}, "")

    assert faults == []
    assert values == {"it": value}
    assert type(values["it"]) is type(value)


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({}, "{", "not JSON"),
        ({}, '{"a": 1, "a": 2}', "stands twice"),
        ({}, "NaN", "not JSON"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "no sign", "has no '='"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "a = 1\na = 2", "stands twice"),
    ],
)
def test_what_cannot_be_read_is_said(schema: dict[str, Any], text: str, said: str) -> None:
    """Beside the field it stands in."""
    found = fields_of({"properties": {"it": schema}})
    assert found is not None

    _, faults = read(found, {"/it": text}, "")

    assert [fault.pointer for fault in faults] == ["/it"]
    assert said in faults[0].message


def test_empty_takes_a_text_back_where_that_can_be() -> None:
    """A default that an empty text may replace is replaced; where it may not, empty means the default."""
    found = fields_of(
        {
            "properties": {
                "free": {"type": "string", "default": "x"},
                "never": {"type": "string", "default": "x", "minLength": 1},
                "none": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            }
        }
    )
    assert found is not None

    assert read(found, {"/free": "", "/never": "", "/none": ""}, "") == ({"free": ""}, [])
