"""From a JSON schema to fields: what is drawn how, and what becomes JSON."""

from typing import Any

import pytest

from services.api.console.fields import Field, Kind, Offer, fields_of, label

NULL = {"type": "null"}
ROW = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def one(schema: dict[str, Any], **more: Any) -> Field:
    """The field of a parameter with this schema."""
    found = fields_of({"type": "object", "properties": {"it": schema}, **more})
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, Kind.TEXT),
        ({"type": "string", "maxLength": 2000}, Kind.LONG),
        ({"type": "string", "maxLength": 160_000}, Kind.CODE),
        ({"type": "string", "maxLength": 160_000, "pattern": "^/"}, Kind.TEXT),
        ({"type": "integer"}, Kind.TEXT),
        ({"type": "boolean", "default": False}, Kind.CHECK),
        ({"type": "boolean"}, Kind.CHOICE),
        ({"anyOf": [{"type": "boolean"}, NULL], "default": None}, Kind.CHOICE),
        ({"enum": ["a", "b"]}, Kind.CHOICE),
        ({"const": 3}, Kind.CHOICE),
        ({"anyOf": [{"enum": ["a"]}, NULL]}, Kind.CHOICE),
        ({"anyOf": [{"type": "integer"}, {"const": "unlimited", "type": "string"}]}, Kind.TEXT),
        ({"type": ["string", "null"]}, Kind.TEXT),
        ({"type": "array", "items": {"type": "string"}}, Kind.LINES),
        ({"anyOf": [{"type": "array", "items": {"type": "integer"}}, NULL]}, Kind.LINES),
        ({"type": "array", "items": ROW}, Kind.ROWS),
        ({"type": "array", "items": {"type": "array"}}, Kind.JSON),
        ({"type": "array"}, Kind.JSON),
        (ROW, Kind.GROUP),
        ({"allOf": [ROW]}, Kind.GROUP),
        ({"type": "object", "additionalProperties": {"type": "string"}}, Kind.PAIRS),
        ({"type": "object", "patternProperties": {"^a": {"type": "integer"}}}, Kind.PAIRS),
        ({"type": "object", "additionalProperties": ROW}, Kind.JSON),
        ({"type": "object"}, Kind.JSON),
        ({"oneOf": [ROW, {"type": "string"}]}, Kind.JSON),
        ({"$ref": "#/$defs/there"}, Kind.TEXT),
        ({"$ref": "#/$defs/gone"}, Kind.JSON),
        ({"$ref": "https://elsewhere.example/schema"}, Kind.JSON),
        ({}, Kind.JSON),
        (True, Kind.JSON),  # a schema may be a boolean
    ],
)
def test_each_schema_has_its_control(schema: dict[str, Any], kind: Kind) -> None:
    """What cannot be drawn is JSON, which can say everything."""
    assert one(schema, **{"$defs": {"there": {"type": "string"}}}).kind is kind


def test_null_is_a_choice_of_its_own_where_it_differs_from_the_default() -> None:
    """`report: null` writes no report, while leaving it out writes one; a default of null needs no box."""
    text = {"anyOf": [{"type": "string"}, NULL]}

    assert one({**text, "default": "report.md"}).emptied
    assert not one({**text, "default": None}).emptied
    assert not one(text).emptied


def test_what_names_something_is_offered_it() -> None:
    """A connection is known by its name or its description, a pool by its name, a secret by its format."""
    text = {"type": "string"}
    found = fields_of(
        {
            "properties": {
                "connection": text,
                "source": {**text, "description": "The connection to read from."},
                "pool": {"anyOf": [text, NULL]},
                "password": {**text, "format": "secret"},
                "connections": {"type": "integer"},
                "sql": {**text, "description": "What runs on the connection."},
            }
        }
    )

    assert found is not None
    offers = [one.offer for one in found]
    assert offers == [Offer.CONNECTION, Offer.CONNECTION, Offer.POOL, Offer.SECRET, Offer.NOTHING, Offer.NOTHING]


@pytest.mark.parametrize(
    ("name", "title", "shown"),
    [
        ("statement_timeout_seconds", "Statement Timeout Seconds", "Statement timeout (seconds)"),
        ("disk_warning_percent", None, "Disk warning (percent)"),
        ("sql", "Sql", "SQL"),
        ("seconds", None, "Seconds"),
        ("name", "What it is called", "What it is called"),
        ("", None, ""),
    ],
)
def test_labels_are_words(name: str, title: str | None, shown: str) -> None:
    """A title counts unless it is only the name with capital letters."""
    assert label(name, title) == shown


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "string"}, {"properties": {}, "oneOf": [{}]}, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#"}}}],
)
def test_what_is_no_plain_object_is_written_as_a_whole(schema: dict[str, Any]) -> None:
    """Its parameters are one JSON field."""
    assert fields_of(schema) is None


@pytest.mark.parametrize("word", ["anyOf", "oneOf"])
def test_a_choice_of_itself_ends_as_json(word: str) -> None:
    """Also when it is one of many, many times over."""
    schema = {word: [{"type": "string"}, *[{"$ref": "#/properties/it"}] * 200]}
    found = fields_of({"properties": {"it": schema}})
    assert found is not None
    assert found[0].kind is Kind.JSON


def test_a_schema_within_itself_ends_as_json() -> None:
    """A tree of trees is drawn a few levels deep."""
    tree = {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}, "value": {"type": "integer"}}}
    found = fields_of({**tree, "$defs": {"tree": tree}})

    depth = 0
    while found and found[0].kind is Kind.GROUP:
        found, depth = found[0].fields, depth + 1
    assert depth == 4
    assert found
    assert found[0].kind is Kind.JSON
