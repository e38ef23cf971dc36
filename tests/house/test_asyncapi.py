"""The checked-in AsyncAPI document is the code's, and says everything about everything."""

import json
from pathlib import Path
from typing import Any

from services.api.access import COMMANDS
from services.api.bus.asyncapi import document
from services.api.rest.asyncapi import page
from shared.messages import subjects

CHECKED_IN = Path(__file__).parents[2] / "docs" / "asyncapi.json"


def references(value: Any) -> list[str]:
    """Every reference in a part of the document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for child in value.values() for found in references(child)]
    return [found for child in value for found in references(child)] if isinstance(value, list) else []


def at(reference: str) -> Any:
    """What a reference names; KeyError when there is no such thing."""
    place: Any = document()
    for step in reference.removeprefix("#/").split("/"):
        place = place[step]
    return place


def test_the_checked_in_document_is_the_codes() -> None:
    """`make docs` writes it anew."""
    assert json.loads(CHECKED_IN.read_text(encoding="utf-8")) == document()


def test_every_command_is_described_with_headers_and_answer() -> None:
    """Payload, headers, and where the answer goes."""
    found = document()
    for word in COMMANDS:
        name = subjects.command(word)
        assert found["channels"][name]["address"] == name
        assert found["operations"][name]["reply"]["address"]["location"] == "$message.header#/reply_to"
        message = at(references(at(references(found["operations"][name]["messages"])[0]))[0])
        assert {"payload", "headers"} <= set(message)


def test_every_subject_of_core_nats_is_described() -> None:
    """Those that FastStream serves and those that go out beside it."""
    addresses = {channel["address"] for channel in document()["channels"].values()}
    served = {"log.check", "bulk.perform", "foresee.{pool}", "lists.{pool}"}
    assert served | {"results.{task}", "nudge.{incarnation}", "events.{type}"} <= addresses


def test_no_reference_leads_nowhere() -> None:
    """In the document as in its schemas, discriminators too."""
    for reference in references(document()):
        assert at(reference)
    assert "$defs" not in json.dumps(document())


def test_the_page_shows_every_operation_and_loads_nothing() -> None:
    """No script and no other host, so that it works behind any wall."""
    text = page()
    for name in document()["operations"]:
        assert f'id="{name}"' in text
    for trace in ("<script", "http://", "https://", "src=", "@import", "url("):
        assert trace not in text
